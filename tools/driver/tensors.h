#ifndef XRUN_TOOLS_DRIVER_TENSORS_H_
#define XRUN_TOOLS_DRIVER_TENSORS_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "isa/program.h"
#include "isa/result.h"
#include "runtime/internal.h"
#include "runtime/io/array.h"
#include "runtime/io/npy.h"

namespace xrun::tools {

/// A tensor as one run of a program left it.
struct CapturedTensor {
  std::string name;   ///< ONNX name
  std::string node;   ///< that made it; empty for model inputs, and for results of a launch without debug tensors
  std::string op;     ///< of that node
  std::string place;  ///< "input", "overlay" or "cpu"
  io::Array raw;      ///< in its own type and the model's layout
  float scale = 0;    ///< int8 only
  int32_t zero_point = 0;

  bool quantized() const { return raw.type == io::ElementType::kInt8; }
  io::Array Real() const;  ///< as float32 when it is int8, else as it is
};

/// Collects every tensor that a program lets see while a session runs it: model inputs, what crosses steps, and the
/// insides of launches when it was compiled with --debug-tensors. Each once, in order of execution. One run at a time.
class TensorTap {
 public:
  /// Must live as long as it is attached. Attaching makes every launch carry one request.
  TensorTap(api::Session& session, std::shared_ptr<const Program> program);
  ~TensorTap();
  TensorTap(const TensorTap&) = delete;
  TensorTap& operator=(const TensorTap&) = delete;

  /// What the last run left; empty afterwards.
  std::vector<CapturedTensor> Take();

 private:
  void Collect(const internal::StepEvent& event);
  void CollectTensor(const internal::StepEvent& event, uint32_t index, const std::string& place, int64_t node);
  void Add(CapturedTensor tensor, int64_t node);

  api::Session& session_;
  std::shared_ptr<const Program> program_;
  std::vector<CapturedTensor> tensors_;
  std::set<std::string> seen_;
};

/// Whether the program was compiled with --debug-tensors (or has nothing inside its launches to show).
bool ShowsInsides(const Program& program);

/// Writes DIR/NNNN_NAME.npy for each tensor, float32 for int8 ones with NNNN_NAME.int8.npy beside it, and last
/// index.json, which lists them with names, nodes and parameters.
Status DumpTensors(const std::string& folder, const std::vector<CapturedTensor>& tensors, const Program& program);

/// A reference to compare with: .npz; .npy for a single output, which it then is named after; or a folder that
/// DumpTensors wrote, int8 where there is an int8 file.
Result<io::NamedArrays> LoadReference(const std::string& path, const io::NamedArrays& outputs);

/// The first element in which an array and its reference differ by more than `atol`, with both values, how many do and
/// by how much at most, as a failure that calls the array `what`. NaN equals NaN.
Status CompareArray(const std::string& what, const io::Array& got, const std::string& reference, const io::Array& want,
                    double atol);

/// Compares what has a reference, in order of execution; the failure names tensor and node. An int8 reference of an
/// int8 tensor is compared exactly, any other with its real values and `atol`. A reference of an unknown name is a
/// failure.
Status CompareTensors(const std::vector<CapturedTensor>& tensors, const std::string& reference,
                      const io::NamedArrays& expected, double atol, const Program& program);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_TENSORS_H_
