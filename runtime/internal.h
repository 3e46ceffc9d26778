#ifndef XRUN_RUNTIME_INTERNAL_H_
#define XRUN_RUNTIME_INTERNAL_H_

// What libxrun shows to this project's tools and tests beyond its API. Not installed, no promise to anyone. Include it
// instead of <xrun/xrun.h>: here xrun::Program is the file of isa/program.h, and the API's classes are xrun::api::….

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "isa/program.h"
#include "xrun/device.h"
#include "xrun/error.h"
#include "xrun/program.h"
#include "xrun/session.h"
#include "xrun/tensor.h"

namespace xrun::internal {

/// The parsed program behind the API's.
XRUN_API std::shared_ptr<const Program> ProgramOf(const api::Program& program);

/// A program in memory, a compiler's result say, as the API's. Throws Error for CPU steps that cannot be executed.
XRUN_API api::Program WrapProgram(std::shared_ptr<const Program> program);

/// A step that has just been executed for a request.
struct StepEvent {
  uint32_t step = 0;                      ///< index into Program::steps
  std::chrono::nanoseconds host_time{0};  ///< rearranging included
  uint64_t cycles = 0;                    ///< of the launch where the device knows them, else 0
  std::span<const uint8_t> workspace;     ///< of an overlay step: where its watches lie
  std::span<const uint64_t> time_marks;   ///< of an overlay step, where asked for: isa/time_marks.h
  /// Memory of tensor `index` in the model's layout; empty for tensors that exist only in the overlay's. Valid in this
  /// call only: the memory is used again.
  std::function<std::span<const uint8_t>(uint32_t index)> tensor;
};

/// From now on each launch carries one request, and `observer` is told of every step, on the thread that executes it.
/// To be set while no request is under way. With `time_marks` launches make them (the simulator then models each).
XRUN_API void SetStepObserver(api::Session& session, std::function<void(const StepEvent&)> observer,
                              bool time_marks = false);

/// An int8 tensor in the overlay's layout, a watch in a workspace say, in the model's.
XRUN_API std::vector<int8_t> UnpackTensor(const BufferLayout& layout, const HardwareConfig& config,
                                          std::span<const uint8_t> packed);

}  // namespace xrun::internal

#endif  // XRUN_RUNTIME_INTERNAL_H_
