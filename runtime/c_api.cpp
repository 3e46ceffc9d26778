#include "runtime/c_api.h"

#include <span>
#include <vector>

using xrun::api::DType;
using xrun::api::TensorInfo;
using xrun::c_api::Guard;

namespace xrun::c_api {

xrun_status CodeOf(api::ErrorCode code) {
  switch (code) {
    case api::ErrorCode::kInvalid:
      return XRUN_INVALID;
    case api::ErrorCode::kTimeout:
      return XRUN_TIMEOUT;
    case api::ErrorCode::kCancelled:
      return XRUN_CANCELLED;
    case api::ErrorCode::kDevice:
      return XRUN_DEVICE;
  }
  return XRUN_INTERNAL;
}

xrun_status Fail(xrun_error** error, xrun_status code, const char* message, const char* hint) noexcept {
  if (error == nullptr) return code;
  try {
    *error = new xrun_error{code, message, hint, false};
  } catch (...) {
    static xrun_error out_of_memory{XRUN_INTERNAL, "out of memory", "", true};
    *error = &out_of_memory;
    return XRUN_INTERNAL;
  }
  return code;
}

xrun_status FailNull(xrun_error** error, const char* argument) noexcept {
  return Guard(error, [&] {
    throw api::Error(api::ErrorCode::kInvalid, std::string("argument '") + argument + "' is NULL", "");
  });
}

namespace {

const xrun_tensor* AsTensor(const std::vector<TensorInfo>& infos, size_t index) {
  return index < infos.size() ? reinterpret_cast<const xrun_tensor*>(&infos[index]) : nullptr;
}

const TensorInfo& InfoOf(const xrun_tensor* tensor) { return *reinterpret_cast<const TensorInfo*>(tensor); }

static_assert(XRUN_FLOAT32 == static_cast<int>(DType::kFloat32) && XRUN_INT8 == static_cast<int>(DType::kInt8) &&
              XRUN_INT32 == static_cast<int>(DType::kInt32) && XRUN_INT64 == static_cast<int>(DType::kInt64) &&
              XRUN_BOOL == static_cast<int>(DType::kBool));
static_assert(XRUN_LAYOUT_MODEL == static_cast<int>(api::Layout::kModel) &&
              XRUN_LAYOUT_DEVICE == static_cast<int>(api::Layout::kDevice));
static_assert(XRUN_PRIORITY_LOW == static_cast<int>(api::Priority::kLow) &&
              XRUN_PRIORITY_HIGH == static_cast<int>(api::Priority::kHigh));

DType DTypeOf(xrun_dtype dtype, const char* name) {
  if (xrun_dtype_size(dtype) != 0) return static_cast<DType>(dtype);
  throw api::Error(api::ErrorCode::kInvalid,
                   "array '" + std::string(name) + "' has the unknown type " + std::to_string(static_cast<int>(dtype)),
                   "XRUN_FLOAT32, XRUN_INT8, XRUN_INT32, XRUN_INT64 or XRUN_BOOL");
}

/// The caller's arrays as the C++ API has them, in memory that is used again: no allocation once warm.
template <typename Named>
std::span<const Named> Arguments(const xrun_array* arrays, size_t count, std::vector<Named>& memory) {
  memory.clear();
  if (count != 0) XRUN_NOT_NULL(arrays);
  for (size_t i = 0; i < count; ++i) {
    const xrun_array& array = arrays[i];
    XRUN_NOT_NULL(array.name);
    if (array.elements != 0) XRUN_NOT_NULL(array.data);
    memory.emplace_back(array.name, array.data, array.elements, DTypeOf(array.dtype, array.name));
  }
  return memory;
}

api::SessionOptions OptionsOf(const xrun_session_options* from) {
  api::SessionOptions options;
  if (from == nullptr) return options;
  // Version 1 of the structure is the only one yet; a larger one sets what this library cannot do.
  if (from->size != sizeof(xrun_session_options)) {
    throw api::Error(api::ErrorCode::kInvalid,
                     "xrun_session_options of " + std::to_string(from->size) + " bytes, this library has " +
                         std::to_string(sizeof(xrun_session_options)),
                     "start from XRUN_SESSION_OPTIONS_INIT; a newer header needs a newer library");
  }
  options.in_flight = from->in_flight;
  options.launches = from->launches;
  options.requests_per_launch = from->requests_per_launch;
  options.cpu_threads = from->cpu_threads;
  if (from->timeout_ns > static_cast<uint64_t>(INT64_MAX)) {
    throw api::Error(api::ErrorCode::kInvalid, "timeout_ns is more than 292 years", "0 is no timeout");
  }
  options.timeout = std::chrono::nanoseconds(static_cast<int64_t>(from->timeout_ns));
  if (from->priority < XRUN_PRIORITY_LOW || from->priority > XRUN_PRIORITY_HIGH) {
    throw api::Error(api::ErrorCode::kInvalid, "unknown priority " + std::to_string(from->priority),
                     "XRUN_PRIORITY_LOW, NORMAL or HIGH");
  }
  options.priority = static_cast<api::Priority>(from->priority);
  return options;
}

api::DeviceLayout DeviceLayoutOf(const xrun_session* session, const char* name) {
  auto layout = XRUN_NOT_NULL(session)->session.device_layout(XRUN_NOT_NULL(name));
  if (layout) return *std::move(layout);
  throw api::Error(api::ErrorCode::kInvalid, "tensor '" + std::string(name) + "' has no device layout",
                   "xrun_session_device_bytes says 0 of such a tensor");
}

}  // namespace
}  // namespace xrun::c_api

using xrun::c_api::Arguments;
using xrun::c_api::AsTensor;
using xrun::c_api::InfoOf;

uint32_t xrun_api_version(void) { return XRUN_C_API_VERSION; }
const char* xrun_version(void) { return XRUN_VERSION; }

xrun_status xrun_error_code(const xrun_error* error) { return error == nullptr ? XRUN_OK : error->code; }
const char* xrun_error_message(const xrun_error* error) { return error == nullptr ? "" : error->message.c_str(); }
const char* xrun_error_hint(const xrun_error* error) { return error == nullptr ? "" : error->hint.c_str(); }
void xrun_error_free(xrun_error* error) {
  if (error != nullptr && !error->is_static) delete error;
}

// Devices -------------------------------------------------------------------------------------------------------------

xrun_status xrun_device_open(const char* name, xrun_device** device, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(device);
    auto opened = xrun::api::Device::open(XRUN_NOT_NULL(name));
    std::string description = opened.description();
    *device = new xrun_device{std::move(opened), std::move(description)};
  });
}
void xrun_device_close(xrun_device* device) { delete device; }
const char* xrun_device_name(const xrun_device* device) { return device->device.name().c_str(); }
const char* xrun_device_description(const xrun_device* device) { return device->description.c_str(); }

// Tensors -------------------------------------------------------------------------------------------------------------

const char* xrun_tensor_name(const xrun_tensor* tensor) { return InfoOf(tensor).name.c_str(); }
xrun_dtype xrun_tensor_dtype(const xrun_tensor* tensor) { return static_cast<xrun_dtype>(InfoOf(tensor).dtype); }
xrun_layout xrun_tensor_layout(const xrun_tensor* tensor) { return static_cast<xrun_layout>(InfoOf(tensor).layout); }
size_t xrun_tensor_rank(const xrun_tensor* tensor) { return InfoOf(tensor).shape.size(); }
const int64_t* xrun_tensor_shape(const xrun_tensor* tensor) { return InfoOf(tensor).shape.data(); }
float xrun_tensor_scale(const xrun_tensor* tensor) { return InfoOf(tensor).scale; }
int32_t xrun_tensor_zero_point(const xrun_tensor* tensor) { return InfoOf(tensor).zero_point; }
size_t xrun_tensor_elements(const xrun_tensor* tensor) { return InfoOf(tensor).elements(); }
size_t xrun_tensor_bytes(const xrun_tensor* tensor) { return InfoOf(tensor).bytes(); }
size_t xrun_dtype_size(xrun_dtype dtype) {
  if (static_cast<uint32_t>(dtype) > static_cast<uint32_t>(XRUN_BOOL)) return 0;
  return xrun::api::size_of(static_cast<DType>(dtype));
}

xrun_status xrun_tensor_quantize(const xrun_tensor* tensor, const float* real, int8_t* q, size_t elements,
                                 xrun_error** error) {
  return Guard(error, [&] {
    InfoOf(XRUN_NOT_NULL(tensor)).quantize({XRUN_NOT_NULL(real), elements}, {XRUN_NOT_NULL(q), elements});
  });
}
xrun_status xrun_tensor_dequantize(const xrun_tensor* tensor, const int8_t* q, float* real, size_t elements,
                                   xrun_error** error) {
  return Guard(error, [&] {
    InfoOf(XRUN_NOT_NULL(tensor)).dequantize({XRUN_NOT_NULL(q), elements}, {XRUN_NOT_NULL(real), elements});
  });
}

// Programs ------------------------------------------------------------------------------------------------------------

xrun_status xrun_program_load(const char* path, xrun_program** program, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(program);
    *program = new xrun_program{xrun::api::Program::load(XRUN_NOT_NULL(path))};
  });
}
xrun_status xrun_program_from_memory(const void* data, size_t bytes, xrun_program** program, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(program);
    *program =
        new xrun_program{xrun::api::Program::from_memory({static_cast<const uint8_t*>(XRUN_NOT_NULL(data)), bytes})};
  });
}
void xrun_program_free(xrun_program* program) { delete program; }
const char* xrun_program_model_name(const xrun_program* program) { return program->program.model_name().c_str(); }
const char* xrun_program_configuration(const xrun_program* program) { return program->program.configuration().c_str(); }
const char* xrun_program_preprocessing(const xrun_program* program) { return program->program.preprocessing().c_str(); }
const char* xrun_program_info(const xrun_program* program, const char* key) {
  const auto& info = program->program.info();
  const auto found = key == nullptr ? info.end() : info.find(key);
  return found == info.end() ? nullptr : found->second.c_str();
}
size_t xrun_program_input_count(const xrun_program* program) { return program->program.inputs().size(); }
size_t xrun_program_output_count(const xrun_program* program) { return program->program.outputs().size(); }
const xrun_tensor* xrun_program_input(const xrun_program* program, size_t index) {
  return AsTensor(program->program.inputs(), index);
}
const xrun_tensor* xrun_program_output(const xrun_program* program, size_t index) {
  return AsTensor(program->program.outputs(), index);
}

// Sessions ------------------------------------------------------------------------------------------------------------

xrun_status xrun_session_create(const xrun_device* device, const xrun_program* program,
                                const xrun_session_options* options, xrun_session** session, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(session);
    *session = new xrun_session{xrun::api::Session(XRUN_NOT_NULL(device)->device, XRUN_NOT_NULL(program)->program,
                                                   xrun::c_api::OptionsOf(options))};
  });
}
void xrun_session_destroy(xrun_session* session) { delete session; }
size_t xrun_session_input_count(const xrun_session* session) { return session->session.inputs().size(); }
size_t xrun_session_output_count(const xrun_session* session) { return session->session.outputs().size(); }
const xrun_tensor* xrun_session_input(const xrun_session* session, size_t index) {
  return AsTensor(session->session.inputs(), index);
}
const xrun_tensor* xrun_session_output(const xrun_session* session, size_t index) {
  return AsTensor(session->session.outputs(), index);
}

xrun_status xrun_session_run(xrun_session* session, const xrun_array* inputs, size_t input_count,
                             const xrun_array* outputs, size_t output_count, xrun_error** error) {
  return Guard(error, [&] {
    thread_local std::vector<xrun::api::NamedInput> in;
    thread_local std::vector<xrun::api::NamedOutput> out;
    const auto named_inputs = Arguments(inputs, input_count, in);
    const auto named_outputs = Arguments(outputs, output_count, out);
    XRUN_NOT_NULL(session)->session.run(named_inputs, named_outputs);
  });
}

xrun_status xrun_session_preprocess(const xrun_session* session, const char* path, const char* name, float* values,
                                    size_t elements, xrun_error** error) {
  return Guard(error, [&] {
    XRUN_NOT_NULL(values);
    const std::vector<float> made =
        XRUN_NOT_NULL(session)->session.preprocess(XRUN_NOT_NULL(path), name == nullptr ? "" : name);
    if (made.size() != elements) {
      throw xrun::api::Error(
          xrun::api::ErrorCode::kInvalid,
          "preprocess makes " + std::to_string(made.size()) + " values, there is room for " + std::to_string(elements),
          "xrun_tensor_elements of the input");
    }
    std::copy(made.begin(), made.end(), values);
  });
}

size_t xrun_session_device_bytes(const xrun_session* session, const char* name) {
  size_t bytes = 0;
  Guard(nullptr, [&] { bytes = xrun::c_api::DeviceLayoutOf(session, name).bytes(); });
  return bytes;
}
xrun_status xrun_session_pack(const xrun_session* session, const char* name, const int8_t* model, void* device,
                              xrun_error** error) {
  return Guard(error, [&] {
    const auto layout = xrun::c_api::DeviceLayoutOf(session, name);
    layout.pack({XRUN_NOT_NULL(model), layout.elements()},
                {static_cast<uint8_t*>(XRUN_NOT_NULL(device)), layout.bytes()});
  });
}
xrun_status xrun_session_unpack(const xrun_session* session, const char* name, const void* device, int8_t* model,
                                xrun_error** error) {
  return Guard(error, [&] {
    const auto layout = xrun::c_api::DeviceLayoutOf(session, name);
    layout.unpack({static_cast<const uint8_t*>(XRUN_NOT_NULL(device)), layout.bytes()},
                  {XRUN_NOT_NULL(model), layout.elements()});
  });
}
