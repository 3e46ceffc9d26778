#include "compiler/constant_ops.h"

#include <cassert>
#include <cstring>
#include <memory>

#include "runtime/cpu/kernels.h"

namespace xrun::compiler {

namespace {

std::vector<int64_t> RowMajorStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

template <size_t kSize>
void Gather(const uint8_t* from, uint8_t* to, const Shape& out, const std::vector<int64_t>& strides) {
  ForEachOffset(out, strides, strides, [&](int64_t offset, int64_t) {
    std::memcpy(to, from + offset * static_cast<int64_t>(kSize), kSize);
    to += kSize;
  });
}

/// Copies the elements that a walk over `out` with these input strides visits.
Bytes Gathered(const Bytes& data, size_t element_size, const Shape& out, int64_t start,
               const std::vector<int64_t>& strides) {
  Bytes result(static_cast<size_t>(Elements(out)) * element_size);
  const uint8_t* from = data.data() + static_cast<size_t>(start) * element_size;
  assert(element_size == 1 || element_size == 4 || element_size == 8);
  if (element_size == 1) {
    Gather<1>(from, result.data(), out, strides);
  } else if (element_size == 4) {
    Gather<4>(from, result.data(), out, strides);
  } else {
    Gather<8>(from, result.data(), out, strides);
  }
  return result;
}

}  // namespace

std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& out) {
  const std::vector<int64_t> own = RowMajorStrides(shape);
  std::vector<int64_t> strides(out.size(), 0);
  const size_t shift = out.size() - shape.size();
  for (size_t d = 0; d < shape.size(); ++d) strides[d + shift] = shape[d] == 1 ? 0 : own[d];
  return strides;
}

Bytes TransposeBytes(const Bytes& data, size_t element_size, const Shape& shape, const std::vector<int64_t>& perm) {
  const std::vector<int64_t> own = RowMajorStrides(shape);
  Shape out;
  std::vector<int64_t> strides;
  for (int64_t axis : perm) {
    out.push_back(shape[static_cast<size_t>(axis)]);
    strides.push_back(own[static_cast<size_t>(axis)]);
  }
  return Gathered(data, element_size, out, 0, strides);
}

Bytes SliceBytes(const Bytes& data, size_t element_size, const Shape& shape, const std::vector<int64_t>& begin,
                 const std::vector<int64_t>& step, const Shape& out) {
  std::vector<int64_t> strides = RowMajorStrides(shape);
  int64_t start = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    start += begin[d] * strides[d];
    strides[d] *= step[d];
  }
  return Gathered(data, element_size, out, start, strides);
}

Bytes ConcatBytes(const std::vector<const Bytes*>& parts, size_t element_size, const std::vector<Shape>& shapes,
                  size_t axis) {
  size_t total = 0, outer = 1;
  for (const Bytes* part : parts) total += part->size();
  for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(shapes[0][d]);
  std::vector<size_t> run(parts.size(), element_size);
  for (size_t p = 0; p < parts.size(); ++p) {
    for (size_t d = axis; d < shapes[p].size(); ++d) run[p] *= static_cast<size_t>(shapes[p][d]);
  }
  Bytes result;
  result.reserve(total);
  for (size_t o = 0; o < outer; ++o) {
    for (size_t p = 0; p < parts.size(); ++p) {
      const auto from = parts[p]->begin() + static_cast<std::ptrdiff_t>(o * run[p]);
      result.insert(result.end(), from, from + static_cast<std::ptrdiff_t>(run[p]));
    }
  }
  return result;
}

bool CanEvaluate(const Graph& graph, const Node& node) {
  if (node.op == Op::kDequantize || node.outputs.size() != 1) return false;
  for (ValueId id : node.inputs) {
    if (id != kNone && (!graph.at(id).is_constant() || graph.at(id).dtype == DType::kInt8)) return false;
  }
  return !node.inputs.empty();
}

Result<Bytes> EvaluateNode(const Graph& graph, const Node& node) {
  const auto tensor = [&](ValueId id) {
    if (id == kNone) return cpu::Tensor{};
    const Value& value = graph.at(id);
    // Inputs are never written through this pointer (kernels.h).
    return cpu::Tensor{value.dtype, value.shape, const_cast<uint8_t*>(value.constant->data())};
  };
  std::vector<cpu::Tensor> inputs;
  for (ValueId id : node.inputs) inputs.push_back(tensor(id));
  const Value& out = graph.at(node.outputs[0]);
  Bytes result(static_cast<size_t>(Elements(out.shape)) * SizeOf(out.dtype));
  const std::vector<cpu::Tensor> outputs{{out.dtype, out.shape, result.data()}};
  cpu::OpCall call;
  call.op = node.op;
  call.attrs = &node.attrs;
  call.clamp = node.clamp;
  call.inputs = inputs;
  call.outputs = outputs;
  const std::optional<QuantParams>& quant = node.op == Op::kDequantize ? graph.at(node.inputs[0]).quant : out.quant;
  if (quant) call.quant = {quant->scale, quant->zero_point, quant->axis};
  if (Status checked = cpu::CheckOp(call); !checked.ok()) {
    return Failure(checked.failure()).In("node '" + node.name + "' on constants");
  }
  cpu::Workers workers(1);
  constexpr size_t kAlignment = 64;
  std::vector<std::byte> scratch(cpu::ScratchBytes(call, workers.count()) + kAlignment);
  void* aligned = scratch.data();
  size_t space = scratch.size();
  std::align(kAlignment, space - kAlignment, aligned, space);
  cpu::RunOp(call, {static_cast<std::byte*>(aligned), space}, workers);
  return result;
}

}  // namespace xrun::compiler
