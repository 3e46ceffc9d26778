#include "tests/overlay_hw/extremes.h"

#include "isa/footprint.h"
#include "isa/timing.h"

namespace xrun::test {
namespace {

constexpr uint64_t kMostCycles = 30000;

/// Work of an instruction, without computing anything that grows with it.
double Work(const Instruction& instruction, const HardwareConfig& config) {
  const auto window = [](const auto& x) { return 1.0 * x.out_w * x.out_h * x.kernel_h * x.kernel_w; };
  return std::visit(
      [&](const auto& x) -> double {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, Conv>) {
          return window(x) * x.ic_groups * x.oc_groups / config.pixels;
        } else if constexpr (std::is_same_v<T, Depthwise> || std::is_same_v<T, Pool>) {
          return window(x) * x.groups;
        } else if constexpr (std::is_same_v<T, Elementwise> || std::is_same_v<T, Load> || std::is_same_v<T, Save>) {
          return 1.0 * x.planes * x.rows * x.cols;
        } else if constexpr (std::is_same_v<T, LoadPacked>) {
          return 1.0 * x.rows * x.cols * (1 + x.stride);
        } else if constexpr (std::is_same_v<T, LoadWeights> || std::is_same_v<T, LoadVector> ||
                             std::is_same_v<T, LoadMatrix>) {
          return x.rows;
        } else {
          return 0;
        }
      },
      instruction);
}

}  // namespace

Trap ExpectedTrap(const InstructionWord& word, Engine engine, const HardwareConfig& config, bool& overlaps) {
  overlaps = false;
  const auto instruction = Decode(word, engine);
  if (!instruction.ok() || !CheckRanges(*instruction, engine).ok()) return Trap::kIllegalInstruction;
  const Status status = CheckOnChip(*instruction, config);
  if (status.ok()) return Trap::kNone;
  overlaps = status.failure().message.find("overlap") != std::string::npos;
  return overlaps ? Trap::kNone : Trap::kOnChipLimit;
}

std::string CompareWord(Lockstep& lockstep, const InstructionWord& word, Engine engine, bool& executed) {
  executed = false;
  bool overlaps = false;
  const Trap want = ExpectedTrap(word, engine, lockstep.config(), overlaps);
  const Trap got = lockstep.bench().Judge(engine, word.data());
  const std::string text = "\n  " + lockstep.config().name + ": " + Disassemble(word, engine);
  if (got != want) return "overlay: " + std::string(TrapName(got)) + ", host: " + std::string(TrapName(want)) + text;
  if (want != Trap::kNone || overlaps) return "";
  const Instruction instruction = *Decode(word, engine);
  if (Work(instruction, lockstep.config()) > kMostCycles) return "";
  executed = true;
  return lockstep.Run(instruction);
}

}  // namespace xrun::test
