#include "tools/driver/tensors.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "isa/atomic_file.h"
#include "runtime/io/file.h"
#include "runtime/io/suggest.h"
#include "tools/common/tool.h"
#include "tools/driver/folder.h"

namespace xrun::tools {
namespace {

constexpr int64_t kNoNode = -1;

io::ElementType ArrayType(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return io::ElementType::kFloat32;
    case ElementType::kInt8:
      return io::ElementType::kInt8;
    case ElementType::kInt32:
      return io::ElementType::kInt32;
    case ElementType::kInt64:
      return io::ElementType::kInt64;
    case ElementType::kBool:
      return io::ElementType::kBool;
  }
  return io::ElementType::kFloat32;
}

/// Sizes come from a program in memory: they have been allocated before.
io::Array MakeArray(io::ElementType type, const std::vector<int64_t>& shape, const void* data, size_t bytes) {
  auto array = io::Array::Create(type, shape);
  assert(array.ok() && array->bytes.size() == bytes);
  if (bytes != 0) std::memcpy(array->bytes.data(), data, bytes);
  return std::move(array).value();
}

/// "0007_block1_conv_Conv": the place in execution and the name with what file systems dislike replaced.
std::string FileStem(size_t index, const std::string& name) {
  constexpr size_t kLongest = 100;
  char number[24];
  std::snprintf(number, sizeof(number), "%04zu_", index);
  std::string stem = name.substr(0, kLongest);
  std::replace_if(
      stem.begin(), stem.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-' && c != '_'; }, '_');
  return number + stem;
}

Result<io::NamedArrays> LoadDump(const std::string& folder) {
  const std::filesystem::path base(folder);
  const std::string index = (base / "index.json").string();
  XRUN_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, io::ReadFile(index));
  const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  const Failure wrong{index + ": not the index of a tensor dump", "xinfer --dump-tensors writes one"};
  if (!json.is_object() || !json.contains("tensors") || !json["tensors"].is_array()) return wrong;
  io::NamedArrays arrays;
  for (const auto& tensor : json["tensors"]) {
    if (!tensor.is_object() || !tensor.contains("name") || !tensor["name"].is_string()) return wrong;
    const auto file = tensor.contains("int8_file") ? tensor["int8_file"] : tensor.value("file", nlohmann::json());
    if (!file.is_string()) return wrong;
    XRUN_ASSIGN_OR_RETURN(arrays[tensor["name"].get<std::string>()],
                          io::LoadNpy((base / file.get<std::string>()).string()));
  }
  return arrays;
}

double ValueAt(const io::Array& array, int64_t i) {
  switch (array.type) {
    case io::ElementType::kFloat64:
      return array.data<double>()[i];
    case io::ElementType::kInt64:
      return static_cast<double>(array.data<int64_t>()[i]);
    case io::ElementType::kInt32:
      return array.data<int32_t>()[i];
    default: {
      float value = 0;
      io::CopyAsFloat32(array, i, 1, &value);
      return value;
    }
  }
}

std::string IndexText(const std::vector<int64_t>& shape, int64_t flat) {
  std::string text;
  for (size_t axis = shape.size(); axis-- > 0;) {
    text = std::to_string(flat % shape[axis]) + (text.empty() ? "" : ",") + text;
    flat /= shape[axis];
  }
  return "[" + text + "]";
}

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

}  // namespace

io::Array CapturedTensor::Real() const {
  if (!quantized()) return raw;
  std::vector<float> values(static_cast<size_t>(raw.size()));
  const int8_t* q = raw.data<int8_t>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = scale * static_cast<float>(q[i] - zero_point);
  return MakeArray(io::ElementType::kFloat32, raw.shape, values.data(), values.size() * sizeof(float));
}

TensorTap::TensorTap(api::Session& session, std::shared_ptr<const Program> program)
    : session_(session), program_(std::move(program)) {
  internal::SetStepObserver(session_, [this](const internal::StepEvent& event) { Collect(event); });
}

TensorTap::~TensorTap() { internal::SetStepObserver(session_, nullptr); }

std::vector<CapturedTensor> TensorTap::Take() {
  seen_.clear();
  return std::exchange(tensors_, {});
}

void TensorTap::Collect(const internal::StepEvent& event) {
  if (event.step == 0) {
    for (const uint32_t input : program_->inputs) CollectTensor(event, input, "input", kNoNode);
  }
  const Step& step = program_->steps[event.step];
  if (step.kind == Step::Kind::kCpu) {
    const CpuStep& cpu = program_->cpu_steps[step.index];
    for (const int32_t t : cpu.outputs) {
      if (t >= 0) CollectTensor(event, static_cast<uint32_t>(t), "cpu", cpu.node);
    }
    return;
  }
  const OverlayStep& overlay = program_->overlay_steps[step.index];
  for (const OverlayStep::Watch& w : overlay.watches) {
    if (event.workspace.empty()) break;  // the device could not be read: nothing is better than something wrong
    const std::vector<int8_t> values =
        internal::UnpackTensor(w.layout, program_->config, event.workspace.subspan(w.workspace_offset));
    Add({w.name, "", "", "overlay", MakeArray(io::ElementType::kInt8, w.shape, values.data(), values.size()), w.scale,
         w.zero_point},
        w.node);
  }
  for (const Binding& output : overlay.outputs) CollectTensor(event, output.tensor, "overlay", kNoNode);
}

void TensorTap::CollectTensor(const internal::StepEvent& event, uint32_t index, const std::string& place,
                              int64_t node) {
  const std::span<const uint8_t> bytes = event.tensor(index);
  const TensorDesc& desc = program_->tensors[index];
  if (bytes.empty()) return;
  Add({desc.name, "", "", place, MakeArray(ArrayType(desc.type), desc.shape, bytes.data(), bytes.size()), desc.scale,
       desc.zero_point},
      node);
}

void TensorTap::Add(CapturedTensor tensor, int64_t node) {
  if (!seen_.insert(tensor.name).second) return;
  if (node != kNoNode) {
    tensor.node = program_->nodes[static_cast<size_t>(node)].name;
    tensor.op = program_->nodes[static_cast<size_t>(node)].op;
  }
  tensors_.push_back(std::move(tensor));
}

bool ShowsInsides(const Program& program) {
  return std::all_of(program.overlay_steps.begin(), program.overlay_steps.end(),
                     [](const OverlayStep& step) { return !step.watches.empty(); });
}

Status DumpTensors(const std::string& folder, const std::vector<CapturedTensor>& tensors, const Program& program) {
  XRUN_RETURN_IF_ERROR(MakeFolder(folder));
  const std::filesystem::path base(folder);
  std::error_code absent;
  std::filesystem::remove(base / "index.json", absent);  // it must never list files of two dumps
  nlohmann::ordered_json index;
  index["model"] = program.model_name;
  index["configuration"] = program.config.name;
  index["debug_tensors"] = ShowsInsides(program);
  nlohmann::ordered_json& list = index["tensors"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < tensors.size(); ++i) {
    const CapturedTensor& t = tensors[i];
    const std::string stem = FileStem(i, t.name);
    nlohmann::ordered_json entry = {{"name", t.name},
                                    {"node", t.node},
                                    {"op", t.op},
                                    {"place", t.place},
                                    {"type", io::Name(t.raw.type)},
                                    {"shape", t.raw.shape},
                                    {"file", stem + ".npy"}};
    XRUN_RETURN_IF_ERROR(io::SaveNpy((base / (stem + ".npy")).string(), t.Real()));
    if (t.quantized()) {
      XRUN_RETURN_IF_ERROR(io::SaveNpy((base / (stem + ".int8.npy")).string(), t.raw));
      entry["int8_file"] = stem + ".int8.npy";
      entry["scale"] = t.scale;
      entry["zero_point"] = t.zero_point;
    }
    list.push_back(std::move(entry));
  }
  return WriteFileAtomically((base / "index.json").string(), JsonText(index));
}

Result<io::NamedArrays> LoadReference(const std::string& path, const io::NamedArrays& outputs) {
  if (std::filesystem::is_directory(path)) return LoadDump(path);
  io::NamedArrays expected;
  if (path.ends_with(".npy")) {
    if (outputs.size() != 1) return Failure{path + ": several outputs are compared with a .npz", ""};
    XRUN_ASSIGN_OR_RETURN(expected[outputs.begin()->first], io::LoadNpy(path));
    return expected;
  }
  XRUN_ASSIGN_OR_RETURN(expected, io::LoadNpz(path));
  // np.savez without a keyword names a single array arr_0.
  if (expected.size() == 1 && outputs.size() == 1 && expected.begin()->first == "arr_0") {
    expected = {{outputs.begin()->first, std::move(expected.begin()->second)}};
  }
  return expected;
}

Status CompareArray(const std::string& what, const io::Array& got, const std::string& reference, const io::Array& want,
                    double atol) {
  if (got.size() != want.size()) {
    return Failure{
        what + " is " + io::ShapeText(got.shape) + ", in " + reference + " it is " + io::ShapeText(want.shape), ""};
  }
  int64_t first = -1, differing = 0;
  double largest = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    const double a = ValueAt(got, i), b = ValueAt(want, i);
    if (a == b || std::abs(a - b) <= atol || (std::isnan(a) && std::isnan(b))) continue;
    if (first < 0) first = i;
    ++differing;
    largest = std::max(largest, std::isnan(a - b) ? std::numeric_limits<double>::infinity() : std::abs(a - b));
  }
  if (differing == 0) return {};
  return Failure{what + " differs from " + reference + " first at " + IndexText(got.shape, first) + ": " +
                     Number(ValueAt(got, first)) + ", expected " + Number(ValueAt(want, first)) + "; " +
                     std::to_string(differing) + " of " + std::to_string(got.size()) + " elements differ, by at most " +
                     Number(largest),
                 ""};
}

Status CompareTensors(const std::vector<CapturedTensor>& tensors, const std::string& reference,
                      const io::NamedArrays& expected, double atol, const Program& program) {
  std::vector<std::string> names;
  for (const CapturedTensor& t : tensors) names.push_back(t.name);
  for (const auto& [name, want] : expected) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::string hint = io::DidYouMean(name, names);
    if (hint.empty() && !ShowsInsides(program))
      hint = "xcompile --debug-tensors makes a program that shows all of its tensors";
    if (hint.empty()) hint = "tensors are " + io::ListNames(names);
    return Failure{reference + ": no tensor '" + name + "' is seen in this program", hint};
  }
  for (const CapturedTensor& t : tensors) {
    const auto want = expected.find(t.name);
    if (want == expected.end()) continue;
    const bool exact = t.quantized() && want->second.type == io::ElementType::kInt8;
    const std::string what =
        "tensor '" + t.name + "'" + (t.node.empty() ? "" : " of node '" + t.node + "' (" + t.op + ")");
    XRUN_RETURN_IF_ERROR(CompareArray(what, exact ? t.raw : t.Real(), reference, want->second, exact ? 0 : atol));
  }
  return {};
}

}  // namespace xrun::tools
