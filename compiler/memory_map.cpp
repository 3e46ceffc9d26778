#include "compiler/memory_map.h"

#include <algorithm>

#include "compiler/plan.h"

namespace xrun::compiler {
namespace {

void AddGroup(const Partition& partition, int32_t first, int32_t last, MemoryMap* map) {
  MemoryMap::Group group;
  for (int32_t l = first; l < last; ++l) {
    const Layer& layer = partition.layers[static_cast<size_t>(l)];
    group.name += (group.name.empty() ? "" : ", ") + layer.name;
    for (const NodeId n : layer.nodes) group.nodes.push_back(static_cast<uint32_t>(n));
  }
  map->groups.push_back(std::move(group));
}

}  // namespace

uint64_t MemoryMap::LiveWords(size_t group) const {
  uint64_t words = 0;
  for (const MemoryPiece& piece : pieces) {
    if (piece.kind != MemoryPiece::kTiles && piece.first_group <= group && group <= piece.last_group) {
      words += piece.words;
    }
  }
  return words;
}

MemoryMap MapOf(const Partition& partition, const HardwareConfig& config, const Plan& plan) {
  MemoryMap map;
  map.planned = true;
  for (const PlannedGroup& group : plan.groups) AddGroup(partition, group.first, group.last, &map);
  map.pieces = plan.memory;
  map.total_words = config.activation_words();
  map.peak_words = plan.peak_words;
  map.bound_words = plan.bound_words;
  return map;
}

MemoryMap MapOf(const Partition& partition, const HardwareConfig& config) {
  MemoryMap map;
  const auto layers = static_cast<int32_t>(partition.layers.size());
  for (int32_t l = 0; l < layers; ++l) AddGroup(partition, l, l + 1, &map);
  map.total_words = config.activation_words();
  const std::vector<LiveRange> live = LiveRanges(partition);
  std::vector<uint64_t> words(partition.layers.size(), 0);
  for (size_t i = 0; i < partition.tensors.size(); ++i) {
    const OverlayTensor& t = partition.tensors[i];
    if (!t.on_chip || live[i].last < 0) continue;
    const auto first = static_cast<size_t>(live[i].first), last = static_cast<size_t>(live[i].last);
    map.pieces.push_back({MemoryPiece::kTensor, first, last, t.on_chip->addr, t.words(), t.name});
    map.peak_words = std::max(map.peak_words, t.on_chip->addr + t.words());
    for (size_t l = first; l <= last; ++l) map.bound_words = std::max(map.bound_words, words[l] += t.words());
  }
  return map;
}

}  // namespace xrun::compiler
