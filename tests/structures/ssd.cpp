#include "structures.h"

/// SSD with MobileNet V1 at 300×300 for the 91 classes of COCO, without decoding of boxes and suppression. TensorFlow:
/// NHWC picture, auto_pad, Relu6 as Clip with attributes; heads transposed to NHWC and reshaped.
namespace xrun::structures {

onnx::ModelProto SsdMobilenetV1(uint64_t seed) {
  Net net("ssd_mobilenet_v1", {.opset = 10, .tensor_suffix = ":0"}, seed);
  constexpr int64_t kClasses = 91;
  const auto conv = [&](const Tensor& t, ConvSpec spec) {
    spec.same_upper = true;
    return net.Clip(net.Conv(t, spec), 0, 6);
  };
  Tensor x = net.Transpose(net.Input("image_tensor:0", {1, 300, 300, 3}, -1, 1), {0, 3, 1, 2});
  x = conv(x, {.channels = 32, .kernel = 3, .stride = 2});
  std::vector<Tensor> features;
  const int64_t channels[] = {64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024};
  const int64_t strides[] = {1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1};
  for (size_t i = 0; i < 13; ++i) {
    const int64_t c = x.channels();
    x = conv(conv(x, {.channels = c, .kernel = 3, .stride = strides[i], .groups = c}), {.channels = channels[i]});
    if (i == 10 || i == 12) features.push_back(x);
  }
  for (const int64_t c : {512, 256, 256, 128}) {
    x = conv(conv(x, {.channels = c / 2}), {.channels = c, .kernel = 3, .stride = 2});
    features.push_back(x);
  }
  std::vector<Tensor> boxes, scores;
  for (const Tensor& feature : features) {
    const int64_t anchors = boxes.empty() ? 3 : 6;
    const auto head = [&](int64_t numbers) {
      const Tensor y = net.Conv(feature, {.channels = anchors * numbers, .norm = Norm::kBias, .same_upper = true});
      return net.Reshape(net.Transpose(y, {0, 2, 3, 1}), {1, y.shape[2] * y.shape[3] * anchors, numbers});
    };
    boxes.push_back(head(4));
    scores.push_back(head(kClasses));
  }
  net.Output(net.Concat(boxes, 1), "raw_detection_boxes:0");
  net.Output(net.Sigmoid(net.Concat(scores, 1)), "raw_detection_scores:0");
  return net.Take();
}

}  // namespace xrun::structures
