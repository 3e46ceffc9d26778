#include "xrun/program.h"

#include "runtime/api_impl.h"
#include "runtime/internal.h"
#include "runtime/layout.h"

namespace xrun::api {

Error::Error(ErrorCode code, std::string message, std::string hint)
    : std::runtime_error(hint.empty() ? message : message + "\n  hint: " + hint),
      code_(code),
      message_(std::move(message)),
      hint_(std::move(hint)) {}

Error::~Error() = default;

void Throw(Failure failure, ErrorCode code) { throw Error(code, std::move(failure.message), std::move(failure.hint)); }

namespace {

DType TypeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return DType::kFloat32;
    case ElementType::kInt8:
      return DType::kInt8;
    case ElementType::kInt32:
      return DType::kInt32;
    case ElementType::kInt64:
      return DType::kInt64;
    case ElementType::kBool:
      return DType::kBool;
  }
  return DType::kFloat32;
}

std::vector<TensorInfo> InfosOf(const xrun::Program& program, const std::vector<uint32_t>& tensors) {
  std::vector<TensorInfo> infos;
  for (uint32_t t : tensors) {
    const TensorDesc& desc = program.tensors[t];
    TensorInfo info;
    info.name = desc.name;
    info.dtype = TypeOf(desc.type);
    info.shape = desc.shape;
    info.scale = desc.scale;
    info.zero_point = desc.zero_point;
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace

Program::Program(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Program Program::load(const std::string& path) {
  auto program = std::make_shared<const xrun::Program>(ValueOrThrow(ReadProgram(path)));
  try {
    return internal::Access::Make(std::move(program));
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.message(), error.hint());
  }
}

Program Program::from_memory(std::span<const uint8_t> bytes, const std::string& where) {
  auto copy = std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end());
  return internal::Access::Make(
      std::make_shared<const xrun::Program>(ValueOrThrow(ParseProgram(std::move(copy), where))));
}

const std::string& Program::model_name() const { return impl_->program->model_name; }
const std::vector<TensorInfo>& Program::inputs() const { return impl_->inputs; }
const std::vector<TensorInfo>& Program::outputs() const { return impl_->outputs; }
const std::string& Program::configuration() const { return impl_->program->config.name; }
std::string Program::configuration_json() const { return ConfigToJson(impl_->program->config); }
const std::string& Program::preprocessing() const { return impl_->program->preprocessing; }
const std::map<std::string, std::string>& Program::info() const { return impl_->program->info; }

Device::Device(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Device Device::open(const std::string& name) {
  auto impl = std::make_shared<Impl>();
  impl->device = ValueOrThrow(runtime::OpenDevice(name));
  return Device(std::move(impl));
}

const std::string& Device::name() const { return impl_->device->name(); }
std::string Device::description() const { return impl_->device->description(); }

}  // namespace xrun::api

namespace xrun::internal {

api::Program Access::Make(std::shared_ptr<const Program> program) {
  auto impl = std::make_shared<api::Program::Impl>();
  impl->inputs = api::InfosOf(*program, program->inputs);
  impl->outputs = api::InfosOf(*program, program->outputs);
  impl->plan = api::ValueOrThrow(runtime::MakePlan(program));
  impl->program = std::move(program);
  return api::Program(std::move(impl));
}

std::shared_ptr<const Program> ProgramOf(const api::Program& program) { return Access::Of(program).program; }

api::Program WrapProgram(std::shared_ptr<const Program> program) { return Access::Make(std::move(program)); }

void SetStepObserver(api::Session& session, std::function<void(const StepEvent&)> observer, bool time_marks) {
  auto& impl = Access::Of(session);
  if (!observer) return impl.scheduler->SetListener(nullptr);
  impl.scheduler->SetListener(
      [observer = std::move(observer)](const runtime::ExecutedStep& executed) {
        const runtime::RequestState& request = *executed.request;
        const runtime::Plan& plan = *request.plan;
        const Step& step = plan.program->steps[executed.step];
        StepEvent event;
        event.step = executed.step;
        event.host_time = executed.host_time;
        event.cycles = executed.cycles;
        event.time_marks = executed.time_marks;
        if (step.kind == Step::Kind::kOverlay) {
          const uint64_t bytes = plan.program->overlay_steps[step.index].workspace_bytes;
          auto status = request.device_memory->SyncFromDevice(plan.workspace_offset, bytes);
          if (status.ok()) event.workspace = request.device_memory->host().subspan(plan.workspace_offset, bytes);
        }
        event.tensor = [&](uint32_t index) -> std::span<const uint8_t> {
          const runtime::Plan::Tensor& tensor = plan.tensors[index];
          if (!tensor.on_host && tensor.constant == nullptr) return {};
          return {static_cast<const uint8_t*>(request.HostData(index)), tensor.bytes};
        };
        observer(event);
      },
      time_marks);
}

std::vector<int8_t> UnpackTensor(const BufferLayout& layout, const HardwareConfig& config,
                                 std::span<const uint8_t> packed) {
  assert(packed.size() >= layout.Bytes(config));
  std::vector<int8_t> values(uint64_t{layout.batch} * layout.channels * layout.height * layout.width);
  runtime::Unpack(layout, layout.Word(config), packed.data(), values.data());
  return values;
}

}  // namespace xrun::internal
