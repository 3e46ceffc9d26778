// The extension module xrun._xrun: libxrun's classes with numpy arrays in place of spans. What makes them pleasant,
// dictionaries and jobs, is Python (xrun/session.py).

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <xrun/xrun.h>

#include <memory>
#include <optional>
#include <vector>

namespace py = pybind11;
using namespace pybind11::literals;

namespace {

py::dtype NumpyType(xrun::DType dtype) {
  switch (dtype) {
    case xrun::DType::kFloat32:
      return py::dtype::of<float>();
    case xrun::DType::kInt8:
      return py::dtype::of<int8_t>();
    case xrun::DType::kInt32:
      return py::dtype::of<int32_t>();
    case xrun::DType::kInt64:
      return py::dtype::of<int64_t>();
    case xrun::DType::kBool:
      return py::dtype::of<bool>();
  }
  throw std::logic_error("unknown element type");
}

xrun::DType TypeOf(const std::string& name, const py::array& array) {
  for (const auto dtype :
       {xrun::DType::kFloat32, xrun::DType::kInt8, xrun::DType::kInt32, xrun::DType::kInt64, xrun::DType::kBool}) {
    if (array.dtype().is(NumpyType(dtype))) return dtype;
  }
  throw xrun::Error(
      xrun::ErrorCode::kInvalid,
      "array '" + name + "' is " + py::str(array.dtype()).cast<std::string>() + ": no type of a tensor",
      "float32, int8, int32, int64 or bool, in this machine's byte order; x.astype(numpy.float32) converts");
}

const char* CodeName(xrun::ErrorCode code) {
  switch (code) {
    case xrun::ErrorCode::kInvalid:
      return "invalid";
    case xrun::ErrorCode::kTimeout:
      return "timeout";
    case xrun::ErrorCode::kCancelled:
      return "cancelled";
    case xrun::ErrorCode::kDevice:
      return "device";
  }
  return "device";
}

/// The arrays of a run, kept as they are while the interpreter lock is released.
template <typename Named>
struct Arguments {
  std::vector<std::string> names;
  std::vector<py::array> arrays;
  std::vector<Named> named;

  explicit Arguments(const py::dict& from, bool writeable) {
    names.reserve(from.size());
    for (const auto& [key, value] : from) {
      names.push_back(std::string(py::str(key)));
      if (!py::isinstance<py::array>(value)) throw py::type_error("'" + names.back() + "' is no numpy array");
      auto array = py::reinterpret_borrow<py::array>(value);
      const auto dtype = TypeOf(names.back(), array);
      if ((array.flags() & py::array::c_style) == 0 || (writeable && !array.writeable())) {
        throw xrun::Error(xrun::ErrorCode::kInvalid,
                          "array '" + names.back() + "' is not contiguous" + (writeable ? " and writeable" : ""),
                          "numpy.ascontiguousarray");
      }
      const auto size = static_cast<size_t>(array.size());
      named.emplace_back(names.back(), const_cast<void*>(array.data()), size, dtype);
      arrays.push_back(std::move(array));
    }
  }
};
using Inputs = Arguments<xrun::NamedInput>;
using Outputs = Arguments<xrun::NamedOutput>;

/// An array that is `data`, not a copy of it; `owner` lives as long as the array.
py::array View(const xrun::TensorInfo& info, void* data, const py::object& owner) {
  return py::array(NumpyType(info.dtype), info.shape, data, owner);
}

/// Destroying requests and sessions waits for what is under way: others may run meanwhile.
template <typename T>
struct Unlocked {
  void operator()(T* object) const {
    const py::gil_scoped_release release;
    delete object;
  }
};
template <typename T>
using UnlockedPointer = std::unique_ptr<T, Unlocked<T>>;

xrun::Layout LayoutOf(bool device_layout) { return device_layout ? xrun::Layout::kDevice : xrun::Layout::kModel; }

void BindErrors(py::module_& module) {
  // Written in Python (xrun/error.py), where it has its attributes.
  static py::object error_class;
  error_class = py::module_::import("xrun.error").attr("Error");
  module.attr("Error") = error_class;
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const xrun::Error& error) {
      const py::object instance = error_class(CodeName(error.code()), error.message(), error.hint());
      PyErr_SetObject(error_class.ptr(), instance.ptr());
    }
  });
  // Dropped before the interpreter goes.
  py::module_::import("atexit").attr("register")(py::cpp_function([] { error_class.release().dec_ref(); }));
}

void BindDevice(py::module_& module) {
  py::class_<xrun::Device>(module, "Device", "Where programs run; copies share it.")
      .def(py::init([](const std::string& name) { return xrun::Device::open(name); }), "name"_a)
      .def_property_readonly("name", &xrun::Device::name)
      .def_property_readonly("description", &xrun::Device::description);

  py::class_<xrun::Buffer>(module, "Buffer", "Memory that host and device both reach.")
      .def_static(
          "allocate",
          [](const xrun::Device& device, size_t bytes, bool cacheable) {
            return xrun::Buffer::allocate(device, bytes, {.cacheable = cacheable});
          },
          "device"_a, "bytes"_a, "cacheable"_a = true)
      .def_static("import_dma_buf", &xrun::Buffer::import_dma_buf, "device"_a, "fd"_a, "bytes"_a)
      .def("export_dma_buf", &xrun::Buffer::export_dma_buf)
      .def("__len__", &xrun::Buffer::size)
      .def(
          "array",
          [](const py::object& self) {
            const auto& buffer = self.cast<const xrun::Buffer&>();
            return py::array(py::dtype::of<uint8_t>(), {buffer.size()}, buffer.data(), self);
          },
          "All of it as a numpy array of uint8, not a copy.")
      .def(
          "sync_to_device", [](const xrun::Buffer& buffer) { buffer.sync_to_device(); },
          py::call_guard<py::gil_scoped_release>())
      .def(
          "sync_from_device", [](const xrun::Buffer& buffer) { buffer.sync_from_device(); },
          py::call_guard<py::gil_scoped_release>());
}

void BindProgram(py::module_& module) {
  py::class_<xrun::TensorInfo>(module, "TensorInfo", "An input or output of a program.")
      .def_readonly("name", &xrun::TensorInfo::name)
      .def_property_readonly("shape", [](const xrun::TensorInfo& info) { return py::tuple(py::cast(info.shape)); })
      .def_property_readonly("dtype", [](const xrun::TensorInfo& info) { return NumpyType(info.dtype); })
      .def_property_readonly("scale",
                             [](const xrun::TensorInfo& info) {
                               return info.dtype == xrun::DType::kInt8 ? std::optional(info.scale) : std::nullopt;
                             })
      .def_property_readonly("zero_point",
                             [](const xrun::TensorInfo& info) {
                               return info.dtype == xrun::DType::kInt8 ? std::optional(info.zero_point) : std::nullopt;
                             })
      .def(
          "quantize",
          [](const xrun::TensorInfo& info, const py::array_t<float, py::array::c_style | py::array::forcecast>& real) {
            py::array_t<int8_t> q(std::vector<py::ssize_t>(real.shape(), real.shape() + real.ndim()));
            const auto size = static_cast<size_t>(real.size());
            info.quantize({real.data(), size}, {q.mutable_data(), size});
            return q;
          },
          "real"_a)
      .def(
          "dequantize",
          [](const xrun::TensorInfo& info, const py::array_t<int8_t, py::array::c_style>& q) {
            py::array_t<float> real(std::vector<py::ssize_t>(q.shape(), q.shape() + q.ndim()));
            const auto size = static_cast<size_t>(q.size());
            info.dequantize({q.data(), size}, {real.mutable_data(), size});
            return real;
          },
          "q"_a)
      .def("__repr__", [](const xrun::TensorInfo& info) {
        return "<xrun.TensorInfo " + info.name + " " + std::string(xrun::api::name(info.dtype)) + " " +
               info.shape_text() + ">";
      });

  py::class_<xrun::Program>(module, "Program", "A compiled model, verified.")
      .def(py::init([](const std::string& path) {
             const py::gil_scoped_release release;
             return xrun::Program::load(path);
           }),
           "path"_a)
      .def_static(
          "from_bytes",
          [](const py::bytes& bytes) {
            const std::string_view view = bytes;
            return xrun::Program::from_memory({reinterpret_cast<const uint8_t*>(view.data()), view.size()});
          },
          "data"_a)
      .def_property_readonly("model_name", &xrun::Program::model_name)
      .def_property_readonly("configuration", &xrun::Program::configuration)
      .def_property_readonly("configuration_json", &xrun::Program::configuration_json)
      .def_property_readonly("preprocessing", &xrun::Program::preprocessing)
      .def_property_readonly("info", &xrun::Program::info)
      .def_property_readonly("inputs", &xrun::Program::inputs)
      .def_property_readonly("outputs", &xrun::Program::outputs);
}

void BindProfile(py::module_& module) {
  using Layer = xrun::Profile::Layer;
  py::class_<Layer>(module, "ProfileLayer")
      .def_readonly("node", &Layer::node)
      .def_readonly("op", &Layer::op)
      .def_readonly("place", &Layer::place)
      .def_property_readonly("source", [](const Layer& layer) { return layer.measured ? "measured" : "modelled"; })
      .def_readonly("step", &Layer::step)
      .def_readonly("start_us", &Layer::start_us)
      .def_readonly("microseconds", &Layer::microseconds)
      .def_readonly("cycles", &Layer::cycles)
      .def_readonly("macs", &Layer::macs)
      .def_readonly("utilisation", &Layer::utilisation);
  py::class_<xrun::Profile>(module, "Profile", "Where the time of one run went.")
      .def_readonly("device", &xrun::Profile::device)
      .def_readonly("microseconds", &xrun::Profile::microseconds)
      .def_readonly("assumptions", &xrun::Profile::assumptions)
      .def_readonly("layers", &xrun::Profile::layers)
      .def("to_csv", &xrun::Profile::to_csv);
}

void BindRequest(py::module_& module) {
  using xrun::Request;
  py::class_<Request, UnlockedPointer<Request>>(module, "Request", "One execution with memory of its own.")
      .def(
          "input",
          [](const py::object& self, const std::string& name) {
            const auto memory = self.cast<const Request&>().input(name);
            return View(memory.info(), memory.data(), self);
          },
          "name"_a, "The memory of an input as a numpy array, not a copy.")
      .def(
          "output",
          [](const py::object& self, const std::string& name) {
            const auto memory = self.cast<const Request&>().output(name);
            return View(memory.info(), memory.data(), self);
          },
          "name"_a, "The memory of an output as a numpy array, not a copy.")
      .def(
          "bind_input",
          [](Request& request, const std::string& name, const xrun::Buffer& buffer, size_t offset, bool device_layout) {
            request.bind_input(name, buffer, offset, LayoutOf(device_layout));
          },
          "name"_a, "buffer"_a, "offset"_a = 0, "device_layout"_a = false)
      .def(
          "bind_output",
          [](Request& request, const std::string& name, const xrun::Buffer& buffer, size_t offset, bool device_layout) {
            request.bind_output(name, buffer, offset, LayoutOf(device_layout));
          },
          "name"_a, "buffer"_a, "offset"_a = 0, "device_layout"_a = false)
      .def("unbind", &Request::unbind)
      .def("set_priority", &Request::set_priority, "priority"_a)
      .def(
          "submit", [](Request& request) { request.submit(); }, py::call_guard<py::gil_scoped_release>())
      .def("wait", &Request::wait, py::call_guard<py::gil_scoped_release>())
      .def(
          "wait_for",
          [](Request& request, double seconds) {
            return request.wait_for(std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9)));
          },
          "seconds"_a, py::call_guard<py::gil_scoped_release>())
      .def("cancel", &Request::cancel, py::call_guard<py::gil_scoped_release>());
}

void BindSession(py::module_& module) {
  using xrun::Session;
  py::enum_<xrun::Priority>(module, "Priority")
      .value("LOW", xrun::Priority::kLow)
      .value("NORMAL", xrun::Priority::kNormal)
      .value("HIGH", xrun::Priority::kHigh);
  py::class_<Session, UnlockedPointer<Session>>(module, "NativeSession", "xrun.Session without its comforts.")
      .def(py::init([](const xrun::Device& device, const xrun::Program& program, unsigned in_flight, double timeout,
                       unsigned launches, unsigned requests_per_launch, unsigned cpu_threads, xrun::Priority priority) {
             xrun::SessionOptions options;
             options.in_flight = in_flight;
             options.timeout = std::chrono::nanoseconds(static_cast<int64_t>(timeout * 1e9));
             options.launches = launches;
             options.requests_per_launch = requests_per_launch;
             options.cpu_threads = cpu_threads;
             options.priority = priority;
             const py::gil_scoped_release release;
             return UnlockedPointer<Session>(new Session(device, program, options));
           }),
           "device"_a, "program"_a, "in_flight"_a, "timeout"_a, "launches"_a, "requests_per_launch"_a, "cpu_threads"_a,
           "priority"_a)
      .def(
          "run",
          [](Session& session, const py::dict& inputs, const py::dict& outputs) {
            const Inputs in(inputs, false);
            const Outputs out(outputs, true);
            const py::gil_scoped_release release;
            session.run(in.named, out.named);
          },
          "inputs"_a, "outputs"_a)
      .def(
          "profile",
          [](const Session& session, const py::dict& inputs) {
            const Inputs in(inputs, false);
            const py::gil_scoped_release release;
            return session.profile(in.named);
          },
          "inputs"_a)
      .def(
          "preprocess",
          [](const Session& session, const std::string& path, const std::string& name) {
            std::vector<float> values;
            {
              const py::gil_scoped_release release;
              values = session.preprocess(path, name);
            }
            return py::array_t<float>(static_cast<py::ssize_t>(values.size()), values.data());
          },
          "path"_a, "name"_a)
      .def(
          "device_bytes",
          [](const Session& session, const std::string& name) {
            const auto layout = session.device_layout(name);
            return layout ? layout->bytes() : 0;
          },
          "name"_a)
      .def("request",
           [](Session& session) { return UnlockedPointer<xrun::Request>(new xrun::Request(session.request())); });
}

}  // namespace

PYBIND11_MODULE(_xrun, module) {
  module.doc() = "libxrun for Python; import xrun instead";
  module.attr("__version__") = XRUN_VERSION;
  BindErrors(module);
  BindDevice(module);
  BindProgram(module);
  BindProfile(module);
  BindRequest(module);
  BindSession(module);
}
