#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "isa/launch.h"
#include "isa/program_file.h"

namespace xrun {
namespace {

constexpr size_t kMaxRank = 16;

std::string Quoted(const std::string& name) { return "'" + name + "'"; }

std::string TensorText(const Program& program, uint64_t index) {
  return "tensor " + std::to_string(index) + " " + Quoted(program.tensors[index].name);
}

/// Product of the factors, or nothing above `limit`.
template <typename List>
bool BoundedProduct(const List& factors, uint64_t limit, uint64_t& product) {
  product = 1;
  for (const auto factor : factors) {
    const auto f = static_cast<uint64_t>(factor);
    if (f == 0) {
      product = 0;
      return true;
    }
    if (product > limit / f) return false;
    product *= f;
  }
  return true;
}

Status CheckTensor(const TensorDesc& x) {
  if (x.type > ElementType::kBool)
    return Failure{"unknown element type " + std::to_string(static_cast<int>(x.type)), ""};
  if (x.shape.size() > kMaxRank) return Failure{"has " + std::to_string(x.shape.size()) + " dimensions", ""};
  for (int64_t d : x.shape) {
    if (d < 0) return Failure{"has a dimension of " + std::to_string(d), ""};
  }
  uint64_t elements = 0;
  if (!BoundedProduct(x.shape, kMaxBufferBytes / ElementBytes(x.type), elements)) {
    return Failure{"is larger than " + std::to_string(kMaxBufferBytes) + " bytes", ""};
  }
  if (!std::isfinite(x.scale) || x.scale < 0) return Failure{"its scale is not a finite number from 0 up", ""};
  if (x.type == ElementType::kInt8 && (x.zero_point < -128 || x.zero_point > 127)) {
    return Failure{"its zero point " + std::to_string(x.zero_point) + " is not an int8", ""};
  }
  return {};
}

uint64_t Elements(const TensorDesc& x) {
  uint64_t elements = 0;
  BoundedProduct(x.shape, UINT64_MAX, elements);
  return elements;
}

Status CheckLayout(const BufferLayout& x, const HardwareConfig& config) {
  uint64_t bytes = 0;
  const uint64_t factors[] = {x.batch, x.groups, x.height, x.width, x.Word(config)};
  if (x.batch == 0 || x.channels == 0 || x.height == 0 || x.width == 0 || x.groups == 0) {
    return Failure{"its layout has a dimension of 0", ""};
  }
  if (!BoundedProduct(factors, kMaxBufferBytes, bytes)) {
    return Failure{"its layout is larger than " + std::to_string(kMaxBufferBytes) + " bytes", ""};
  }
  if (x.dense && (x.groups != 1 || !x.channel_map.empty())) {
    return Failure{"its layout is dense but has groups or a channel map", ""};
  }
  const uint64_t physical = uint64_t{x.groups} * x.Word(config);
  if (x.channels > physical) {
    return Failure{"its layout has " + std::to_string(x.channels) + " channels in " + std::to_string(x.groups) +
                       " groups of " + std::to_string(x.Word(config)),
                   ""};
  }
  if (x.channel_map.empty()) return {};
  if (x.channel_map.size() != x.channels) {
    return Failure{"its channel map has " + std::to_string(x.channel_map.size()) + " entries for " +
                       std::to_string(x.channels) + " channels",
                   ""};
  }
  std::vector<uint32_t> sorted = x.channel_map;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.back() >= physical) {
    return Failure{"its channel map names channel " + std::to_string(sorted.back()) + " of " + std::to_string(physical),
                   ""};
  }
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return Failure{"its channel map names a channel twice", ""};
  }
  return {};
}

Status CheckElements(const BufferLayout& layout, const TensorDesc& tensor) {
  uint64_t elements = 0;
  const uint64_t factors[] = {layout.batch, layout.channels, layout.height, layout.width};
  if (BoundedProduct(factors, kMaxBufferBytes, elements) && elements == Elements(tensor)) return {};
  return Failure{
      "its layout has " + std::to_string(elements) + " elements, its shape " + std::to_string(Elements(tensor)), ""};
}

class StructureCheck {
 public:
  explicit StructureCheck(const Program& program) : program_(program), known_(program.tensors.size(), false) {}

  Status Run() {
    XRUN_RETURN_IF_ERROR(Validate(program_.config));
    for (size_t i = 0; i < program_.tensors.size(); ++i) {
      if (Status s = CheckTensor(program_.tensors[i]); !s.ok()) {
        return std::move(s).failure().In(TensorText(program_, i));
      }
    }
    XRUN_RETURN_IF_ERROR(Interface(program_.inputs, "input"));
    XRUN_RETURN_IF_ERROR(Interface(program_.outputs, "output"));
    for (uint32_t t : program_.inputs) known_[t] = true;
    XRUN_RETURN_IF_ERROR(Constants());
    XRUN_RETURN_IF_ERROR(Steps());
    for (uint32_t t : program_.outputs) {
      if (!known_[t]) return Failure{"output " + TensorText(program_, t) + " is made by no step", ""};
    }
    return {};
  }

 private:
  Status Index(int64_t tensor) const {
    if (tensor >= 0 && static_cast<uint64_t>(tensor) < program_.tensors.size()) return {};
    return Failure{"names tensor " + std::to_string(tensor) + " of " + std::to_string(program_.tensors.size()), ""};
  }

  /// Model inputs and outputs are known to users by name: each has one, and each its own.
  Status Interface(const std::vector<uint32_t>& list, const std::string& what) const {
    std::set<std::string> names;
    for (size_t i = 0; i < list.size(); ++i) {
      if (Status s = Index(list[i]); !s.ok())
        return std::move(s).failure().In("model " + what + " " + std::to_string(i));
      const std::string& name = program_.tensors[list[i]].name;
      if (name.empty()) return Failure{"model " + what + " " + std::to_string(i) + " has no name", ""};
      if (!names.insert(name).second) return Failure{"two model " + what + "s are named " + Quoted(name), ""};
    }
    return {};
  }

  Status Produce(int64_t tensor) {
    XRUN_RETURN_IF_ERROR(Index(tensor));
    const auto t = static_cast<size_t>(tensor);
    if (known_[t]) return Failure{"makes " + TensorText(program_, t) + ", which exists already", ""};
    known_[t] = true;
    return {};
  }

  Status Use(int64_t tensor) const {
    XRUN_RETURN_IF_ERROR(Index(tensor));
    const auto t = static_cast<size_t>(tensor);
    if (!known_[t]) return Failure{"uses " + TensorText(program_, t) + " before it is made", ""};
    return {};
  }

  Status Constants() {
    for (size_t i = 0; i < program_.constants.size(); ++i) {
      const ConstantData& x = program_.constants[i];
      const std::string place = "constant " + std::to_string(i);
      if (Status s = Produce(x.tensor); !s.ok()) return std::move(s).failure().In(place);
      const TensorDesc& tensor = program_.tensors[x.tensor];
      const uint64_t bytes = Elements(tensor) * ElementBytes(tensor.type);
      if (x.bytes.size() != bytes) {
        return Failure{place + ": " + std::to_string(x.bytes.size()) + " bytes for " + TensorText(program_, x.tensor) +
                           " of " + std::to_string(bytes),
                       ""};
      }
    }
    return {};
  }

  Status Steps() {
    std::vector<bool> used[2] = {std::vector<bool>(program_.overlay_steps.size(), false),
                                 std::vector<bool>(program_.cpu_steps.size(), false)};
    for (size_t i = 0; i < program_.steps.size(); ++i) {
      const Step& step = program_.steps[i];
      const std::string place = "step " + std::to_string(i);
      if (step.kind > Step::Kind::kCpu) return Failure{place + ": unknown kind", ""};
      auto& of_kind = used[static_cast<size_t>(step.kind)];
      const std::string kind = step.kind == Step::Kind::kOverlay ? "overlay" : "CPU";
      if (step.index >= of_kind.size()) {
        return Failure{
            place + ": " + kind + " step " + std::to_string(step.index) + " of " + std::to_string(of_kind.size()), ""};
      }
      if (of_kind[step.index])
        return Failure{place + ": " + kind + " step " + std::to_string(step.index) + " runs twice", ""};
      of_kind[step.index] = true;
      Status s = step.kind == Step::Kind::kOverlay ? Overlay(program_.overlay_steps[step.index])
                                                   : Cpu(program_.cpu_steps[step.index]);
      if (!s.ok()) return std::move(s).failure().In(place + " (" + kind + ")");
    }
    for (const auto& of_kind : used) {
      if (std::find(of_kind.begin(), of_kind.end(), false) != of_kind.end()) {
        return Failure{"an overlay or CPU step is never run", ""};
      }
    }
    return {};
  }

  Status Node(uint32_t node) const {
    if (node < program_.nodes.size()) return {};
    return Failure{"names node " + std::to_string(node) + " of " + std::to_string(program_.nodes.size()), ""};
  }

  Status Cpu(const CpuStep& x) {
    if (x.op.empty()) return Failure{"has no operator", ""};
    XRUN_RETURN_IF_ERROR(Node(x.node));
    for (const CpuAttribute& a : x.attributes) {
      if (a.name.empty()) return Failure{x.op + ": an attribute has no name", ""};
    }
    for (int32_t t : x.inputs) {
      if (t == -1) continue;
      if (Status s = Use(t); !s.ok()) return std::move(s).failure().In(x.op);
    }
    for (int32_t t : x.outputs) {
      if (Status s = Produce(t); !s.ok()) return std::move(s).failure().In(x.op);
    }
    return {};
  }

  Status CheckBinding(const Binding& x, uint32_t first_register, uint32_t registers, uint32_t& last) const {
    const TensorDesc& tensor = program_.tensors[x.tensor];
    const std::string name = TensorText(program_, x.tensor);
    if (x.base < first_register || x.base >= first_register + registers) {
      return Failure{name + ": base register " + std::to_string(x.base) + ", outside " +
                         std::to_string(first_register) + "…" + std::to_string(first_register + registers - 1),
                     ""};
    }
    if (x.base < last) {
      return Failure{name + ": base register " + std::to_string(x.base) + " after " + std::to_string(last) +
                         ", registers must ascend",
                     ""};
    }
    last = x.base;
    if (tensor.type != ElementType::kInt8) return Failure{name + ": crosses to the overlay and is not int8", ""};
    if (!(tensor.scale > 0)) return Failure{name + ": crosses to the overlay without a scale", ""};
    Status s = CheckLayout(x.layout, program_.config);
    if (s.ok()) s = CheckElements(x.layout, tensor);
    if (!s.ok()) return std::move(s).failure().In(name);
    return {};
  }

  Status CheckWatch(const OverlayStep::Watch& w, uint64_t workspace_bytes) const {
    XRUN_RETURN_IF_ERROR(CheckLayout(w.layout, program_.config));
    if (w.workspace_offset > workspace_bytes ||
        w.layout.Bytes(program_.config) > workspace_bytes - w.workspace_offset) {
      return Failure{"lies outside the workspace", ""};
    }
    const TensorDesc tensor{w.name, ElementType::kInt8, w.shape, w.scale, w.zero_point};
    XRUN_RETURN_IF_ERROR(CheckTensor(tensor));
    XRUN_RETURN_IF_ERROR(CheckElements(w.layout, tensor));
    return Node(w.node);
  }

  Status CheckStagger(const OverlayStep& x) const {
    const OverlayStep::Stagger& s = *x.stagger;
    const auto bound = [](const std::vector<Binding>& bindings, uint32_t base) {
      return std::any_of(bindings.begin(), bindings.end(), [&](const Binding& b) { return b.base == base; });
    };
    if ((program_.capabilities & launch::kStaggeredCapability) == 0)
      return Failure{"the capability is not asked for", ""};
    if (s.out < kBaseOutput0 || s.out >= kBaseOutput0 + kMaxOutputs || bound(x.outputs, s.out)) {
      return Failure{"register " + std::to_string(s.out) + " is no free output's", ""};
    }
    if (s.in < kBaseInput0 || s.in >= kBaseInput0 + kMaxInputs || bound(x.inputs, s.in)) {
      return Failure{"register " + std::to_string(s.in) + " is no free input's", ""};
    }
    if (s.bytes == 0 || s.offset > x.workspace_bytes || s.bytes > x.workspace_bytes - s.offset) {
      return Failure{"what is handed over lies outside the workspace", ""};
    }
    if (!x.watches.empty()) return Failure{"has watches", ""};
    return {};
  }

  Status Overlay(const OverlayStep& x) {
    uint32_t last = 0;
    for (const Binding& b : x.inputs) {
      XRUN_RETURN_IF_ERROR(Use(b.tensor));
      XRUN_RETURN_IF_ERROR(CheckBinding(b, kBaseInput0, kMaxInputs, last));
    }
    for (const Binding& b : x.outputs) {
      XRUN_RETURN_IF_ERROR(Produce(b.tensor));
      XRUN_RETURN_IF_ERROR(CheckBinding(b, kBaseOutput0, kMaxOutputs, last));
    }
    if (x.workspace_bytes > kMaxBufferBytes) {
      return Failure{
          "a workspace of " + std::to_string(x.workspace_bytes) + " bytes, above " + std::to_string(kMaxBufferBytes),
          ""};
    }
    if (x.stagger) {
      Status s = CheckStagger(x);
      if (!s.ok()) return std::move(s).failure().In("staggered step");
    }
    for (const OverlayStep::Watch& w : x.watches) {
      Status s = CheckWatch(w, x.workspace_bytes);
      if (!s.ok()) return std::move(s).failure().In("watch " + Quoted(w.name));
    }
    return Ranges(x);
  }

  Status Ranges(const OverlayStep& x) const {
    uint64_t end[kEngines] = {};
    for (size_t i = 0; i < x.ranges.size(); ++i) {
      const NodeRange& r = x.ranges[i];
      Status s = Node(r.node);
      if (s.ok() && r.engine >= kEngines) s = Failure{"names no engine", ""};
      if (s.ok()) {
        if (r.first < end[r.engine]) {
          s = Failure{"does not follow the range before it", ""};
        } else if (uint64_t{r.first} + r.count > x.body[r.engine].size()) {
          s = Failure{"ends at instruction " + std::to_string(uint64_t{r.first} + r.count) + " of " +
                          std::to_string(x.body[r.engine].size()),
                      ""};
        }
        end[r.engine] = uint64_t{r.first} + r.count;
      }
      if (!s.ok()) return std::move(s).failure().In("node range " + std::to_string(i));
    }
    return {};
  }

  const Program& program_;
  std::vector<bool> known_;  ///< tensors that exist at this point of the steps
};

}  // namespace

size_t ElementBytes(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
    case ElementType::kInt32:
      return 4;
    case ElementType::kInt64:
      return 8;
    case ElementType::kInt8:
    case ElementType::kBool:
      return 1;
  }
  return 1;
}

Status CheckStructure(const Program& program) { return StructureCheck(program).Run(); }

}  // namespace xrun
