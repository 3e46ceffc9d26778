#ifndef XRUN_TESTS_STRUCTURES_STRUCTURES_H_
#define XRUN_TESTS_STRUCTURES_STRUCTURES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "net.h"

namespace xrun::structures {

/// A published network, what its authors say of its size, and who writes it.
struct Structure {
  std::string name;
  double million_parameters;
  double giga_macs;    ///< multiply-accumulates of one run
  std::string source;  ///< of both figures
  double lo, hi;       ///< range of the input's values
  onnx::ModelProto (*write)(uint64_t seed);
};

const std::vector<Structure>& Structures();
/// nullptr when there is none of that name; a "@N" at its end is not looked at.
const Structure* FindStructure(const std::string& name);
/// Samples a request that a name says: N of "resnet50@N", else 1.
int64_t BatchOf(const std::string& name);
/// The same model for `batch` samples at once: its input and the shapes that Reshapes ask for say so.
void SetBatch(int64_t batch, onnx::ModelProto* model);

// One file a family. Each writes the network as a certain exporter would; its comment says which.
onnx::ModelProto Resnet18(uint64_t seed);
onnx::ModelProto Resnet50V1(uint64_t seed);
onnx::ModelProto Resnet50(uint64_t seed);
onnx::ModelProto MobilenetV1(uint64_t seed);
onnx::ModelProto MobilenetV2(uint64_t seed);
onnx::ModelProto MobilenetV3Large(uint64_t seed);
onnx::ModelProto MobilenetV3Small(uint64_t seed);
onnx::ModelProto EfficientnetB0(uint64_t seed);
onnx::ModelProto EfficientnetLite0(uint64_t seed);
onnx::ModelProto Squeezenet10(uint64_t seed);
onnx::ModelProto Squeezenet11(uint64_t seed);
onnx::ModelProto InceptionV1(uint64_t seed);
onnx::ModelProto InceptionV3(uint64_t seed);
onnx::ModelProto Vgg16(uint64_t seed);
onnx::ModelProto Densenet121(uint64_t seed);
onnx::ModelProto ShufflenetV2(uint64_t seed);
onnx::ModelProto Unet(uint64_t seed);
onnx::ModelProto Yolov3(uint64_t seed);
onnx::ModelProto Yolov5n(uint64_t seed);
onnx::ModelProto SsdMobilenetV1(uint64_t seed);
onnx::ModelProto VitTiny(uint64_t seed);

}  // namespace xrun::structures

#endif  // XRUN_TESTS_STRUCTURES_STRUCTURES_H_
