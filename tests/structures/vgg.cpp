#include "structures.h"

/// VGG-16 (arXiv:1409.1556), as the ONNX model zoo has it: Dropout nodes left in, Flatten, Gemm.
namespace xrun::structures {

onnx::ModelProto Vgg16(uint64_t seed) {
  Net net("vgg16", {.opset = 8, .tensor_suffix = ""}, seed);
  Tensor x = net.Input("data", {1, 3, 224, 224}, -2.2, 2.7);
  for (const auto& [channels, repeats] : {std::pair{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}) {
    for (int i = 0; i < repeats; ++i) {
      x = net.Relu(net.Conv(x, {.channels = channels, .kernel = 3, .norm = Norm::kBias}));
    }
    x = net.MaxPool(x, {.kernel = 2, .stride = 2});
  }
  x = net.Flatten(x);
  for (int i = 0; i < 2; ++i) x = net.Dropout(net.Relu(net.Gemm(x, 4096)));
  net.Output(net.Gemm(x, 1000), "vgg0_dense2_fwd");
  return net.Take();
}

}  // namespace xrun::structures
