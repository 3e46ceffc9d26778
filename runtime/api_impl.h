#ifndef XRUN_RUNTIME_API_IMPL_H_
#define XRUN_RUNTIME_API_IMPL_H_

// What stands behind the API's classes; the API's headers only name it.

#include <memory>
#include <vector>

#include "isa/program.h"
#include "runtime/device.h"
#include "runtime/plan.h"
#include "runtime/scheduler.h"
#include "xrun/buffer.h"
#include "xrun/device.h"
#include "xrun/program.h"
#include "xrun/session.h"

namespace xrun::api {

/// The one place where failures become exceptions.
[[noreturn]] void Throw(Failure failure, ErrorCode code = ErrorCode::kInvalid);

template <typename T>
T ValueOrThrow(Result<T> result, ErrorCode code = ErrorCode::kInvalid) {
  if (!result.ok()) Throw(std::move(result).failure(), code);
  return std::move(result).value();
}

struct Program::Impl {
  std::shared_ptr<const xrun::Program> program;
  std::shared_ptr<const runtime::Plan> plan;
  std::vector<TensorInfo> inputs, outputs;
};

struct Device::Impl {
  std::shared_ptr<runtime::Device> device;
};

struct Buffer::Impl {
  std::shared_ptr<runtime::Device> device;  ///< outlives the memory
  std::shared_ptr<runtime::DeviceBuffer> memory;
  size_t bytes = 0;  ///< as asked for; the memory may be larger
};

struct Session::Impl {
  explicit Impl(const Program& p) : program(p) {}

  Program program;
  std::unique_ptr<runtime::Scheduler> scheduler;
  std::shared_ptr<runtime::Device> device;
  int cpu_threads = 1;
  const std::vector<TensorInfo>* inputs = nullptr;  ///< the program's
  const std::vector<TensorInfo>* outputs = nullptr;
  const xrun::Program* file = nullptr;
};

}  // namespace xrun::api

namespace xrun::internal {

/// The tools' way past `private`.
struct Access {
  static const api::Program::Impl& Of(const api::Program& program) { return *program.impl_; }
  static const std::shared_ptr<runtime::Device>& Of(const api::Device& device) { return device.impl_->device; }
  static api::Session::Impl& Of(api::Session& session) { return *session.impl_; }
  static const api::Buffer::Impl& Of(const api::Buffer& buffer) { return *buffer.impl_; }
  static api::Program Make(std::shared_ptr<const Program> program);
};

}  // namespace xrun::internal

#endif  // XRUN_RUNTIME_API_IMPL_H_
