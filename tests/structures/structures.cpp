#include "structures.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace xrun::structures {

const std::vector<Structure>& Structures() {
  // torchvision: the num_params and _ops of the weights' documentation, pytorch.org/vision/stable/models.html.
  static const auto* const structures = new std::vector<Structure>{
      {"resnet18", 11.690, 1.814, "torchvision", -2.2, 2.7, Resnet18},
      {"resnet50_v1", 25.557, 3.858, "arXiv:1512.03385 (3.8e9); AMD model zoo, 7.7 G operations", -2.2, 2.7,
       Resnet50V1},
      {"resnet50", 25.557, 4.089, "torchvision", -2.2, 2.7, Resnet50},
      {"mobilenet_v1", 4.232, 0.569, "arXiv:1704.04861, table 8; keras.applications", -1, 1, MobilenetV1},
      {"mobilenet_v2", 3.505, 0.301, "torchvision", -2.2, 2.7, MobilenetV2},
      {"mobilenet_v3_large", 5.483, 0.217, "torchvision", -2.2, 2.7, MobilenetV3Large},
      {"mobilenet_v3_small", 2.543, 0.057, "torchvision", -2.2, 2.7, MobilenetV3Small},
      {"efficientnet_b0", 5.289, 0.386, "torchvision", -2.2, 2.7, EfficientnetB0},
      {"efficientnet_lite0", 4.652, 0.386, "timm; MACs as efficientnet_b0 (its README: 0.407)", -1, 1,
       EfficientnetLite0},
      {"squeezenet1_0", 1.248, 0.819, "torchvision", -2.2, 2.7, Squeezenet10},
      {"squeezenet1_1", 1.235, 0.349, "torchvision", -2.2, 2.7, Squeezenet11},
      {"inception_v1", 6.998, 1.58, "BVLC GoogLeNet; AMD model zoo, 3.16 G operations", -2.2, 2.7, InceptionV1},
      {"inception_v3", 23.835, 5.713, "torchvision, without the auxiliary classifier", -2.2, 2.7, InceptionV3},
      {"vgg16", 138.358, 15.47, "torchvision", -2.2, 2.7, Vgg16},
      {"densenet121", 7.979, 2.834, "torchvision", -2.2, 2.7, Densenet121},
      {"shufflenet_v2", 2.279, 0.145, "torchvision", -2.2, 2.7, ShufflenetV2},
      // thop gives 54.74: it counts the transposed convolutions at the size of their outputs, 6.44 too many.
      {"unet", 31.038, 48.30, "github.com/milesial/Pytorch-UNet, thop", 0, 1, Unet},
      {"yolov3", 61.949, 32.93, "pjreddie.com/darknet/yolo, 65.86 G operations", 0, 1, Yolov3},
      {"yolov5n", 1.867, 2.25, "github.com/ultralytics/yolov5, 4.5 G operations", 0, 1, Yolov5n},
      {"ssd_mobilenet_v1", 6.8, 1.235, "arXiv:1704.04861, table 13; MLPerf, arXiv:1911.02549, 2.47 G operations", -1, 1,
       SsdMobilenetV1},
      {"vit_tiny", 5.717, 1.26, "timm, deit_tiny_patch16_224", -1, 1, VitTiny},
  };
  return *structures;
}

const Structure* FindStructure(const std::string& name) {
  const std::string alone = name.substr(0, name.find('@'));
  for (const Structure& structure : Structures()) {
    if (structure.name == alone) return &structure;
  }
  return nullptr;
}

int64_t BatchOf(const std::string& name) {
  const size_t at = name.find('@');
  return at == std::string::npos ? 1 : std::max(1L, std::strtol(name.c_str() + at + 1, nullptr, 10));
}

void SetBatch(int64_t batch, onnx::ModelProto* model) {
  onnx::GraphProto& graph = *model->mutable_graph();
  graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_value(batch);
  for (auto& output : *graph.mutable_output()) output.mutable_type()->mutable_tensor_type()->clear_shape();
  graph.clear_value_info();
  for (const onnx::NodeProto& node : graph.node()) {
    if (node.op_type() != "Reshape") continue;
    for (onnx::TensorProto& shape : *graph.mutable_initializer()) {
      if (shape.name() != node.input(1)) continue;
      int64_t first = 0;
      if (shape.int64_data_size() > 0) {
        if (shape.int64_data(0) == 1) shape.set_int64_data(0, batch);
      } else if (std::memcpy(&first, shape.raw_data().data(), sizeof first); first == 1) {
        std::memcpy(shape.mutable_raw_data()->data(), &batch, sizeof batch);
      }
    }
  }
}

}  // namespace xrun::structures
