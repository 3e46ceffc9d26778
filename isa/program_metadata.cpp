#include <program_generated.h>

#include <algorithm>
#include <type_traits>

#include "isa/program_file.h"

namespace xrun {
namespace {

constexpr struct {
  const char* name;
  uint32_t HardwareConfig::*member;
} kConfigFields[] = {
#define X(field, def, lo, hi, unit, functional, brief) {#field, &HardwareConfig::field},
    XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
};

// ------------------------------------------------------------------------------------------------------------- packing

using Builder = flatbuffers::FlatBufferBuilder;

// Strings and vectors are made in statements of their own: the order in which arguments are evaluated is the
// compiler's, and the bytes must not depend on it.

template <typename Packed, typename T>
flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<Packed>>> PackEach(Builder& b, const std::vector<T>& list);

flatbuffers::Offset<fbs::Layout> Pack(Builder& b, const BufferLayout& x) {
  return fbs::CreateLayout(b, x.batch, x.channels, x.height, x.width, x.groups, b.CreateVector(x.channel_map), x.dense);
}

flatbuffers::Offset<fbs::Binding> Pack(Builder& b, const Binding& x) {
  return fbs::CreateBinding(b, x.tensor, x.base, Pack(b, x.layout));
}

flatbuffers::Offset<fbs::Watch> Pack(Builder& b, const OverlayStep::Watch& x) {
  const auto name = b.CreateString(x.name);
  const auto layout = Pack(b, x.layout);
  return fbs::CreateWatch(b, name, x.workspace_offset, layout, x.scale, x.zero_point, b.CreateVector(x.shape), x.node);
}

flatbuffers::Offset<fbs::OverlayStep> Pack(Builder& b, const OverlayStep& x) {
  std::vector<fbs::StreamCounts> stream_counts;
  for (size_t e = 0; e < kEngines; ++e) {
    stream_counts.emplace_back(static_cast<uint32_t>(x.prologue[e].size()), static_cast<uint32_t>(x.body[e].size()));
  }
  std::vector<fbs::NodeRange> node_ranges;
  for (const NodeRange& r : x.ranges) node_ranges.emplace_back(r.node, r.engine, r.first, r.count);
  const auto streams = b.CreateVectorOfStructs(stream_counts);
  const auto inputs = PackEach<fbs::Binding>(b, x.inputs);
  const auto outputs = PackEach<fbs::Binding>(b, x.outputs);
  const auto ranges = b.CreateVectorOfStructs(node_ranges);
  const auto watches = PackEach<fbs::Watch>(b, x.watches);
  const auto stagger =
      x.stagger ? fbs::Stagger(x.stagger->out, x.stagger->in, x.stagger->offset, x.stagger->bytes) : fbs::Stagger();
  return fbs::CreateOverlayStep(b, streams, inputs, outputs, x.workspace_bytes, ranges, watches,
                                x.stagger ? &stagger : nullptr);
}

flatbuffers::Offset<fbs::Attribute> Pack(Builder& b, const CpuAttribute& x) {
  const auto name = b.CreateString(x.name);
  const auto values = b.CreateVector(x.values);
  return fbs::CreateAttribute(b, name, values);
}

flatbuffers::Offset<fbs::CpuStep> Pack(Builder& b, const CpuStep& x) {
  const auto op = b.CreateString(x.op);
  const auto attributes = PackEach<fbs::Attribute>(b, x.attributes);
  const auto inputs = b.CreateVector(x.inputs);
  const auto outputs = b.CreateVector(x.outputs);
  return fbs::CreateCpuStep(b, op, attributes, inputs, outputs, x.node);
}

flatbuffers::Offset<fbs::Tensor> Pack(Builder& b, const TensorDesc& x) {
  const auto name = b.CreateString(x.name);
  const auto shape = b.CreateVector(x.shape);
  return fbs::CreateTensor(b, name, static_cast<uint8_t>(x.type), shape, x.scale, x.zero_point);
}

flatbuffers::Offset<fbs::Node> Pack(Builder& b, const NodeInfo& x) {
  const auto name = b.CreateString(x.name);
  const auto op = b.CreateString(x.op);
  const auto placement = b.CreateString(x.placement);
  const auto reason = b.CreateString(x.reason);
  return fbs::CreateNode(b, name, op, placement, reason, x.macs);
}

flatbuffers::Offset<fbs::Info> Pack(Builder& b, const std::pair<std::string, std::string>& x) {
  const auto key = b.CreateString(x.first);
  const auto value = b.CreateString(x.second);
  return fbs::CreateInfo(b, key, value);
}

template <typename Packed, typename T>
flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<Packed>>> PackEach(Builder& b, const std::vector<T>& list) {
  std::vector<flatbuffers::Offset<Packed>> packed;
  packed.reserve(list.size());
  for (const T& x : list) packed.push_back(Pack(b, x));
  return b.CreateVector(packed);
}

// ----------------------------------------------------------------------------------------------------------- unpacking

/// Offsets of a FlatBuffer may all point at one large string: a small section could so unpack to any size. Whoever
/// copies bytes out takes them from here; a section without such sharing has more than enough.
class Budget {
 public:
  explicit Budget(size_t bytes) : left_(bytes) {}
  bool Take(size_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }

 private:
  size_t left_;
};

class Unpacker {
 public:
  Unpacker(size_t budget, std::span<const InstructionWord> instructions, std::span<const uint8_t> constants)
      : budget_(budget), instructions_(instructions), constants_(constants) {}

  Status Unpack(const fbs::Metadata& m, Program& program) {
    program.model_name = String(m.model_name());
    program.preprocessing = String(m.preprocessing());
    XRUN_RETURN_IF_ERROR(Config(m, program.config));
    Each(m.tensors(), [&](const fbs::Tensor& x) {
      program.tensors.push_back({String(x.name()), static_cast<ElementType>(x.type()), Numbers<int64_t>(x.shape()),
                                 x.scale(), x.zero_point()});
    });
    program.inputs = Numbers<uint32_t>(m.inputs());
    program.outputs = Numbers<uint32_t>(m.outputs());
    Each(m.steps(), [&](const fbs::Step& x) {
      if (x.kind() > static_cast<uint32_t>(Step::Kind::kCpu))
        Fail("step kind " + std::to_string(x.kind()) + " is unknown");
      program.steps.push_back({static_cast<Step::Kind>(x.kind()), x.index()});
    });
    Each(m.overlay_steps(), [&](const fbs::OverlayStep& x) { program.overlay_steps.push_back(Overlay(x)); });
    Each(m.cpu_steps(), [&](const fbs::CpuStep& x) { program.cpu_steps.push_back(Cpu(x)); });
    Each(m.nodes(), [&](const fbs::Node& x) {
      program.nodes.push_back({String(x.name()), String(x.op()), String(x.placement()), String(x.reason()), x.macs()});
    });
    Each(m.info(), [&](const fbs::Info& x) {
      if (!program.info.emplace(String(x.key()), String(x.value())).second) Fail("an info key stands twice");
    });
    Each(m.constants(), [&](const fbs::Constant& x) { program.constants.push_back(Constant(x)); });
    if (!instructions_.empty()) {
      Fail("the streams end " + std::to_string(instructions_.size()) + " instructions before section INSTRUCTIONS");
    }
    if (constants_at_ != constants_.size()) {
      Fail("the constants end at byte " + std::to_string(constants_at_) + " of section CONSTANTS, of " +
           std::to_string(constants_.size()));
    }
    return std::move(status_);
  }

 private:
  void Fail(std::string what) {
    if (status_.ok()) status_ = Failure{std::move(what), ""};
  }

  /// Absent parts read as empty: every offset but a table's own is optional in a FlatBuffer.
  std::string String(const flatbuffers::String* s) {
    if (s == nullptr || !Take(s->size())) return {};
    return s->str();
  }

  template <typename T>
  std::vector<T> Numbers(const flatbuffers::Vector<T>* v) {
    if (v == nullptr || v->size() == 0 || !Take(v->size() * sizeof(T)) || !Aligned(v->Data(), alignof(T))) return {};
    std::vector<T> result(v->size());
    for (flatbuffers::uoffset_t i = 0; i < v->size(); ++i) result[i] = v->Get(i);
    return result;
  }

  template <typename V, typename Visitor>
  void Each(const V* list, Visitor&& visit) {
    if (list == nullptr || list->size() == 0 || !Take(list->size() * sizeof(flatbuffers::uoffset_t))) return;
    if (!Aligned(list->Data(), alignof(std::remove_cvref_t<decltype(*list->Get(0))>))) return;
    for (flatbuffers::uoffset_t i = 0; i < list->size() && status_.ok(); ++i) visit(*list->Get(i));
  }

  /// The FlatBuffers verifier (2.0.8) checks where a vector's length stands, not its elements. Not asked of empty
  /// vectors, which the builder does not align.
  bool Aligned(const uint8_t* data, size_t alignment) {
    if (reinterpret_cast<uintptr_t>(data) % alignment == 0) return true;
    Fail("a vector is misaligned");
    return false;
  }

  bool Take(size_t bytes) {
    if (budget_.Take(bytes)) return true;
    Fail("parts of it overlap");
    return false;
  }

  Status Config(const fbs::Metadata& m, HardwareConfig& config) {
    config.name = String(m.config_name());
    const size_t count = m.config() == nullptr ? 0 : m.config()->size();
    if (count != std::size(kConfigFields)) {
      return Failure{"the configuration has " + std::to_string(count) + " fields, expected " +
                         std::to_string(std::size(kConfigFields)),
                     "compile the model again with this version's xcompile"};
    }
    for (size_t i = 0; i < count; ++i) {
      const fbs::ConfigField* field = m.config()->Get(static_cast<flatbuffers::uoffset_t>(i));
      if (const std::string name = String(field->name()); name != kConfigFields[i].name) {
        return Failure{
            "configuration field " + std::to_string(i) + " is '" + name + "', expected '" + kConfigFields[i].name + "'",
            "compile the model again with this version's xcompile"};
      }
      config.*kConfigFields[i].member = field->value();
    }
    return {};
  }

  BufferLayout Layout(const fbs::Layout* x) {
    if (x == nullptr) {
      Fail("a layout is missing");
      return {};
    }
    return {x->batch(), x->channels(), x->height(), x->width(), x->groups(), Numbers<uint32_t>(x->channel_map()),
            x->dense()};
  }

  template <typename V>
  std::vector<Binding> Bindings(const V* list) {
    std::vector<Binding> result;
    Each(list, [&](const fbs::Binding& x) { result.push_back({x.tensor(), x.base(), Layout(x.layout())}); });
    return result;
  }

  std::span<const InstructionWord> Stream(uint32_t count) {
    if (count > instructions_.size()) {
      Fail("a stream of " + std::to_string(count) + " instructions, section INSTRUCTIONS has " +
           std::to_string(instructions_.size()) + " left");
      return {};
    }
    const auto stream = instructions_.first(count);
    instructions_ = instructions_.subspan(count);
    return stream;
  }

  OverlayStep Overlay(const fbs::OverlayStep& x) {
    OverlayStep step;
    if (x.streams() == nullptr || x.streams()->size() != kEngines) {
      Fail("an overlay step does not have " + std::to_string(kEngines) + " streams");
      return step;
    }
    for (uint8_t e = 0; e < kEngines; ++e) {
      step.prologue[e] = Stream(x.streams()->Get(e)->prologue());
      step.body[e] = Stream(x.streams()->Get(e)->body());
    }
    step.inputs = Bindings(x.inputs());
    step.outputs = Bindings(x.outputs());
    step.workspace_bytes = x.workspace_bytes();
    Each(x.ranges(), [&](const fbs::NodeRange& r) {
      if (r.engine() >= kEngines) Fail("a node range names engine " + std::to_string(r.engine()));
      step.ranges.push_back({r.node(), static_cast<Engine>(r.engine()), r.first(), r.count()});
    });
    Each(x.watches(), [&](const fbs::Watch& w) {
      step.watches.push_back({String(w.name()), w.workspace_offset(), Layout(w.layout()), w.scale(), w.zero_point(),
                              Numbers<int64_t>(w.shape()), w.node()});
    });
    if (const fbs::Stagger* s = x.stagger()) {
      step.stagger = OverlayStep::Stagger{s->out(), s->in(), s->offset(), s->bytes()};
    }
    return step;
  }

  CpuStep Cpu(const fbs::CpuStep& x) {
    CpuStep step;
    step.op = String(x.op());
    Each(x.attributes(), [&](const fbs::Attribute& a) {
      step.attributes.push_back({String(a.name()), Numbers<double>(a.values())});
    });
    step.inputs = Numbers<int32_t>(x.inputs());
    step.outputs = Numbers<int32_t>(x.outputs());
    step.node = x.node();
    return step;
  }

  ConstantData Constant(const fbs::Constant& x) {
    const uint64_t at = AlignUp(constants_at_, kConstantAlignment);
    if (at > constants_.size() || x.bytes() > constants_.size() - at) {
      Fail("constant of tensor " + std::to_string(x.tensor()) + ": " + std::to_string(x.bytes()) + " bytes at " +
           std::to_string(at) + " pass the end of section CONSTANTS, " + std::to_string(constants_.size()));
      return {};
    }
    constants_at_ = at + x.bytes();
    return {x.tensor(), constants_.subspan(at, x.bytes())};
  }

  Budget budget_;
  std::span<const InstructionWord> instructions_;
  std::span<const uint8_t> constants_;
  uint64_t constants_at_ = 0;
  Status status_;
};

}  // namespace

std::vector<uint8_t> PackMetadata(const Program& program) {
  Builder b;
  std::vector<flatbuffers::Offset<fbs::ConfigField>> fields;
  for (const auto& field : kConfigFields) {
    const auto name = b.CreateString(field.name);
    fields.push_back(fbs::CreateConfigField(b, name, program.config.*field.member));
  }
  std::vector<fbs::Step> step_list;
  for (const Step& x : program.steps) step_list.emplace_back(static_cast<uint32_t>(x.kind), x.index);
  std::vector<fbs::Constant> constant_list;
  for (const ConstantData& x : program.constants) constant_list.emplace_back(x.tensor, x.bytes.size());
  const std::vector<std::pair<std::string, std::string>> info_list(program.info.begin(), program.info.end());

  const auto model_name = b.CreateString(program.model_name);
  const auto config_name = b.CreateString(program.config.name);
  const auto config = b.CreateVector(fields);
  const auto tensors = PackEach<fbs::Tensor>(b, program.tensors);
  const auto inputs = b.CreateVector(program.inputs);
  const auto outputs = b.CreateVector(program.outputs);
  const auto steps = b.CreateVectorOfStructs(step_list);
  const auto overlay_steps = PackEach<fbs::OverlayStep>(b, program.overlay_steps);
  const auto cpu_steps = PackEach<fbs::CpuStep>(b, program.cpu_steps);
  const auto constants = b.CreateVectorOfStructs(constant_list);
  const auto nodes = PackEach<fbs::Node>(b, program.nodes);
  const auto preprocessing = b.CreateString(program.preprocessing);
  const auto info = PackEach<fbs::Info>(b, info_list);
  fbs::FinishMetadataBuffer(b, fbs::CreateMetadata(b, model_name, config_name, config, tensors, inputs, outputs, steps,
                                                   overlay_steps, cpu_steps, constants, nodes, preprocessing, info));
  return {b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize()};
}

Status UnpackMetadata(std::span<const uint8_t> metadata, std::span<const InstructionWord> instructions,
                      std::span<const uint8_t> constants, Program& program) {
  constexpr uint64_t kDepth = 16;
  constexpr uint64_t kTableBytes = 8;  // no table takes less
  // The smallest legal buffer; the FlatBuffers verifier assumes as much.
  if (metadata.size() < 16 || metadata.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return Failure{"section METADATA: " + std::to_string(metadata.size()) + " bytes are no metadata", ""};
  }
  flatbuffers::Verifier verifier(metadata.data(), metadata.size(), kDepth, metadata.size() / kTableBytes);
  if (!fbs::VerifyMetadataBuffer(verifier)) {
    return Failure{"section METADATA: not a valid FlatBuffer of this schema", "the file is damaged or hostile"};
  }
  Status status =
      Unpacker(metadata.size(), instructions, constants).Unpack(*fbs::GetMetadata(metadata.data()), program);
  if (!status.ok()) return std::move(status).failure().In("section METADATA");
  return {};
}

}  // namespace xrun
