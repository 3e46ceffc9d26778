// Depthwise layers on both engines: a channel group is, for the array, a convolution with diagonal blocks of weights,
// at as many multiply-accumulates a cycle as the vector engine has. Which part of a layer the array takes.

#include <algorithm>
#include <numeric>

#include "compiler/strips.h"

namespace xrun::compiler {
namespace {

uint32_t GroupsOfResult(const StripContext& context, int32_t layer) {
  return context.tensor(context.partition.layers[static_cast<size_t>(layer)].output).groups;
}

}  // namespace

std::optional<std::vector<uint32_t>> LeastShares(const StripContext& context, int32_t first, int32_t last) {
  std::vector<uint32_t> shares(static_cast<size_t>(last - first), 0);
  uint64_t rows = 0;
  bool any = false;
  for (int32_t l = first; l < last; ++l) {
    rows += context.layers[static_cast<size_t>(l)].vector_rows;
    any = any || context.layers[static_cast<size_t>(l)].array_group_rows != 0;
  }
  if (!any) return std::nullopt;
  for (int32_t l = first; l < last && rows > context.config.vector_rows; ++l) {
    const StripLayer& info = context.layers[static_cast<size_t>(l)];
    if (info.array_group_rows == 0) continue;
    const uint32_t wanted = CeilDiv(rows - context.config.vector_rows, info.vector_group_rows);
    const uint32_t share = std::min(wanted, GroupsOfResult(context, l) - 1);
    shares[static_cast<size_t>(l - first)] = share;
    rows -= uint64_t{share} * info.vector_group_rows;
  }
  if (rows > context.config.vector_rows) return std::nullopt;
  return shares;
}

std::vector<uint32_t> BalancedShares(const StripContext& context, const Strips& strips,
                                     const std::vector<StripStep>& steps) {
  std::vector<uint32_t> shares;
  const auto least = LeastShares(context, strips.first, strips.last);
  std::vector<StripStep> now = steps;
  uint64_t ring = strips.ring_rows;
  for (size_t i = 0; i < strips.works.size(); ++i) {
    const Strips::Work& w = strips.works[i];
    shares.push_back(w.array_groups);
    const StripLayer& info = context.layers[static_cast<size_t>(w.layer)];
    if (info.array_group_rows == 0) continue;
    const uint32_t groups = GroupsOfResult(context, w.layer);
    // Cycles of a group of one row, by the strip in the middle, and by how much the vector engine has more to do.
    const uint32_t middle = strips.strips / 2;
    if (w.Rows(middle) == 0) continue;
    const double array = static_cast<double>(ArrayCycles(context, strips, w, middle)) / w.Rows(middle);
    const double vector = static_cast<double>(VectorCycles(context, strips, w, middle, groups) -
                                              VectorCycles(context, strips, w, middle, groups / 2)) /
                          (groups - groups / 2) / w.Rows(middle);
    double ahead = 0;
    for (uint32_t strip = 0; strip < strips.strips; ++strip) {
      const StripStep& step = now[strip + w.stage];
      if (w.Rows(strip) != 0) ahead += step.vector - step.conv;
    }
    double most = groups - 1;
    if (!strips.stream) {
      const uint64_t others = ring - uint64_t{w.array_groups} * info.array_group_rows;
      most = std::min(most, static_cast<double>((context.config.weight_rows - others) / info.array_group_rows));
    }
    const double wanted = std::clamp(w.array_groups + ahead / (w.done.back() * (array + vector)), 0.0, most);
    const uint32_t share = std::max(static_cast<uint32_t>(wanted + 0.5), (*least)[i]);
    const double more = static_cast<double>(share) - w.array_groups;
    for (uint32_t strip = 0; strip < strips.strips; ++strip) {
      now[strip + w.stage].conv += more * array * w.Rows(strip);
      now[strip + w.stage].vector -= more * vector * w.Rows(strip);
    }
    ring = ring + uint64_t{share} * info.array_group_rows - uint64_t{w.array_groups} * info.array_group_rows;
    shares.back() = share;
  }
  return shares;
}

std::vector<uint32_t> ForcedShares(const StripContext& context, int32_t first, int32_t last) {
  std::vector<uint32_t> shares(static_cast<size_t>(last - first), 0);
  for (int32_t l = first; l < last; ++l) {
    if (context.layers[static_cast<size_t>(l)].array_group_rows == 0) continue;
    const uint32_t pick = context.share.forced + static_cast<uint32_t>(l);
    shares[static_cast<size_t>(l - first)] = 1 + pick % (GroupsOfResult(context, l) - 1);
  }
  return shares;
}

}  // namespace xrun::compiler
