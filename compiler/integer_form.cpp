#include "compiler/integer_form.h"

#include <algorithm>
#include <set>

#include "compiler/lower_layer.h"
#include "compiler/lower_phases.h"
#include "compiler/move_to_cpu.h"
#include "isa/multiplier.h"

namespace xrun::compiler {
namespace {

float ScaleOf(const Value& value, size_t channel = 0) {
  return value.quant->scale[value.quant->scale.size() == 1 ? 0 : channel];
}

/// Appends the multiplier of one ratio; false where none holds it.
bool Append(const ScaleRatio& ratio, IntegerForm* form) {
  const auto m = MakeMultiplier(ratio);
  if (!m.ok()) return false;
  form->multiplier.push_back(m->m);
  form->shift.push_back(m->shift);
  return true;
}

bool SetWeights(const Value& x, const Value& w, const Value& y, IntegerForm* form) {
  form->weight_zero.assign(w.quant->zero_point.begin(), w.quant->zero_point.end());
  for (size_t c = 0; c < w.quant->scale.size(); ++c) {
    if (!Append({{ScaleOf(x), ScaleOf(w, c)}, ScaleOf(y), 1}, form)) return false;
  }
  return true;
}

/// The numbers of elements that averages along an axis (0: vertical) count.
std::set<int64_t> CountsOfAxis(const PoolAttrs& attrs, size_t axis, int64_t in, int64_t out) {
  const int64_t lo = attrs.count_include_pad ? -attrs.pads[axis] : 0;
  const int64_t hi = in + (attrs.count_include_pad ? attrs.pads[axis + 2] - attrs.ceil_pads[axis] : 0);
  std::set<int64_t> counts;
  for (int64_t o = 0; o < out; ++o) {
    int64_t count = 0;
    for (int64_t k = 0; k < attrs.kernel[axis]; ++k) {
      const int64_t i = o * attrs.stride[axis] + k * attrs.dilation[axis] - attrs.pads[axis];
      count += i >= lo && i < hi ? 1 : 0;
    }
    counts.insert(count);
  }
  return counts;
}

bool SetAverages(const PoolAttrs& attrs, const Value& x, const Value& y, IntegerForm* form) {
  std::set<int64_t> counts;
  for (const int64_t v : CountsOfAxis(attrs, 0, x.shape[2], y.shape[2])) {
    for (const int64_t h : CountsOfAxis(attrs, 1, x.shape[3], y.shape[3])) {
      if (v * h != 0) counts.insert(v * h);
    }
  }
  form->counts.assign(counts.begin(), counts.end());
  return std::all_of(counts.begin(), counts.end(), [&](int64_t n) {
    return n <= 1 << 24 && Append({{ScaleOf(x)}, ScaleOf(y), n}, form);
  });
}

bool SetResize(const ResizeAttrs& attrs, const Value& x, const Value& y, IntegerForm* form) {
  if (attrs.mode == ResizeMode::kCubic || x.shape.size() != 4 || x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1]) {
    return false;
  }
  form->counts = {ResizeDenominator(attrs, 2, x.shape[2], y.shape[2]),
                  ResizeDenominator(attrs, 3, x.shape[3], y.shape[3])};
  const int64_t both = form->counts[0] * form->counts[1];
  return both != 0 && form->counts[0] <= kMostResizeParts && form->counts[1] <= kMostResizeParts &&
         Append({{ScaleOf(x)}, ScaleOf(y), static_cast<uint32_t>(both)}, form);
}

bool SetTable(const Graph& graph, const Node& node, IntegerForm* form) {
  const Value &x = graph.at(node.inputs[0]), &y = graph.at(node.outputs[0]);
  if (!node.as<UnaryAttrs>().chain.empty()) {
    const Table table = NodeTable(graph, node);
    form->table.assign(table.begin(), table.end());
    return true;
  }
  const auto m = MakeMultiplier({{ScaleOf(x)}, ScaleOf(y), 1});  // a change of parameters
  if (!m.ok()) return false;
  for (int32_t q = -128; q < 128; ++q) {
    const int32_t v = Requantize(q - x.quant->zero_point[0], m->m, m->shift, static_cast<int32_t>(form->zero_point));
    form->table.push_back(ClampTo(v, static_cast<int32_t>(form->lo), static_cast<int32_t>(form->hi)));
  }
  return true;
}

}  // namespace

std::optional<IntegerForm> MakeIntegerForm(const Graph& graph, const Node& node) {
  if (!cpu::HasIntegerKernel(node.op) || !IsQuantizedOperator(graph, node)) return std::nullopt;
  const Value &x = graph.at(node.inputs[0]), &y = graph.at(node.outputs[0]);
  const OutputStage stage = MakeOutputStage(graph, node);
  IntegerForm form;
  form.zero_point = stage.zero_point;
  form.lo = stage.clamp_lo;
  form.hi = stage.clamp_hi;
  form.in_zero = {x.quant->zero_point[0]};
  const auto second = [&]() -> const Value& {
    const Value& b = graph.at(node.inputs[1]);
    form.in_zero.push_back(b.quant->zero_point[0]);
    return b;
  };
  bool fits = true;
  switch (node.op) {
    case Op::kConv:
    case Op::kFullyConnected:
      fits = SetWeights(x, graph.at(node.inputs[1]), y, &form);
      break;
    case Op::kMatMul:
    case Op::kMul:
      fits = Append({{ScaleOf(x), ScaleOf(second())}, ScaleOf(y), 1}, &form);
      break;
    case Op::kAdd:
    case Op::kSub: {
      const auto m = MakeAddMultipliers(ScaleOf(x), ScaleOf(second()), ScaleOf(y));
      if (!m.ok()) return std::nullopt;
      form.multiplier = {m->m[0], node.op == Op::kSub ? -m->m[1] : m->m[1]};
      form.shift = {m->shift};
      break;
    }
    case Op::kMaxPool:
      if (*x.quant != *y.quant) fits = Append({{ScaleOf(x)}, ScaleOf(y), 1}, &form);
      break;
    case Op::kAveragePool:
      fits = SetAverages(node.as<PoolAttrs>(), x, y, &form);
      break;
    case Op::kResize:
      fits = SetResize(node.as<ResizeAttrs>(), x, y, &form);
      break;
    default:
      fits = SetTable(graph, node, &form);
  }
  return fits ? std::optional(std::move(form)) : std::nullopt;
}

}  // namespace xrun::compiler
