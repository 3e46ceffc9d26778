#include <algorithm>

#include "compiler/schedule.h"

namespace xrun::compiler {
namespace {

/// Lowest address where `size` units fit beside everything placed that lives at the same time.
struct Placed {
  LiveRange live;
  uint64_t addr, size;
};
uint64_t FirstFit(const std::vector<Placed>& placed, const LiveRange& live, uint64_t size) {
  std::vector<std::pair<uint64_t, uint64_t>> taken;
  for (const Placed& p : placed) {
    if (p.live.Overlaps(live)) taken.emplace_back(p.addr, p.addr + p.size);
  }
  std::sort(taken.begin(), taken.end());
  uint64_t addr = 0;
  for (const auto& [begin, end] : taken) {
    if (addr + size <= begin) break;
    addr = std::max(addr, end);
  }
  return addr;
}

/// Share of activation memory that tensors kept on chip may take; the rest is for tiles.
constexpr uint64_t kOnChipNumerator = 5, kOnChipDenominator = 8;

}  // namespace

std::vector<LiveRange> LiveRanges(const Partition& partition) {
  std::vector<LiveRange> live(partition.tensors.size());
  for (size_t i = 0; i < partition.layers.size(); ++i) {
    const Layer& layer = partition.layers[i];
    const int32_t residual = layer.out.residual ? layer.out.residual->tensor : kNone;
    for (int32_t t : {layer.input, layer.input_b, layer.output, residual}) {
      if (t == kNone) continue;
      const int32_t parent = partition.tensors[static_cast<size_t>(t)].parent;
      LiveRange& l = live[static_cast<size_t>(parent != kNone ? parent : t)];
      l.first = std::min(l.first, static_cast<int32_t>(i));
      l.last = std::max(l.last, static_cast<int32_t>(i));
    }
  }
  return live;
}

uint64_t PlaceTensors(Partition* partition, const HardwareConfig& config, bool keep_on_chip, bool share_workspace) {
  std::vector<LiveRange> live = LiveRanges(*partition);
  const uint64_t limit = config.activation_words() * kOnChipNumerator / kOnChipDenominator;
  if (!share_workspace) {
    for (LiveRange& l : live) {
      if (l.last >= 0) l = {0, static_cast<int32_t>(partition->layers.size())};
    }
  }
  std::vector<Placed> on_chip, workspace;
  uint64_t workspace_bytes = 0;
  for (size_t i = 0; i < partition->tensors.size(); ++i) {
    OverlayTensor& t = partition->tensors[i];
    t.on_chip.reset();
    if (live[i].last < 0) continue;
    if (keep_on_chip && t.constant == nullptr && !(t.in_dram && t.base == kBaseWorkspace) &&
        t.height * uint64_t{t.width} <= 16383) {
      // Banks repeat every `banks` words: starting there keeps lanes in step with the tensor's columns.
      const uint64_t size = (t.words() + config.banks() - 1) / config.banks() * config.banks();
      const uint64_t addr = FirstFit(on_chip, live[i], size);
      if (addr + size <= limit) {
        t.on_chip = OverlayTensor::OnChip{static_cast<uint32_t>(addr), t.width, t.height * t.width};
        on_chip.push_back({live[i], addr, size});
        continue;
      }
    }
    if (t.base == kBaseWorkspace) {
      const uint64_t size = (t.words() * config.channels + 255) / 256 * 256;
      t.offset = FirstFit(workspace, live[i], size);
      workspace.push_back({live[i], t.offset, size});
      workspace_bytes = std::max(workspace_bytes, t.offset + size);
    }
  }
  return workspace_bytes;
}

}  // namespace xrun::compiler
