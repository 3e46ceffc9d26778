#include "tools/driver/classify.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace xrun::tools {
namespace {

bool Before(std::span<const float> scores, int64_t a, int64_t b) {
  const float x = scores[static_cast<size_t>(a)], y = scores[static_cast<size_t>(b)];
  if (std::isnan(x) || std::isnan(y)) return std::isnan(x) == std::isnan(y) ? a < b : std::isnan(y);
  return x != y ? x > y : a < b;
}

}  // namespace

std::vector<int64_t> TopK(std::span<const float> scores, size_t k) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                    [&](int64_t a, int64_t b) { return Before(scores, a, b); });
  order.resize(k);
  return order;
}

int64_t RankOf(std::span<const float> scores, int64_t index) {
  assert(index >= 0 && static_cast<size_t>(index) < scores.size());
  int64_t rank = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(scores.size()); ++i) rank += Before(scores, i, index) ? 1 : 0;
  return rank;
}

}  // namespace xrun::tools
