#include "xrun/session.h"

#include <algorithm>
#include <thread>

#include "runtime/api_impl.h"
#include "runtime/arguments.h"
#include "runtime/io/dataset.h"
#include "runtime/io/preprocess_text.h"

namespace xrun::api {
namespace {

using Waited = runtime::Scheduler::Waited;

void ThrowIfFailed(const runtime::RequestState& request) {
  if (request.failed) throw Error(request.code, request.failure.message, request.failure.hint);
}

unsigned InRange(const char* name, unsigned value, unsigned lo, unsigned hi) {
  if (value < lo || value > hi) {
    Throw({"SessionOptions::" + std::string(name) + " is " + std::to_string(value) + ", it must be " +
               std::to_string(lo) + " to " + std::to_string(hi),
           ""});
  }
  return value;
}

size_t LevelOf(Priority priority) {
  const auto level = static_cast<size_t>(priority);
  if (level >= runtime::kPriorities) Throw({"unknown priority " + std::to_string(level), "kLow, kNormal or kHigh"});
  return level;
}

runtime::SchedulerOptions CheckedOptions(const SessionOptions& options, const runtime::Device& device) {
  runtime::SchedulerOptions checked;
  checked.in_flight = InRange("in_flight", options.in_flight, 1, 1024);
  checked.group = InRange("requests_per_launch", options.requests_per_launch, 1, runtime::kMaxGroup);
  const unsigned lanes = options.launches == 0 ? device.lanes() : options.launches;
  checked.lanes = std::min(InRange("launches", lanes, 1, 1024), checked.in_flight);
  const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  const unsigned threads = options.cpu_threads == 0 ? std::max(1U, processors / checked.lanes) : options.cpu_threads;
  checked.cpu_threads = static_cast<int>(InRange("cpu_threads", threads, 1, 1024));
  if (options.timeout.count() < 0) Throw({"SessionOptions::timeout is negative", "0 is no timeout"});
  checked.timeout = options.timeout;
  checked.priority = LevelOf(options.priority);
  return checked;
}

/// The requests of one run() with several runs: a ring, oldest first, given back whatever happens.
class Ring {
 public:
  explicit Ring(runtime::Scheduler& scheduler) : scheduler_(scheduler) {}
  Ring(const Ring&) = delete;
  ~Ring() {
    for (size_t i = 0; i < size_; ++i) scheduler_.ReleaseFromRun(requests_[i]);
  }
  void Add(runtime::RequestState* request) { requests_[size_++] = request; }
  size_t size() const { return size_; }
  bool full() const { return size_ == requests_.size(); }
  runtime::RequestState& operator[](size_t run) { return *requests_[run % size_]; }

 private:
  runtime::Scheduler& scheduler_;
  std::array<runtime::RequestState*, 64> requests_;
  size_t size_ = 0;
};

}  // namespace

Session::Session(const Device& device, const Program& program, const SessionOptions& options)
    : impl_(std::make_shared<Impl>(program)) {
  const auto& loaded = internal::Access::Of(impl_->program);
  const auto& on = internal::Access::Of(device);
  impl_->file = loaded.program.get();
  impl_->device = on;
  impl_->inputs = &loaded.inputs;
  impl_->outputs = &loaded.outputs;
  auto status = runtime::CheckProgram(*on, *loaded.program);
  if (!status.ok()) Throw(std::move(status).failure());
  const runtime::SchedulerOptions checked = CheckedOptions(options, *on);
  impl_->cpu_threads = checked.cpu_threads;
  impl_->scheduler = ValueOrThrow(runtime::Scheduler::Create(on, loaded.plan, checked), ErrorCode::kDevice);
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const std::vector<TensorInfo>& Session::inputs() const { return *impl_->inputs; }
const std::vector<TensorInfo>& Session::outputs() const { return *impl_->outputs; }

void Session::run(std::initializer_list<NamedInput> inputs, std::initializer_list<NamedOutput> outputs) {
  run(std::span<const NamedInput>(inputs.begin(), inputs.size()),
      std::span<const NamedOutput>(outputs.begin(), outputs.size()));
}

void Session::run(std::span<const NamedInput> inputs, std::span<const NamedOutput> outputs) {
  runtime::RunArguments arguments;
  auto status = arguments.Match(*impl_->inputs, *impl_->outputs, inputs, outputs);
  if (!status.ok()) Throw(std::move(status).failure());
  runtime::Scheduler& scheduler = *impl_->scheduler;
  const xrun::Program& program = *impl_->file;

  Ring ring(scheduler);
  ring.Add(ValueOrThrow(scheduler.AcquireForRun(), ErrorCode::kDevice));
  if (arguments.runs() == 1) {
    arguments.Fill(0, program, ring[0]);
    scheduler.RunNow(&ring[0]);
    ThrowIfFailed(ring[0]);
    return arguments.Read(0, program, ring[0]);
  }
  // What other threads leave of the requests is used too; with the one taken above there is always progress.
  const size_t wanted = std::min<size_t>(arguments.runs(), scheduler.in_flight());
  while (ring.size() < wanted && !ring.full()) {
    runtime::RequestState* request = ValueOrThrow(scheduler.TryAcquireForRun(), ErrorCode::kDevice);
    if (request == nullptr) break;
    ring.Add(request);
  }
  const auto finish = [&](size_t run) {
    scheduler.Wait(&ring[run]);
    if (ring[run].failed) {
      throw Error(
          ring[run].code,
          "run " + std::to_string(run) + " of " + std::to_string(arguments.runs()) + ": " + ring[run].failure.message,
          ring[run].failure.hint);
    }
    arguments.Read(run, program, ring[run]);
  };
  for (size_t run = 0; run < arguments.runs(); ++run) {
    if (run >= ring.size()) finish(run - ring.size());
    arguments.Fill(run, program, ring[run]);
    scheduler.Submit(&ring[run], nullptr);
  }
  for (size_t run = arguments.runs() - ring.size(); run < arguments.runs(); ++run) finish(run);
}

std::optional<DeviceLayout> Session::device_layout(std::string_view name) const {
  const runtime::Plan& plan = impl_->scheduler->plan();
  const auto input = std::find_if(impl_->inputs->begin(), impl_->inputs->end(),
                                  [&](const TensorInfo& info) { return info.name == name; });
  const uint32_t tensor =
      input != impl_->inputs->end()
          ? impl_->file->inputs[static_cast<size_t>(input - impl_->inputs->begin())]
          : impl_->file->outputs[ValueOrThrow(runtime::FindTensor("input or output", *impl_->outputs, name))];
  const int32_t form = runtime::DeviceForm(plan, tensor);
  if (form < 0) return std::nullopt;
  const BufferLayout& from = plan.packed[static_cast<size_t>(form)].layout;
  return DeviceLayout{
      from.batch, from.channels, from.height, from.width, from.groups, plan.program->config.channels, from.channel_map};
}

std::vector<float> Session::preprocess(const std::string& path, std::string_view name) const {
  uint32_t index = 0;
  if (!name.empty()) {
    index = ValueOrThrow(runtime::FindTensor("input", *impl_->inputs, name));
  } else if (impl_->inputs->size() != 1) {
    Throw(
        {"preprocess: the program has " + std::to_string(impl_->inputs->size()) + " inputs", "name the one it is for"});
  }
  const TensorInfo& info = (*impl_->inputs)[index];
  io::DatasetOptions options;
  if (!impl_->file->preprocessing.empty()) {
    options.preprocess = ValueOrThrow(io::PreprocessFromJson(impl_->file->preprocessing));
  }
  const io::Dataset data = ValueOrThrow(io::Dataset::Open({path}, {{info.name, info.shape}}, options));
  if (data.runs() != 1) {
    Throw({path + ": holds " + std::to_string(data.samples()) + " samples, preprocess takes one", ""});
  }
  const io::Feed feed = ValueOrThrow(data.Get(0));
  const io::Array& array = feed.tensors.at(info.name);
  return {array.data<float>(), array.data<float>() + array.size()};
}

// Requests ------------------------------------------------------------------------------------------------------------

struct Request::Impl {
  Impl(std::shared_ptr<Session::Impl> s, runtime::RequestState* r) : session(std::move(s)), request(r) {}
  Impl(const Impl&) = delete;
  ~Impl() { session->scheduler->Release(request); }

  void Bind(const TensorInfo& info, uint32_t tensor, const Buffer::Impl& buffer, size_t offset, Layout layout);

  std::shared_ptr<Session::Impl> session;
  runtime::RequestState* request;
};

Request Session::request() {
  runtime::RequestState* state = ValueOrThrow(impl_->scheduler->Acquire(), ErrorCode::kDevice);
  return Request(std::make_unique<Request::Impl>(impl_, state));
}

Request::Request(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Request::Request(Request&&) noexcept = default;
Request& Request::operator=(Request&&) noexcept = default;
Request::~Request() = default;

TensorMemory Request::input(std::string_view name) const {
  const auto& infos = *impl_->session->inputs;
  const uint32_t index = ValueOrThrow(runtime::FindTensor("input", infos, name));
  return {infos[index], impl_->request->HostData(impl_->session->file->inputs[index])};
}

TensorMemory Request::output(std::string_view name) const {
  const auto& infos = *impl_->session->outputs;
  const uint32_t index = ValueOrThrow(runtime::FindTensor("output", infos, name));
  return {infos[index], impl_->request->HostData(impl_->session->file->outputs[index])};
}

void Request::Impl::Bind(const TensorInfo& info, uint32_t tensor, const Buffer::Impl& buffer, size_t offset,
                         Layout layout) {
  const auto fail = [&](const std::string& message, const char* hint) {
    Throw({"bind '" + info.name + "': " + message, hint});
  };
  if (session->scheduler->UnderWay(request)) fail("the request is under way", "wait for it first");
  if (buffer.device != session->device) {
    fail("the buffer is of another device, '" + buffer.device->name() + "'",
         "allocate it on the session's device, or export it there and import it here");
  }
  const int32_t form = layout == Layout::kDevice ? runtime::DeviceForm(session->scheduler->plan(), tensor) : -1;
  if (layout == Layout::kDevice && form < 0) {
    fail(
        "the tensor has no device layout: it is not int8, a CPU step uses it, or the program keeps it in "
        "several forms",
        "bind it in Layout::kModel");
  }
  const uint64_t bytes = form < 0 ? info.bytes() : session->scheduler->plan().packed[static_cast<size_t>(form)].bytes;
  if (offset % 4096 != 0) {
    fail("offset " + std::to_string(offset) + " is not a multiple of 4096", "align tensors within a buffer");
  }
  if (offset > buffer.bytes || bytes > buffer.bytes - offset) {
    fail("needs " + std::to_string(bytes) + " bytes at offset " + std::to_string(offset) + ", the buffer has " +
             std::to_string(buffer.bytes),
         "");
  }
  request->Bind(tensor, buffer.memory, offset, form);
}

void Request::bind_input(std::string_view name, const Buffer& buffer, size_t offset, Layout layout) {
  const auto& infos = *impl_->session->inputs;
  const uint32_t index = ValueOrThrow(runtime::FindTensor("input", infos, name));
  impl_->Bind(infos[index], impl_->session->file->inputs[index], internal::Access::Of(buffer), offset, layout);
}

void Request::bind_output(std::string_view name, const Buffer& buffer, size_t offset, Layout layout) {
  const auto& infos = *impl_->session->outputs;
  const uint32_t index = ValueOrThrow(runtime::FindTensor("output", infos, name));
  impl_->Bind(infos[index], impl_->session->file->outputs[index], internal::Access::Of(buffer), offset, layout);
}

void Request::unbind() {
  if (impl_->session->scheduler->UnderWay(impl_->request)) {
    Throw({"unbind: the request is under way", "wait for it first"});
  }
  impl_->request->UnbindAll();
}

void Request::set_priority(Priority priority) { impl_->request->priority = LevelOf(priority); }

void Request::submit() { submit(nullptr); }

void Request::submit(Callback callback) {
  if (!impl_->session->scheduler->Submit(impl_->request, std::move(callback))) {
    Throw({"submit: the request is under way", "wait for it first, or use another request"});
  }
}

void Request::wait() {
  if (impl_->session->scheduler->Wait(impl_->request) == Waited::kNeverSubmitted) {
    Throw({"wait: the request was never submitted", ""});
  }
  ThrowIfFailed(*impl_->request);
}

bool Request::wait_for(std::chrono::nanoseconds duration) {
  const auto now = runtime::Clock::now();
  const auto forever = runtime::Clock::time_point::max();
  switch (impl_->session->scheduler->Wait(impl_->request, duration < forever - now ? now + duration : forever)) {
    case Waited::kNeverSubmitted:
      Throw({"wait_for: the request was never submitted", ""});
    case Waited::kTimeout:
      return false;
    case Waited::kDone:
      break;
  }
  ThrowIfFailed(*impl_->request);
  return true;
}

void Request::cancel() { impl_->session->scheduler->Cancel(impl_->request); }

}  // namespace xrun::api
