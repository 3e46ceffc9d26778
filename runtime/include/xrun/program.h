#ifndef XRUN_PROGRAM_H_
#define XRUN_PROGRAM_H_

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "xrun/error.h"
#include "xrun/tensor.h"

namespace xrun::internal {
struct Access;
}

namespace xrun::api {

/// A compiled model, verified: immutable and cheap to copy (copies share it). Any thread may use it.
class XRUN_API Program {
 public:
  /// Maps and verifies a .xprog file. The file must not change while the program lives. Throws Error naming file, place
  /// in it, and for CPU steps the ONNX node.
  static Program load(const std::string& path);
  /// The same from memory, which is copied. `where` names it in errors.
  static Program from_memory(std::span<const uint8_t> bytes, const std::string& where = "memory");

  const std::string& model_name() const;
  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  /// Name of the overlay configuration it was compiled for, "B4096".
  const std::string& configuration() const;
  /// That configuration with all fields, as the JSON that `xcompile --arch` reads.
  std::string configuration_json() const;
  /// JSON of the preprocessing the model was calibrated with; empty if none.
  const std::string& preprocessing() const;
  /// What the compiler noted: its version, options, how it was calibrated.
  const std::map<std::string, std::string>& info() const;

 private:
  friend struct xrun::internal::Access;
  struct Impl;
  explicit Program(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace xrun::api

#endif  // XRUN_PROGRAM_H_
