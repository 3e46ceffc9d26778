#include "simulator/prepared.h"

#include <algorithm>
#include <array>

namespace xrun::simulator {
namespace {

PreparedInstruction PrepareOne(const InstructionWord& word, Engine engine, const HardwareConfig& config) {
  PreparedInstruction p;
  Result<Instruction> decoded = Decode(word, engine);
  if (!decoded.ok()) {
    p.trap = Trap::kIllegalInstruction;
    p.cause = decoded.failure().message;
    return p;
  }
  p.instruction = *decoded;
  p.wait = HeaderOf(p.instruction).wait & ~(1U << engine);
  p.signal = HeaderOf(p.instruction).signal & ~(1U << engine);
  if (const Status status = CheckRanges(p.instruction, engine); !status.ok()) {
    p.trap = Trap::kIllegalInstruction;
    p.cause = status.failure().message;
    return p;
  }
  if (const Status status = CheckOnChip(p.instruction, config); !status.ok()) {
    p.trap = Trap::kOnChipLimit;
    p.cause = status.failure().message;
    return p;
  }
  const auto dram = [&](uint32_t base, bool write, uint64_t end) {
    p.touches_dram = true;
    p.writes_dram = write;
    p.base = static_cast<uint8_t>(base);
    p.dram_end = end;
  };
  const auto copy_end = [&](const auto& x) {
    return uint64_t{x.offset} + uint64_t{x.planes - 1} * x.plane_stride + uint64_t{x.rows - 1} * x.row_stride +
           uint64_t{x.cols} * config.channels;
  };
  if (const auto* load = std::get_if<Load>(&p.instruction)) dram(load->base, false, copy_end(*load));
  if (const auto* save = std::get_if<Save>(&p.instruction)) dram(save->base, true, copy_end(*save));
  p.acquire = AcquireOf(p.instruction);
  if (const auto* matrix = std::get_if<LoadMatrix>(&p.instruction)) {
    dram(
        matrix->base, false,
        uint64_t{matrix->offset} + uint64_t{matrix->rows - 1} * matrix->row_stride + MatrixBlockBytes(*matrix, config));
  }
  if (const auto* packed = std::get_if<LoadPacked>(&p.instruction)) {
    const std::array<PackedBlocks, 2> halves = BlocksOf(*packed);
    if (const uint64_t end = std::max(halves[0].end(), halves[1].end()); end != 0) dram(packed->base, false, end);
  }
  if (const auto* weights = std::get_if<LoadWeights>(&p.instruction)) {
    if (weights->rows != 0) {
      dram(weights->base, false, uint64_t{weights->offset} + uint64_t{weights->rows} * config.weight_row_bytes());
    }
  }
  if (const auto* vector = std::get_if<LoadVector>(&p.instruction)) {
    dram(vector->base, false, uint64_t{vector->offset} + uint64_t{vector->rows} * config.channels);
  }
  if (const auto* conv = std::get_if<Conv>(&p.instruction)) {
    p.release = conv->release;
    p.macs = uint64_t{conv->out_w} * conv->out_h * conv->kernel_h * conv->kernel_w * conv->ic_groups * conv->oc_groups *
             config.channels * config.channels;
  }
  return p;
}

}  // namespace

PreparedStep::PreparedStep(const Program& program, const OverlayStep& step)
    : config_(program.config), step_(step), nodes_(program.nodes), weights_(program.weights) {
  for (uint8_t e = 0; e < kEngines; ++e) {
    PreparedStream& stream = streams_[e];
    stream.prologue = static_cast<uint32_t>(step.prologue[e].size());
    stream.instructions.reserve(step.prologue[e].size() + step.body[e].size());
    for (const auto& words : {step.prologue[e], step.body[e]}) {
      for (const InstructionWord& word : words) {
        stream.instructions.push_back(PrepareOne(word, static_cast<Engine>(e), config_));
      }
    }
  }
}

const InstructionWord& PreparedStep::WordAt(Engine engine, uint32_t index) const {
  const auto& prologue = step_.prologue[engine];
  return index < prologue.size() ? prologue[index] : step_.body[engine][index - prologue.size()];
}

const std::array<std::vector<OwnCycles>, kEngines>& PreparedStep::Cycles() const {
  std::call_once(cycles_once_, [&] {
    for (size_t e = 0; e < kEngines; ++e) {
      cycles_[e].reserve(streams_[e].instructions.size());
      for (const PreparedInstruction& p : streams_[e].instructions) {
        cycles_[e].push_back(p.trap == Trap::kNone ? CyclesOf(p.instruction, config_) : OwnCycles{});
      }
    }
  });
  return cycles_;
}

const std::array<std::vector<std::vector<Access>>, kEngines>& PreparedStep::Footprints() const {
  std::call_once(footprints_once_, [&] {
    for (size_t e = 0; e < kEngines; ++e) {
      footprints_[e].reserve(streams_[e].instructions.size());
      for (const PreparedInstruction& p : streams_[e].instructions) {
        footprints_[e].push_back(p.trap == Trap::kNone ? Footprint(p.instruction, config_) : std::vector<Access>{});
      }
    }
  });
  return footprints_;
}

Result<std::shared_ptr<const TimingReport>> PreparedStep::Timing(uint32_t requests) const {
  const std::lock_guard lock(timing_mutex_);
  auto& known = timing_[requests];
  if (known == nullptr) {
    XRUN_ASSIGN_OR_RETURN(TimingReport report, SimulateTiming(*this, {requests, false, 0, 0}));
    known = std::make_shared<const TimingReport>(std::move(report));
  }
  return known;
}

std::shared_ptr<const PreparedStep> Prepare(const Program& program, const OverlayStep& step) {
  return std::make_shared<const PreparedStep>(program, step);
}

}  // namespace xrun::simulator
