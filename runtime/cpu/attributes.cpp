#include "runtime/cpu/attributes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace xrun {
namespace {

// Each attribute struct lists its members once; writer and reader both walk that list.
template <typename V>
void VisitMembers(NoAttrs&, V&&) {}
template <typename V>
void VisitMembers(MatMulAttrs& a, V&& v) {
  v("transpose_a", a.transpose_a);
}
template <typename V>
void VisitMembers(ConvAttrs& a, V&& v) {
  v("kernel", a.kernel), v("stride", a.stride), v("dilation", a.dilation), v("output_padding", a.output_padding);
  v("pads", a.pads), v("groups", a.groups);
}
template <typename V>
void VisitMembers(PoolAttrs& a, V&& v) {
  v("kernel", a.kernel), v("stride", a.stride), v("dilation", a.dilation), v("pads", a.pads);
  v("ceil_pads", a.ceil_pads), v("count_include_pad", a.count_include_pad);
}
template <typename V>
void VisitMembers(BatchNormAttrs& a, V&& v) {
  v("epsilon", a.epsilon);
}
template <typename V>
void VisitMembers(AxisAttrs& a, V&& v) {
  v("axis", a.axis);
}
template <typename V>
void VisitMembers(SliceAttrs& a, V&& v) {
  v("begin", a.begin), v("end", a.end), v("step", a.step);
}
template <typename V>
void VisitMembers(PadAttrs& a, V&& v) {
  v("before", a.before), v("after", a.after), v("value", a.value);
}
template <typename V>
void VisitMembers(TransposeAttrs& a, V&& v) {
  v("perm", a.perm);
}
template <typename V>
void VisitMembers(UnaryAttrs& a, V&& v) {
  v("chain", a.chain);
}

template <typename V>
void VisitMembers(ResizeAttrs& a, V&& v) {
  v("mode", a.mode), v("coordinates", a.coordinates), v("rounding", a.rounding), v("cubic_a", a.cubic_a);
  v("exclude_outside", a.exclude_outside), v("scales", a.scales);
}
template <typename V>
void VisitMembers(BlockAttrs& a, V&& v) {
  v("block", a.block), v("crd", a.crd);
}
template <typename V>
void VisitMembers(ArgMaxAttrs& a, V&& v) {
  v("axis", a.axis), v("keep_dims", a.keep_dims), v("last", a.last), v("least", a.least);
}
template <typename V>
void VisitMembers(CastAttrs& a, V&& v) {
  v("to", a.to);
}
template <typename V>
void VisitMembers(ReduceAttrs& a, V&& v) {
  v("kind", a.kind), v("axes", a.axes), v("keep_dims", a.keep_dims);
}
template <typename V>
void VisitMembers(LayerNormAttrs& a, V&& v) {
  v("axis", a.axis), v("epsilon", a.epsilon);
}
template <typename V>
void VisitMembers(GatherNdAttrs& a, V&& v) {
  v("batch_dims", a.batch_dims);
}
template <typename V>
void VisitMembers(TopKAttrs& a, V&& v) {
  v("axis", a.axis), v("k", a.k), v("largest", a.largest);
}
template <typename V>
void VisitMembers(NmsAttrs& a, V&& v) {
  v("most", a.most), v("iou", a.iou), v("score", a.score), v("center", a.center);
}
template <typename V>
void VisitMembers(MirrorPadAttrs& a, V&& v) {
  v("mode", a.mode), v("before", a.before), v("after", a.after);
}
template <typename V>
void VisitMembers(ModAttrs& a, V&& v) {
  v("fmod", a.fmod);
}
template <typename V>
void VisitMembers(LrnAttrs& a, V&& v) {
  v("size", a.size), v("alpha", a.alpha), v("beta", a.beta), v("bias", a.bias);
}

template <typename V>
void VisitMembers(IntegerForm& a, V&& v) {
  v("int_in_zero", a.in_zero), v("int_zero_point", a.zero_point), v("int_lo", a.lo), v("int_hi", a.hi);
  v("int_multiplier", a.multiplier), v("int_shift", a.shift), v("int_weight_zero", a.weight_zero);
  v("int_counts", a.counts), v("int_table", a.table);
}

/// Number of enumerators, to check what a file says.
constexpr int Count(ResizeMode) { return static_cast<int>(ResizeMode::kCubic) + 1; }
constexpr int Count(ResizeCoordinates) { return static_cast<int>(ResizeCoordinates::kTfHalfPixelForNn) + 1; }
constexpr int Count(ResizeRounding) { return static_cast<int>(ResizeRounding::kSimple) + 1; }
constexpr int Count(ReduceKind) { return static_cast<int>(ReduceKind::kLogSumExp) + 1; }
constexpr int Count(MirrorMode) { return static_cast<int>(MirrorMode::kWrap) + 1; }
constexpr int Count(DType) { return static_cast<int>(DType::kBool) + 1; }

struct Writer {
  std::vector<CpuAttribute>* out;

  template <typename T, size_t N>
  void operator()(const char* name, const std::array<T, N>& x) {
    out->push_back({name, std::vector<double>(x.begin(), x.end())});
  }
  void operator()(const char* name, const std::vector<int64_t>& x) {
    out->push_back({name, std::vector<double>(x.begin(), x.end())});
  }
  void operator()(const char* name, const std::vector<double>& x) { out->push_back({name, x}); }
  void operator()(const char* name, const std::vector<UnaryFunction>& x) {
    CpuAttribute a{name, {}};
    for (const UnaryFunction& f : x) {
      a.values.push_back(static_cast<double>(f.kind));
      a.values.push_back(f.a);
      a.values.push_back(f.b);
    }
    out->push_back(std::move(a));
  }
  template <typename T>
  void operator()(const char* name, const T& x) {
    out->push_back({name, {static_cast<double>(x)}});
  }
};

struct Reader {
  const CpuStep* step;
  Failure* failure;  ///< first one wins
  size_t read = 0;

  const std::vector<double>* Find(const char* name) {
    for (const CpuAttribute& a : step->attributes) {
      if (a.name == name) {
        ++read;
        return &a.values;
      }
    }
    Fail(std::string("attribute '") + name + "' is missing");
    return nullptr;
  }
  void Fail(const std::string& why) {
    if (failure->message.empty()) failure->message = "operator " + step->op + ": " + why;
  }
  bool Whole(const char* name, double x) {
    if (std::trunc(x) == x && std::abs(x) <= 2147483648.0) return true;
    Fail(std::string("attribute '") + name + "' is not a whole number in range");
    return false;
  }

  template <size_t N>
  void operator()(const char* name, std::array<int64_t, N>& x) {
    const auto* v = Find(name);
    if (v == nullptr) return;
    if (v->size() != N) return Fail(std::string("attribute '") + name + "' has the wrong number of values");
    for (size_t i = 0; i < N; ++i) {
      if (!Whole(name, (*v)[i])) return;
      x[i] = static_cast<int64_t>((*v)[i]);
    }
  }
  void operator()(const char* name, std::vector<int64_t>& x) {
    const auto* v = Find(name);
    if (v == nullptr) return;
    for (double d : *v) {
      if (!Whole(name, d)) return;
      x.push_back(static_cast<int64_t>(d));
    }
  }
  void operator()(const char* name, std::vector<UnaryFunction>& x) {
    const auto* v = Find(name);
    if (v == nullptr) return;
    if (v->size() % 3 != 0) return Fail(std::string("attribute '") + name + "' has the wrong number of values");
    constexpr int kKinds = 0
#define X(e, n) +1
        XRUN_FOR_EACH_UNARY(X)
#undef X
        ;
    for (size_t i = 0; i < v->size(); i += 3) {
      const double kind = (*v)[i];
      if (!(kind >= 0 && kind < kKinds && std::trunc(kind) == kind)) {
        return Fail(std::string("attribute '") + name + "' names an unknown function");
      }
      x.push_back({static_cast<UnaryKind>(static_cast<int>(kind)), (*v)[i + 1], (*v)[i + 2]});
    }
  }
  void operator()(const char* name, std::vector<double>& x) {
    if (const auto* v = Find(name)) x = *v;
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, Enum& x) {
    const double d = Scalar(name);
    if (!(d >= 0 && d < Count(Enum{}) && std::trunc(d) == d)) {
      return Fail(std::string("attribute '") + name + "' has no meaning");
    }
    x = static_cast<Enum>(static_cast<int>(d));
  }
  double Scalar(const char* name) {
    const auto* v = Find(name);
    if (v == nullptr) return 0;
    if (v->size() != 1) {
      Fail(std::string("attribute '") + name + "' is not one number");
      return 0;
    }
    return (*v)[0];
  }
  void operator()(const char* name, int64_t& x) {
    const double d = Scalar(name);
    if (Whole(name, d)) x = static_cast<int64_t>(d);
  }
  void operator()(const char* name, bool& x) { x = Scalar(name) != 0; }
  void operator()(const char* name, float& x) { x = static_cast<float>(Scalar(name)); }
};

constexpr const char* kClampLo = "clamp_lo";
constexpr const char* kClampHi = "clamp_hi";

}  // namespace

std::vector<CpuAttribute> AttributesToFile(const Attributes& attributes, const std::optional<Clamp>& clamp,
                                           const IntegerForm* integer) {
  std::vector<CpuAttribute> out;
  Attributes copy = attributes;
  std::visit([&](auto& a) { VisitMembers(a, Writer{&out}); }, copy);
  if (clamp) {
    out.push_back({kClampLo, {clamp->lo}});
    out.push_back({kClampHi, {clamp->hi}});
  }
  if (integer != nullptr) {
    IntegerForm form = *integer;
    VisitMembers(form, Writer{&out});
  }
  return out;
}

Result<OpFromFile> OpFromStep(const CpuStep& step) {
  OpFromFile result;
  bool known = false;
#define X(enumerator, name, attrs) \
  if (step.op == name) {           \
    result.op = Op::enumerator;    \
    result.attributes = attrs{};   \
    known = true;                  \
  }
  XRUN_FOR_EACH_OP(X)
#undef X
  if (!known) return Failure{"unknown CPU operator '" + step.op + "'", "compile the model with this version"};
  Failure failure;
  Reader reader{&step, &failure};
  std::visit([&](auto& a) { VisitMembers(a, reader); }, result.attributes);
  const bool integer = std::any_of(step.attributes.begin(), step.attributes.end(),
                                   [](const CpuAttribute& a) { return a.name.rfind("int_", 0) == 0; });
  if (integer) VisitMembers(result.integer.emplace(), reader);
  for (const CpuAttribute& a : step.attributes) {
    if (a.name != kClampLo && a.name != kClampHi) continue;
    if (!result.clamp) result.clamp = Clamp{0, 0};
    float& bound = a.name == kClampLo ? result.clamp->lo : result.clamp->hi;
    bound = static_cast<float>(a.values.size() == 1 ? a.values[0] : std::nan(""));
    ++reader.read;
  }
  if (result.clamp && !(result.clamp->lo <= result.clamp->hi)) reader.Fail("clamp bounds are not in order");
  if (failure.message.empty() && reader.read != step.attributes.size()) reader.Fail("an unknown attribute");
  if (!failure.message.empty()) return failure;
  return result;
}

}  // namespace xrun
