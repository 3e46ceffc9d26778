#include <algorithm>

#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

struct Box {
  float left, top, right, bottom;
};

/// ONNX's corners are y1, x1, y2, x2 of any two opposite ones.
Box BoxOf(const float* b, bool center) {
  if (center) return {b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2};
  return {std::min(b[1], b[3]), std::min(b[0], b[2]), std::max(b[1], b[3]), std::max(b[0], b[2])};
}

/// Of boxes without area, and of NaN, nothing overlaps.
bool Overlaps(const Box& a, const Box& b, float limit) {
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (!(width > 0) || !(height > 0)) return false;
  const float common = width * height;
  const float all = (a.right - a.left) * (a.bottom - a.top) + (b.right - b.left) * (b.bottom - b.top) - common;
  return all > 0 && common / all > limit;
}

}  // namespace

size_t NmsScratchBytes(const OpCall& call, int workers) {
  return static_cast<size_t>(call.inputs[0].shape[1]) * static_cast<size_t>(workers) * sizeof(int64_t);
}

/// Each class of each image first fills rows of its own; then the rows move together.
void RunNms(const OpCall& call, std::byte* scratch, Workers& workers) {
  const auto& attrs = std::get<NmsAttrs>(*call.attrs);
  const Tensor& boxes = call.inputs[0];
  const Tensor& scores = call.inputs[1];
  int64_t* out = call.outputs[0].as<int64_t>();
  const int64_t count = boxes.shape[1], classes = scores.shape[1];
  const int64_t pairs = scores.shape[0] * classes, rows = std::min(attrs.most, count);
  workers.Run(pairs, [&](int64_t pair, int worker) {
    const float* score = scores.as<float>() + pair * count;
    const float* box = boxes.as<float>() + pair / classes * count * 4;
    auto* order = reinterpret_cast<int64_t*>(scratch) + worker * count;
    int64_t candidates = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (score[i] > attrs.score) order[candidates++] = i;
    }
    std::sort(order, order + candidates,
              [&](int64_t i, int64_t j) { return score[i] != score[j] ? score[i] > score[j] : i < j; });
    int64_t* mine = out + pair * rows * 3;
    std::fill(mine, mine + rows * 3, -1);
    int64_t chosen = 0;
    for (int64_t c = 0; c < candidates && chosen < rows; ++c) {
      const Box candidate = BoxOf(box + order[c] * 4, attrs.center);
      bool free = true;
      for (int64_t k = 0; k < chosen && free; ++k) {
        free = !Overlaps(candidate, BoxOf(box + mine[k * 3 + 2] * 4, attrs.center), attrs.iou);
      }
      if (!free) continue;
      mine[chosen * 3] = pair / classes;
      mine[chosen * 3 + 1] = pair % classes;
      mine[chosen * 3 + 2] = order[c];
      ++chosen;
    }
  });
  int64_t kept = 0;
  for (int64_t row = 0; row < pairs * rows; ++row) {
    if (out[row * 3] < 0) continue;
    std::copy(out + row * 3, out + row * 3 + 3, out + kept * 3);
    ++kept;
  }
  std::fill(out + kept * 3, out + pairs * rows * 3, -1);
}

}  // namespace xrun::cpu
