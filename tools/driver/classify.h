#ifndef XRUN_TOOLS_DRIVER_CLASSIFY_H_
#define XRUN_TOOLS_DRIVER_CLASSIFY_H_

#include <cstdint>
#include <span>
#include <vector>

namespace xrun::tools {

/// Indices of the `k` largest scores, largest first; of equal ones the lower index first; NaN counts as lowest. Fewer
/// than `k` when there are fewer scores.
std::vector<int64_t> TopK(std::span<const float> scores, size_t k);

/// How many scores come before `index` in that order; `index` itself must be within (asserted).
int64_t RankOf(std::span<const float> scores, int64_t index);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_CLASSIFY_H_
