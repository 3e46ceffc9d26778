#include "tools/driver/infer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>

#include "runtime/io/preprocess_text.h"
#include "runtime/io/suggest.h"
#include "tools/common/format.h"
#include "tools/driver/classify.h"
#include "tools/driver/tensors.h"

namespace xrun::tools {
namespace {

io::ElementType ArrayType(api::DType type) {
  switch (type) {
    case api::DType::kFloat32:
      return io::ElementType::kFloat32;
    case api::DType::kInt8:
      return io::ElementType::kInt8;
    case api::DType::kInt32:
      return io::ElementType::kInt32;
    case api::DType::kInt64:
      return io::ElementType::kInt64;
    case api::DType::kBool:
      return io::ElementType::kBool;
  }
  return io::ElementType::kFloat32;
}

std::vector<std::string> NamesOf(const std::vector<api::TensorInfo>& tensors) {
  std::vector<std::string> names;
  for (const api::TensorInfo& t : tensors) names.push_back(t.name);
  return names;
}

/// "NAME=PATH" or "PATH". A '=' belongs to the path when what stands before it is no known name.
std::pair<std::string, std::string> SplitName(const std::string& text, const std::vector<std::string>& names) {
  for (size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    const std::string name = text.substr(0, at);
    if (std::find(names.begin(), names.end(), name) != names.end()) return {name, text.substr(at + 1)};
  }
  return {"", text};
}

Failure UnknownName(const std::string& what, const std::string& name, const std::vector<std::string>& names) {
  std::string hint = io::DidYouMean(name, names);
  if (hint.empty()) hint = what + "s are " + io::ListNames(names);
  return Failure{"no " + what + " '" + name + "' in this program", hint};
}

bool EndsWith(const std::string& path, std::string_view ending) { return path.ends_with(ending); }

/// A NamedInput or NamedOutput of `count` elements at `data` in the type given.
template <typename Named, typename Void>
Named MakeNamed(const std::string& name, api::DType type, Void* data, size_t count) {
  constexpr bool in = std::is_const_v<Void>;
  const auto span = [&]<typename T>(T) {
    using Element = std::conditional_t<in, const T, T>;
    return Named(name, std::span<Element>(static_cast<Element*>(data), count));
  };
  switch (type) {
    case api::DType::kInt8:
      return span(int8_t{});
    case api::DType::kInt32:
      return span(int32_t{});
    case api::DType::kInt64:
      return span(int64_t{});
    case api::DType::kBool:
      return span(bool{});
    case api::DType::kFloat32:
      break;
  }
  return span(float{});
}

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

}  // namespace

Status Try(const std::function<void()>& body) {
  try {
    body();
    return {};
  } catch (const api::Error& error) {
    return Failure{error.message(), error.hint()};
  }
}

Result<LoadedSession> OpenSession(const std::string& program, const std::string& device,
                                  const api::SessionOptions& options) {
  std::optional<LoadedSession> loaded;
  XRUN_RETURN_IF_ERROR(Try([&] {
    api::Program p = api::Program::load(program);
    api::Session session(api::Device::open(device), p, options);
    loaded.emplace(LoadedSession{std::move(p), std::move(session)});
  }));
  return std::move(*loaded);
}

std::vector<io::InputSpec> InputSpecsOf(const api::Session& session) {
  std::vector<io::InputSpec> specs;
  for (const api::TensorInfo& t : session.inputs()) specs.push_back({t.name, t.shape});
  return specs;
}

Result<io::Preprocess> PreprocessOf(const api::Program& program) {
  if (program.preprocessing().empty()) return io::Preprocess{};
  auto parsed = io::PreprocessFromJson(program.preprocessing());
  if (!parsed.ok()) return std::move(parsed).failure().In("the program's preprocessing");
  return parsed;
}

Result<Inputs> LoadInputs(const std::vector<std::string>& sources, const api::Session& session,
                          const io::Preprocess& preprocess) {
  for (const api::TensorInfo& t : session.inputs()) {
    if (t.dtype != api::DType::kFloat32 && t.dtype != api::DType::kInt8) {
      return Failure{"input '" + t.name + "' is " + std::string(api::name(t.dtype)) + ", not a quantity",
                     "--raw takes arrays of the inputs' own types"};
    }
  }
  XRUN_ASSIGN_OR_RETURN(const io::Dataset data,
                        io::Dataset::Open(sources, InputSpecsOf(session), {.preprocess = preprocess}));
  Inputs inputs;
  inputs.runs = data.runs();
  inputs.samples = data.samples();
  inputs.batch = data.batch();
  inputs.description = data.Describe();
  for (int64_t run = 0; run < inputs.runs; ++run) {
    XRUN_ASSIGN_OR_RETURN(const io::Feed feed, data.Get(run));
    for (const auto& [name, array] : feed.tensors) {
      std::vector<uint8_t>& bytes = inputs.bytes[name];
      bytes.insert(bytes.end(), array.bytes.begin(), array.bytes.end());
    }
  }
  return inputs;
}

Result<Inputs> LoadRawInputs(const std::vector<std::string>& sources, const api::Session& session) {
  const std::vector<std::string> names = NamesOf(session.inputs());
  io::NamedArrays arrays;
  for (const std::string& source : sources) {
    auto [name, path] = SplitName(source, names);
    if (EndsWith(path, ".npz")) {
      XRUN_ASSIGN_OR_RETURN(io::NamedArrays archive, io::LoadNpz(path));
      if (archive.size() == 1 && names.size() == 1) name = names[0];
      if (!name.empty() && archive.size() == 1) {
        arrays[name] = std::move(archive.begin()->second);
        continue;
      }
      for (auto& [key, array] : archive) {
        if (std::find(names.begin(), names.end(), key) == names.end()) {
          return UnknownName("input", key, names).In(path);
        }
        arrays[key] = std::move(array);
      }
      continue;
    }
    if (!EndsWith(path, ".npy")) return Failure{path + ": --raw takes .npy and .npz only", ""};
    if (name.empty() && names.size() != 1) {
      return Failure{path + ": which input is it for?", "write NAME=" + path + "; inputs are " + io::ListNames(names)};
    }
    XRUN_ASSIGN_OR_RETURN(arrays[name.empty() ? names[0] : name], io::LoadNpy(path));
  }
  Inputs inputs;
  for (const api::TensorInfo& t : session.inputs()) {
    const auto it = arrays.find(t.name);
    if (it == arrays.end()) return Failure{"input '" + t.name + "' is not given", "-i " + t.name + "=FILE.npy"};
    io::Array& array = it->second;
    if (array.type != ArrayType(t.dtype)) {
      return Failure{"input '" + t.name + "' is " + std::string(api::name(t.dtype)) + " with --raw, the array is " +
                         std::string(io::Name(array.type)),
                     "leave --raw out to give float values"};
    }
    const auto elements = static_cast<int64_t>(t.elements());
    const int64_t runs = elements == 0 ? 0 : array.size() / elements;
    if (runs == 0 || array.size() % elements != 0 || (inputs.runs != 0 && runs != inputs.runs)) {
      return Failure{"input '" + t.name + "': an array of " + io::ShapeText(array.shape) + " is no whole number of " +
                         t.shape_text() + (inputs.runs != 0 ? ", or not the same as for the input before" : ""),
                     ""};
    }
    inputs.runs = runs;
    inputs.bytes[t.name] = std::move(array.bytes);
  }
  const std::vector<int64_t>& shape = session.inputs()[0].shape;
  inputs.batch = shape.size() >= 2 ? shape[0] : 1;  // as io::Dataset has it
  inputs.samples = inputs.runs * inputs.batch;
  inputs.description = std::to_string(inputs.runs) + " raw sample" + (inputs.runs == 1 ? "" : "s");
  return inputs;
}

Result<io::NamedArrays> RunAll(api::Session& session, const Inputs& inputs, bool raw) {
  io::NamedArrays outputs;
  std::vector<api::NamedInput> named_inputs;
  std::vector<api::NamedOutput> named_outputs;
  for (const api::TensorInfo& t : session.inputs()) {
    const api::DType type = raw ? t.dtype : api::DType::kFloat32;
    const void* data = inputs.bytes.at(t.name).data();
    named_inputs.push_back(
        MakeNamed<api::NamedInput>(t.name, type, data, t.elements() * static_cast<size_t>(inputs.runs)));
  }
  for (const api::TensorInfo& t : session.outputs()) {
    const bool as_float = !raw && t.dtype == api::DType::kInt8;
    const api::DType type = as_float ? api::DType::kFloat32 : t.dtype;
    std::vector<int64_t> shape = t.shape;
    if (inputs.runs != 1) {
      if (!shape.empty() && shape[0] == inputs.batch) {
        shape[0] *= inputs.runs;
      } else {
        shape.insert(shape.begin(), inputs.runs);
      }
    }
    XRUN_ASSIGN_OR_RETURN(io::Array array, io::Array::Create(ArrayType(type), std::move(shape)));
    io::Array& stored = outputs[t.name] = std::move(array);
    void* data = stored.bytes.data();
    named_outputs.push_back(
        MakeNamed<api::NamedOutput>(t.name, type, data, t.elements() * static_cast<size_t>(inputs.runs)));
  }
  XRUN_RETURN_IF_ERROR(Try([&] { session.run(named_inputs, named_outputs); }));
  for (auto& [name, array] : outputs) {  // rows beyond the samples that were given
    if (array.shape.empty() || array.shape[0] != inputs.runs * inputs.batch || array.shape[0] == inputs.samples)
      continue;
    array.bytes.resize(array.bytes.size() / static_cast<size_t>(array.shape[0]) * static_cast<size_t>(inputs.samples));
    array.shape[0] = inputs.samples;
  }
  return outputs;
}

Status WriteOutputs(const std::vector<std::string>& targets, const io::NamedArrays& outputs) {
  std::vector<std::string> names;
  for (const auto& [name, array] : outputs) names.push_back(name);
  for (const std::string& target : targets) {
    const auto [name, path] = SplitName(target, names);
    if (EndsWith(path, ".npz")) {
      XRUN_RETURN_IF_ERROR(io::SaveNpz(path, name.empty() ? outputs : io::NamedArrays{{name, outputs.at(name)}}));
      continue;
    }
    if (!EndsWith(path, ".npy")) {
      return Failure{path + ": outputs are written as .npy or .npz", "outputs are " + io::ListNames(names)};
    }
    if (name.empty() && names.size() != 1) {
      return Failure{path + ": which of the outputs?",
                     "write NAME=" + path + ", or a .npz for all; outputs are " + io::ListNames(names)};
    }
    XRUN_RETURN_IF_ERROR(io::SaveNpy(path, name.empty() ? outputs.begin()->second : outputs.at(name)));
  }
  return {};
}

Status CompareOutputs(const std::string& reference, const io::NamedArrays& expected, const io::NamedArrays& outputs,
                      double atol) {
  std::vector<std::string> names;
  for (const auto& [name, array] : outputs) names.push_back(name);
  for (const auto& [name, want] : expected) {
    const auto it = outputs.find(name);
    if (it == outputs.end()) return UnknownName("output", name, names).In(reference);
    XRUN_RETURN_IF_ERROR(CompareArray("output '" + name + "'", it->second, reference, want, atol));
  }
  return {};
}

std::string OutputsText(const io::NamedArrays& outputs, const api::Session& session) {
  constexpr int64_t kRows = 4;        // shown of each output
  constexpr int64_t kSmall = 100000;  // elements of a row up to which the largest are worth naming
  std::string text;
  for (const api::TensorInfo& t : session.outputs()) {
    const io::Array& array = outputs.at(t.name);
    std::vector<float> values(static_cast<size_t>(array.size()));
    io::CopyAsFloat32(array, 0, array.size(), values.data());
    text += t.name + " " + io::ShapeText(array.shape) + " " + std::string(io::Name(array.type));
    if (!values.empty()) {
      const auto [lo, hi] = std::minmax_element(values.begin(), values.end());
      text += ", " + Number(*lo) + " … " + Number(*hi);
    }
    text += "\n";
    const int64_t classes = t.shape.empty() ? 1 : t.shape.back();
    if (classes < 2 || classes > kSmall || static_cast<int64_t>(t.elements()) > kSmall) continue;
    const int64_t rows = array.size() / classes;
    for (int64_t row = 0; row < std::min(rows, kRows); ++row) {
      const std::span<const float> scores(values.data() + row * classes, static_cast<size_t>(classes));
      text += "  top 5" + (rows > 1 ? " of row " + std::to_string(row) : "") + ":";
      for (int64_t i : TopK(scores, 5)) {
        text += "  " + std::to_string(i) + " (" + Number(scores[static_cast<size_t>(i)]) + ")";
      }
      text += "\n";
    }
    if (rows > kRows) text += "  ... " + std::to_string(rows - kRows) + " more rows\n";
  }
  return text;
}

}  // namespace xrun::tools
