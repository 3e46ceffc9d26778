// GatherElements and GatherND. As with Gather, indices may count from the end, and those of an activation that lie
// outside of the axis are clamped into it.

#include <cstring>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

int64_t Place(int64_t index, int64_t size) {
  return std::clamp<int64_t>(index < 0 ? std::max<int64_t>(index, -size) + size : index, 0, size - 1);
}

}  // namespace

void RunGatherElements(const OpCall& call, Workers& workers) {
  const auto axis = static_cast<size_t>(std::get<AxisAttrs>(*call.attrs).axis);
  const Tensor& in = call.inputs[0];
  const Tensor& out = call.outputs[0];
  const auto* indices = call.inputs[1].as<int64_t>();
  const size_t rank = in.shape.size();
  WithElementType(out.dtype, [&]<typename T>(T*) {
    ForRanges(workers, Elements(out), kElementsPerTask / 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t rest = i, step = 1, from = 0;
        for (size_t d = rank; d-- > 0;) {
          const int64_t at = d == axis ? Place(indices[i], in.shape[d]) : rest % out.shape[d];
          rest /= out.shape[d];
          from += at * step;
          step *= in.shape[d];
        }
        out.as<T>()[i] = in.as<T>()[from];
      }
    });
  });
}

void RunGatherNd(const OpCall& call, Workers& workers) {
  const auto batch_dims = static_cast<size_t>(std::get<GatherNdAttrs>(*call.attrs).batch_dims);
  const Tensor& in = call.inputs[0];
  const Tensor& indices = call.inputs[1];
  const Tensor& out = call.outputs[0];
  const auto depth = static_cast<size_t>(indices.shape.back());
  const int64_t batches = Product(in.shape.first(batch_dims));
  const int64_t tuples = Product(indices.shape.first(indices.shape.size() - 1));
  const int64_t per_batch = std::max<int64_t>(1, tuples / std::max<int64_t>(1, batches));
  const int64_t slice = Product(in.shape.subspan(batch_dims + depth));
  const size_t bytes = static_cast<size_t>(slice) * SizeOf(out.dtype);
  ForRanges(workers, tuples, std::max<int64_t>(1, kElementsPerTask / std::max<int64_t>(1, slice)),
            [&](int64_t begin, int64_t end) {
              for (int64_t t = begin; t < end; ++t) {
                const int64_t* tuple = indices.as<int64_t>() + t * static_cast<int64_t>(depth);
                int64_t from = t / per_batch;
                for (size_t d = 0; d < depth; ++d) {
                  const int64_t size = in.shape[batch_dims + d];
                  from = from * size + Place(tuple[d], size);
                }
                std::memcpy(out.as<uint8_t>() + static_cast<size_t>(t) * bytes,
                            in.as<uint8_t>() + static_cast<size_t>(from) * bytes, bytes);
              }
            });
}

}  // namespace xrun::cpu
