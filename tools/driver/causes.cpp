#include "tools/driver/causes.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

#include "isa/timing.h"

namespace xrun::tools {
namespace {

using simulator::InstructionTime;
using simulator::Stall;
using simulator::TimingReport;

constexpr const char* kNames[] = {"channel and pixel remainders",
                                  "depthwise on the array",
                                  "port conflict",
                                  "requantize lanes",
                                  "pipeline fill",
                                  "weight load not hidden",
                                  "DRAM",
                                  "vector engine",
                                  "token wait",
                                  "instruction fetch",
                                  "launch and last outputs"};
static_assert(std::size(kNames) == static_cast<size_t>(ArrayTime::kParts));

uint64_t& At(ArrayTimes* times, ArrayTime part) { return (*times)[static_cast<size_t>(part)]; }

/// Conv instructions that waited for a token of a Load: whether that Load brought weights.
std::vector<bool> WaitedForWeights(const OverlayStep& step, const TimingReport& report) {
  std::vector<bool> weights(report.instructions[kConv].size(), false);
  for (const simulator::TokenTime& token : report.tokens) {
    if (token.from != kLoad || token.to != kConv) continue;
    const InstructionTime& sender = report.instructions[kLoad][token.from_instruction];
    if (sender.prologue) continue;
    const auto load = Decode(step.body[kLoad][sender.index], kLoad);
    weights[token.to_instruction] =
        load.ok() && (std::holds_alternative<LoadWeights>(*load) || std::holds_alternative<LoadMatrix>(*load));
  }
  return weights;
}

ArrayTime PartOf(Stall stall, bool weights) {
  switch (stall) {
    case Stall::kTokenLoad:
      return weights ? ArrayTime::kWeights : ArrayTime::kDram;
    case Stall::kRing:
      return ArrayTime::kWeights;
    case Stall::kTokenSave:
    case Stall::kDramRead:
    case Stall::kDramWrite:
      return ArrayTime::kDram;
    case Stall::kTokenVector:
      return ArrayTime::kVector;
    case Stall::kTokenConv:
    case Stall::kTokenFull:
      return ArrayTime::kTokens;
    case Stall::kFetch:
      return ArrayTime::kFetch;
    case Stall::kCauses:
      break;
  }
  assert(false && "an instruction that waited has a cause");
  return ArrayTime::kTokens;
}

/// Nodes that the vector engine computes with Depthwise instructions.
std::set<uint32_t> DepthwiseNodes(const OverlayStep& step) {
  std::set<uint32_t> nodes;
  for (const NodeRange& range : step.ranges) {
    if (range.engine != kVector) continue;
    for (uint32_t i = range.first; i < range.first + range.count; ++i) {
      const auto instruction = Decode(step.body[kVector][i], kVector);
      if (instruction.ok() && std::holds_alternative<Depthwise>(*instruction)) nodes.insert(range.node);
    }
  }
  return nodes;
}

ArrayTimes OwnTimes(const InstructionWord& word, const HardwareConfig& config) {
  ArrayTimes times{};
  At(&times, ArrayTime::kPipelineFill) = config.decode_cycles;
  const auto instruction = Decode(word, kConv);
  if (!instruction.ok()) return times;
  const OwnCycles c = CyclesOf(*instruction, config);
  At(&times, ArrayTime::kSteps) = c.compute;
  At(&times, ArrayTime::kPortConflict) = c.conflicts;
  At(&times, ArrayTime::kRequantizeLanes) = c.output;
  At(&times, ArrayTime::kPipelineFill) += c.fill + c.table + c.drain + c.parameters;
  return times;
}

}  // namespace

StepTimes DivideArrayTime(const Program& program, const OverlayStep& step, const TimingReport& report) {
  StepTimes result;
  constexpr uint32_t kNobody = UINT32_MAX;
  std::vector<uint32_t> node_of(step.body[kConv].size(), kNobody);
  for (const NodeRange& range : step.ranges) {
    if (range.engine == kConv) std::fill_n(node_of.begin() + range.first, range.count, range.node);
  }
  const std::set<uint32_t> depthwise = DepthwiseNodes(step);
  std::vector<ArrayTimes> own;
  for (size_t i = 0; i < step.body[kConv].size(); ++i) {
    own.push_back(OwnTimes(step.body[kConv][i], program.config));
    if (!depthwise.contains(node_of[i])) continue;
    result.depthwise.insert(node_of[i]);
    std::swap(At(&own.back(), ArrayTime::kSteps), At(&own.back(), ArrayTime::kDepthwise));
  }
  ArrayTimes decoded{};  // and nothing more
  At(&decoded, ArrayTime::kPipelineFill) = program.config.decode_cycles;

  const std::vector<bool> weights = WaitedForWeights(step, report);
  for (size_t i = 0; i < report.instructions[kConv].size(); ++i) {
    const InstructionTime& time = report.instructions[kConv][i];
    ArrayTimes times = time.prologue || time.idle ? decoded : own[time.index];
    if (time.waited_for != Stall::kCauses) At(&times, PartOf(time.waited_for, weights[i])) += time.waited;
    const uint32_t node = time.prologue ? kNobody : node_of[time.index];
    for (size_t p = 0; p < times.size(); ++p) {
      result.all[p] += times[p];
      if (node != kNobody) result.nodes[node][p] += times[p];
    }
  }
  At(&result.all, ArrayTime::kLaunch) += report.engines[kConv].idle + program.config.launch_cycles;
  return result;
}

std::vector<std::pair<std::string, double>> GapCauses(const ArrayTimes& times, double bound) {
  std::vector<std::pair<std::string, double>> causes;
  for (size_t p = 0; p < times.size(); ++p) causes.emplace_back(kNames[p], static_cast<double>(times[p]));
  causes[static_cast<size_t>(ArrayTime::kSteps)].second -= bound;
  std::stable_sort(causes.begin(), causes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return causes;
}

}  // namespace xrun::tools
