#ifndef XRUN_SESSION_H_
#define XRUN_SESSION_H_

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xrun/buffer.h"
#include "xrun/device.h"
#include "xrun/error.h"
#include "xrun/profile.h"
#include "xrun/program.h"
#include "xrun/tensor.h"

namespace xrun::api {

/// Who goes first where requests wait for each other: within a session, and between the sessions of one Device in one
/// process. Strict: as long as requests of a higher level keep the device busy, lower ones wait. What has begun is not
/// interrupted.
enum class Priority : uint8_t { kLow, kNormal, kHigh };

struct SessionOptions {
  /// Requests whose memory is set up in advance, and the most that run() has under way at a time. 1…1024.
  unsigned in_flight = 4;
  /// From submit to completion, waiting for its turn included; 0: none. A request that exceeds it fails with kTimeout;
  /// if it shared a launch, the others of that launch are run again.
  std::chrono::nanoseconds timeout{0};
  /// Launches under way at a time; 0: as many as the device can do (simulator: one a processor), at most `in_flight`.
  unsigned launches = 0;
  /// Waiting requests that may be put into one launch, 1…16.
  unsigned requests_per_launch = 8;
  /// Threads of a CPU partition within one launch; 0: the processors shared out among the launches. Output bytes do not
  /// depend on it.
  unsigned cpu_threads = 0;
  /// Of run(), and of requests until Request::set_priority says otherwise.
  Priority priority = Priority::kNormal;
};

/// Told on a thread of the session when a request is done; `error` is null when it went well and lives until the
/// function returns. Must not throw, and must not destroy the Request; may submit it again.
using Callback = std::function<void(const Error* error)>;

/// One execution of the program with memory of its own, to be filled, submitted, waited for, and used again. One thread
/// at a time may use it (cancel() excepted). It keeps the session's insides alive. Destroying it cancels what is under
/// way.
///
/// "Zero copy" means: input() and output() are the memory that the runtime itself works on; nothing is copied between
/// the caller's array and another of the same layout. The overlay's own layout is channel-group-major, so on the way to
/// the device int8 elements are still rearranged once, on the thread that makes the launch.
class XRUN_API Request {
 public:
  Request(Request&&) noexcept;
  Request& operator=(Request&&) noexcept;
  ~Request();

  /// Memory of an input or output; throws Error for an unknown name. Not to be touched between submit() and completion.
  /// Inputs keep their contents from one submit() to the next.
  TensorMemory input(std::string_view name) const;
  TensorMemory output(std::string_view name) const;

  /// From now on the tensor's memory is that of `buffer` from `offset` on (a multiple of 4096), of the session's
  /// device. Layout::kModel: in place of input(name) or output(name), which give it from then on. Layout::kDevice: what
  /// the device itself reads or writes, with nothing rearranged on the way, as Session::device_layout says; input(name)
  /// or output(name) is then out of use. The caller syncs. Allocates nothing. A binding ends with another one, unbind,
  /// or the request. Throws Error while it is under way, for a buffer too small or of another device, and where the
  /// tensor has no device layout.
  void bind_input(std::string_view name, const Buffer& buffer, size_t offset = 0, Layout layout = Layout::kModel);
  void bind_output(std::string_view name, const Buffer& buffer, size_t offset = 0, Layout layout = Layout::kModel);
  /// Back to the request's own memory for all tensors.
  void unbind();

  /// Of the next submit() and those after it.
  void set_priority(Priority priority);

  /// Queues it; returns at once. Throws Error when it is under way already.
  void submit();
  void submit(Callback callback);

  /// Until it is done (its callback has returned). Throws its Error if it failed, and when it was never submitted. With
  /// a callback that submits again: until the last one is done.
  void wait();
  /// False when it is still under way after `duration`, which changes nothing about it.
  bool wait_for(std::chrono::nanoseconds duration);

  /// Asks a request under way to end early with kCancelled; any thread may call it. One that is done stays as it is.
  void cancel();

 private:
  friend class Session;
  struct Impl;
  explicit Request(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A program on a device. Every member may be called from several threads at once.
class XRUN_API Session {
 public:
  /// Throws Error when the program does not fit the device: the configuration fields that differ are named, with the
  /// command that recompiles.
  Session(const Device& device, const Program& program, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;

  /// Runs once and returns when done. Each input is given once; outputs left out are not copied. Arrays are in the
  /// model's layout and either of the tensor's own type, or float for int8 tensors: then they are quantized and
  /// dequantized on the way. Arrays N times as large as the tensors (the same N for all) are N runs, one after another
  /// in memory, with up to `in_flight` of them under way. When all requests are in use by other threads, waits for one.
  /// Allocates nothing once warm. Throws Error; then outputs of runs that were completed may be written.
  void run(std::initializer_list<NamedInput> inputs, std::initializer_list<NamedOutput> outputs);
  void run(std::span<const NamedInput> inputs, std::span<const NamedOutput> outputs);

  /// How the overlay has an input or output, for Request::bind_input and bind_output. None for a tensor that is not
  /// int8, that a CPU step uses, or that the program keeps in several forms. Throws Error for an unknown name.
  std::optional<DeviceLayout> device_layout(std::string_view name) const;

  /// Runs once on these inputs and tells where the time goes. Layers on the overlay are modelled by the simulator, also
  /// when another device runs them; CPU steps are measured. Takes memory of its own; other requests go on.
  Profile profile(std::initializer_list<NamedInput> inputs) const;
  Profile profile(std::span<const NamedInput> inputs) const;

  /// A request of the caller's own. Never waits: beyond `in_flight` its memory is allocated now.
  Request request();

  /// One sample from a picture (or .npy) by the program's preprocessing, as float values for input `name` (which may be
  /// empty when there is one input): what `run` takes.
  std::vector<float> preprocess(const std::string& path, std::string_view name = {}) const;

 private:
  friend class Request;
  friend struct xrun::internal::Access;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace xrun::api

#endif  // XRUN_SESSION_H_
