// The cost model of strips: engines side by side within a step, DRAM over all of them.

#include <algorithm>
#include <cassert>

#include "compiler/strips.h"

namespace xrun::compiler {
namespace {

/// Part of the time of weights that come again which nothing hides.
constexpr double kLateWeights = 0.25;

class StripCost {
 public:
  StripCost(const StripContext& context, const Strips& strips) : c_(context), s_(strips) {}

  uint64_t LoadBytes(const Strips::Buffer& b, uint32_t strip) const {
    const uint32_t first = strip == 0 || b.wraps[strip] ? b.low[strip] : b.from[strip];
    const OverlayTensor& t = c_.tensor(b.root);
    const uint64_t row = t.packed ? t.packed->row_bytes() : uint64_t{b.groups} * t.width * c_.config.channels;
    return (b.to[strip] - first) * row;
  }
  /// The slower of DRAM and the chip's side: a line a cycle where small configurations have short ones, and packing.
  double LoadCycles(const Strips::Buffer& b, uint32_t strip, double bytes_per_cycle) const {
    const auto bytes = static_cast<double>(LoadBytes(b, strip));
    const double dram = bytes / bytes_per_cycle;
    const OverlayTensor& t = c_.tensor(b.root);
    if (!t.packed) return std::max(dram, bytes / LineBytes());
    const uint32_t first = strip == 0 || b.wraps[strip] ? b.low[strip] : b.from[strip];
    const uint32_t word = CeilDiv(uint64_t{t.packed->stride} * t.packed->channels, c_.config.channels);
    return std::max(dram, double{1} * b.groups * ((b.to[strip] - first) * t.width * word + 11));
  }

  /// Of a layer that one engine computes by itself.
  uint64_t LayerCycles(const Strips::Work& w, uint32_t strip) {
    const Layer& layer = LayerOf(w);
    const OverlayTensor &in = c_.tensor(layer.input), &out = c_.tensor(layer.output);
    const std::vector<RowWork> works = WorkOf(c_, s_, w, strip);
    const auto index = static_cast<size_t>(&w - s_.works.data());
    const auto all = [&](const std::function<Instruction(const RowWork&)>& make) {
      uint64_t cycles = 0;
      for (const RowWork& work : works) {
        cycles += c_.Cycles(KeyOf(w, work, out.groups), [&]() -> Instruction { return make(work); });
      }
      return cycles;
    };
    if (Info(w).repeats) {  // rows cost alike
      return works[0].yn * all([&](const RowWork& work) -> Instruction { return RepeatOf(layer, in, out, work, 0); });
    }
    switch (layer.kind) {
      case LayerKind::kConv: {
        // All pieces at once: chunks and parts follow from the key.
        std::vector<uint32_t> key;
        for (const RowWork& work : works) {
          const std::vector<uint32_t> stretch = KeyOf(w, work, s_.chunk_groups[index]);
          key.insert(key.end(), stretch.begin(), stretch.end());
        }
        const auto known = conv_cycles_.find(key);
        if (known != conv_cycles_.end()) return known->second;
        const uint32_t banks = c_.config.banks();
        uint64_t cycles = 0;
        for (const ConvPiece& piece : ConvPieces(c_, s_, index, strip)) {
          std::vector<uint32_t> part_key = key;
          for (const uint32_t x :
               {piece.conv.out_h, piece.conv.pad_top & 0xffffU, piece.part.ogn, piece.part.ign, piece.part.khn,
                piece.conv.in_h, piece.conv.keep, piece.conv.src % banks, piece.conv.dst % banks}) {
            part_key.push_back(x);
          }
          cycles += c_.Cycles(part_key, [&]() -> Instruction { return piece.conv; });
        }
        conv_cycles_.emplace(key, cycles);
        return cycles;
      }
      case LayerKind::kDepthwise:
        return VectorShare(w, strip, out.groups);
      case LayerKind::kPool:
        return all([&](const RowWork& work) -> Instruction { return PoolOf(layer, in, out, work); });
      case LayerKind::kElementwise:
        return all([&](const RowWork& work) -> Instruction {
          return ElementwiseOf(layer, in, layer.input_b == kNone ? nullptr : &c_.tensor(layer.input_b), out, work);
        });
      case LayerKind::kMatMul:
        assert(false && "never part of strips");
    }
    return 0;
  }

  /// Of the first `groups` groups of a depthwise layer, on the vector engine.
  uint64_t VectorShare(const Strips::Work& w, uint32_t strip, uint32_t groups) const {
    const Layer& layer = LayerOf(w);
    uint64_t cycles = 0;
    for (const RowWork& stretch : WorkOf(c_, s_, w, strip)) {
      const RowWork work = GroupsOf(stretch, 0, groups);
      cycles += c_.Cycles(KeyOf(w, work, groups), [&]() -> Instruction {
        return DepthwiseOf(layer, c_.tensor(layer.input), c_.tensor(layer.output), work);
      });
    }
    return cycles;
  }

  /// Of any one group of it, on the array: they differ by no more than where their lines begin.
  uint64_t ArrayGroup(const Strips::Work& w, uint32_t strip) const {
    const Layer& layer = LayerOf(w);
    uint64_t cycles = 0;
    for (const RowWork& stretch : WorkOf(c_, s_, w, strip)) {
      const RowWork work = GroupsOf(stretch, 0, 1);
      std::vector<uint32_t> key = KeyOf(w, work, 1);
      key.push_back(kConv);
      cycles += c_.Cycles(
          key, [&]() -> Instruction { return ConvOf(layer, c_.tensor(layer.input), c_.tensor(layer.output), work); });
    }
    return cycles;
  }

  std::vector<StripStep> Steps(uint64_t* bytes) {
    const HardwareConfig& h = c_.config;
    const double bytes_per_cycle = h.dram_bytes_per_cycle();
    uint32_t stages = 0;
    for (const Strips::Work& w : s_.works) stages = std::max(stages, w.stage);
    std::vector<StripStep> steps(s_.strips + stages);
    for (const Strips::Event& e : s_.events) {
      if (e.kind == Strips::Event::kLoad) {
        const Strips::Buffer& b = s_.buffers[e.index];
        // What passes in chunks comes while its reader computes.
        steps[e.strip + b.stage + (b.in_chunks() ? 1 : 0)].load += LoadCycles(b, e.strip, bytes_per_cycle);
        *bytes += LoadBytes(b, e.strip);
      } else if (e.kind == Strips::Event::kCopy) {
        const Strips::Buffer& b = s_.buffers[e.index];
        steps[e.strip + b.stage].vector +=
            60.0 + double{1} * (b.from[e.strip] - b.low[e.strip]) * b.pitch * b.groups / h.line_words();
      } else {
        const Strips::Work& w = s_.works[e.index];
        StripStep& step = steps[e.strip + w.stage];
        if (w.array_groups != 0) {
          const uint32_t groups = c_.tensor(LayerOf(w).output).groups;
          step.conv += static_cast<double>(w.array_groups * ArrayGroup(w, e.strip)) + 4;
          step.vector += static_cast<double>(VectorShare(w, e.strip, groups - w.array_groups)) + 4;
        } else {
          (Info(w).engine == kConv ? step.conv : step.vector) += static_cast<double>(LayerCycles(w, e.strip)) + 4;
        }
        const Strips::Buffer* b = s_.Find(Info(w).output_root);
        if ((b != nullptr && b->saves) || (b == nullptr && c_.tensor(Info(w).output_root).base != kBaseWorkspace)) {
          const OverlayTensor& t = c_.tensor(LayerOf(w).output);
          const uint64_t n = uint64_t{t.groups} * w.Rows(e.strip) * t.width * h.channels;
          step.save += static_cast<double>(n) / std::min(bytes_per_cycle, LineBytes());
          *bytes += n;
        }
      }
    }
    return steps;
  }

  uint64_t WeightBytes(const Strips::Work& w) const {
    const StripLayer& info = Info(w);
    const uint64_t bytes = info.weight_bytes * (s_.stream && info.engine == kConv ? s_.strips : 1);
    return bytes + w.array_groups * (uint64_t{info.array_group_rows} * c_.config.weight_row_bytes() -
                                     uint64_t{info.vector_group_rows} * c_.config.channels);
  }

 private:
  double LineBytes() const { return double{1} * c_.config.line_words() * c_.config.channels; }
  const StripLayer& Info(const Strips::Work& w) const { return c_.layers[static_cast<size_t>(w.layer)]; }
  const Layer& LayerOf(const Strips::Work& w) const { return c_.partition.layers[static_cast<size_t>(w.layer)]; }

  /// What own cycles depend on.
  std::vector<uint32_t> KeyOf(const Strips::Work& w, const RowWork& work, uint32_t groups) const {
    const uint32_t banks = c_.config.banks();
    return {static_cast<uint32_t>(w.layer),
            work.yn,
            work.rows.count,
            static_cast<uint32_t>(work.rows.pad),
            work.src.row_pitch,
            work.src.plane_pitch % banks,
            work.src.addr % banks,
            work.dst.row_pitch,
            work.dst.plane_pitch % banks,
            work.dst.addr % banks,
            work.res.row_pitch,
            work.res.plane_pitch % banks,
            work.res.addr % banks,
            groups};
  }

  const StripContext& c_;
  const Strips& s_;
  std::map<std::vector<uint32_t>, uint64_t> conv_cycles_;
};

}  // namespace

uint64_t VectorCycles(const StripContext& context, const Strips& strips, const Strips::Work& work, uint32_t strip,
                      uint32_t groups) {
  return StripCost(context, strips).VectorShare(work, strip, groups);
}

uint64_t ArrayCycles(const StripContext& context, const Strips& strips, const Strips::Work& work, uint32_t strip) {
  return StripCost(context, strips).ArrayGroup(work, strip);
}

std::vector<StripStep> SetCost(const StripContext& context, Strips* strips) {
  const HardwareConfig& h = context.config;
  const double bytes_per_cycle = h.dram_bytes_per_cycle();
  StripCost cost(context, *strips);
  uint64_t bytes = 0;
  std::vector<StripStep> steps = cost.Steps(&bytes);
  uint64_t weights = 0;
  for (const Strips::Work& w : strips->works) weights += cost.WeightBytes(w);
  bytes += weights;
  double compute = 0, idle = 0;
  for (const StripStep& step : steps) {
    const double most = std::max({step.conv, step.vector, step.load + 0.5 * step.save});
    compute += most;
    if (step.conv != 0 && step.vector != 0) compute += 20;
    idle += most - step.conv;
  }
  // Rows that come straight from DRAM after they went there must come back first.
  const double dram = static_cast<double>(bytes + 64 * strips->events.size()) / bytes_per_cycle;
  strips->dram_bytes = bytes;
  strips->cycles = std::max(compute, dram) + 0.02 * idle + 0.1 * dram + 60;
  for (const Strips::Buffer& b : strips->buffers) {
    if (b.loads) strips->cycles += 300;
  }
  // Weights that come again for each strip do not come while it waits for them at its begin.
  if (strips->stream && strips->strips > 1) {
    const auto again = static_cast<double>(weights) * (strips->strips - 1) / strips->strips;
    strips->cycles += kLateWeights * again / bytes_per_cycle;
  }
  // Weights that stay keep those of the next group out of the ring: what two such groups cannot hold together is
  // loaded while nobody computes.
  if (2 * strips->ring_rows > h.weight_rows) {
    strips->cycles +=
        static_cast<double>((2 * strips->ring_rows - h.weight_rows) * h.weight_row_bytes()) / bytes_per_cycle;
  }
  return steps;
}

}  // namespace xrun::compiler
