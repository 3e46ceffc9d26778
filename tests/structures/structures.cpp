#include "structures.h"

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
  };
  return *structures;
}

const Structure* FindStructure(const std::string& name) {
  for (const Structure& structure : Structures()) {
    if (structure.name == name) return &structure;
  }
  return nullptr;
}

}  // namespace xrun::structures
