#include "tests/overlay_hw/lockstep.h"

#include <algorithm>
#include <cassert>
#include <random>

#include "isa/footprint.h"
#include "isa/timing.h"
#include "simulator/reference.h"
#include "tests/unit/cycle_reference.h"

namespace xrun::test {
namespace {

constexpr uint64_t kDramAt = 0x100000003;  ///< odd: runs begin at any byte of a beat

Engine EngineOf(const Instruction& instruction) {
  return std::visit(
      [](const auto& x) -> Engine {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::monostate>) {
          return kAnyEngine;
        } else {
          return x.kEngine;
        }
      },
      instruction);
}

void ExecuteReference(const Instruction& instruction, simulator::MachineState& state, uint8_t* dram) {
  std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, Sync> || std::is_same_v<T, std::monostate>) {
        } else if constexpr (T::kEngine == kLoad || T::kEngine == kSave) {
          simulator::reference::Execute(x, state, dram);
        } else {
          simulator::reference::Execute(x, state);
        }
      },
      instruction);
}

/// The first difference of two equally long memories; empty where they are equal.
template <typename T>
std::string Difference(const char* what, const std::vector<T>& hardware, const std::vector<T>& reference) {
  if (hardware == reference) return "";
  const auto at = std::mismatch(hardware.begin(), hardware.end(), reference.begin());
  return std::string(what) + " " + std::to_string(at.first - hardware.begin()) + ": overlay " +
         std::to_string(*at.first) + ", reference " + std::to_string(*at.second);
}

}  // namespace

HardwareConfig HardwareOf(const std::string& name) {
  auto config = FindConfig(name.rfind("Small", 0) == 0 ? std::string(XRUN_HW_CONFIG_DIR) + "/" + name + ".json" : name);
  assert(config.ok());
  return *config;
}

Lockstep::Lockstep(HardwareConfig config, std::unique_ptr<hw::csim::Bench> bench)
    : config_(std::move(config)), bench_(std::move(bench)), state_(config_) {
  dram_.resize(size_t{1} << 21);
  dram_reference_.resize(dram_.size());
  bench_->dram.AddRegion(kDramAt, dram_.data(), dram_.size());
}

void Lockstep::Randomize(uint64_t seed) {
  RandomInstruction random(seed, config_);
  std::mt19937_64 noise(seed);
  const auto bytes = [&](auto& v, size_t n) {
    v.resize(n);
    uint64_t word = 0;
    for (size_t i = 0; i < n; ++i) {
      if (i % 8 == 0) word = noise();
      v[i] = static_cast<std::decay_t<decltype(v[0])>>(word >> (i % 8 * 8));
    }
  };
  const auto fill = [&](auto& v, size_t n, auto&& value) {
    v.resize(n);
    for (auto& x : v) x = value();
  };
  const uint32_t cp = config_.channels, pp = config_.pixels;
  bytes(contents_.activations, size_t{config_.activation_words()} * cp);
  bytes(contents_.ring, size_t{config_.weight_rows} * config_.weight_row_bytes());
  bytes(contents_.vector, size_t{config_.vector_rows} * cp);
  const auto sum = [&] { return random.Chance(2) ? random.S(INT32_MIN, INT32_MAX) : random.S(-200000, 200000); };
  fill(contents_.partial, size_t{config_.partial_entries} * pp * cp, sum);
  fill(contents_.partial_sum, size_t{config_.partial_entries} * pp, sum);
  fill(contents_.vector_partial, size_t{config_.vector_partial_entries} * cp, sum);
  // Multipliers as they come: shifts that leave something of a sum now and then.
  for (auto* memory : {&contents_.ring, &contents_.vector}) {
    const bool odd = random.Chance(20);
    for (size_t at = 0; at + 16 <= memory->size() && random.Chance(99); at += 16 * random.U(1, 3)) {
      random.Record(reinterpret_cast<uint8_t*>(memory->data() + at), odd);
    }
  }
  bytes(dram_, dram_.size());
  dram_reference_ = dram_;
  bench_->Put(contents_);
  expected_ = contents_;

  for (size_t a = 0; a < config_.activation_words(); ++a) {
    for (size_t c = 0; c < cp; ++c) state_.activations[a * state_.lanes + c] = contents_.activations[a * cp + c];
  }
  for (size_t i = 0; i < contents_.ring.size(); ++i) state_.ring[i] = static_cast<uint8_t>(contents_.ring[i]);
  for (size_t i = 0; i < contents_.vector.size(); ++i) state_.vector[i] = static_cast<uint8_t>(contents_.vector[i]);
  for (size_t e = 0; e < size_t{config_.partial_entries} * pp; ++e) {
    for (size_t c = 0; c < cp; ++c) state_.partial[e * state_.lanes + c] = contents_.partial[e * cp + c];
    state_.partial_sum[e] = contents_.partial_sum[e];
  }
  for (size_t e = 0; e < config_.vector_partial_entries; ++e) {
    for (size_t c = 0; c < cp; ++c) state_.vector_partial[e * state_.lanes + c] = contents_.vector_partial[e * cp + c];
  }
}

std::string Lockstep::Compare() {
  bench_->Get(contents_);
  const size_t cp = config_.channels, lanes = state_.lanes;
  const auto words = [&](auto& to, const auto& from) {
    for (size_t word = 0; word * cp < to.size(); ++word) {
      for (size_t c = 0; c < cp; ++c)
        to[word * cp + c] = static_cast<std::decay_t<decltype(to[0])>>(from[word * lanes + c]);
    }
  };
  words(expected_.activations, state_.activations);
  words(expected_.partial, state_.partial);
  words(expected_.vector_partial, state_.vector_partial);
  std::copy_n(state_.ring.data(), expected_.ring.size(), reinterpret_cast<uint8_t*>(expected_.ring.data()));
  std::copy_n(state_.vector.data(), expected_.vector.size(), reinterpret_cast<uint8_t*>(expected_.vector.data()));
  std::copy_n(state_.partial_sum.data(), expected_.partial_sum.size(), expected_.partial_sum.data());
  std::string difference = Difference("activation byte", contents_.activations, expected_.activations);
  if (difference.empty()) difference = Difference("ring byte", contents_.ring, expected_.ring);
  if (difference.empty()) difference = Difference("vector memory byte", contents_.vector, expected_.vector);
  if (difference.empty()) difference = Difference("partial sum", contents_.partial, expected_.partial);
  if (difference.empty()) difference = Difference("partial sum of x", contents_.partial_sum, expected_.partial_sum);
  if (difference.empty())
    difference = Difference("vector partial sum", contents_.vector_partial, expected_.vector_partial);
  if (difference.empty()) difference = Difference("DRAM byte", dram_, dram_reference_);
  return difference;
}

namespace {

/// Work of an instruction beyond which the reference that steps a clock is too slow.
constexpr uint64_t kMostSteps = 50000;
uint64_t StepsOf(const Conv& x) {
  return uint64_t{x.oc_groups} * x.out_w * x.out_h * x.kernel_h * x.kernel_w * x.ic_groups;
}
template <typename T>
uint64_t StepsOf(const T&) {
  return 0;
}

struct PortName {
  ReferencePort reference;
  const char* name;
};
/// In the order of hw::csim::BenchPort.
constexpr PortName kPorts[hw::csim::kBenchPorts] = {{kPortActivationsA, "activations A"},
                                                    {ReferencePort(kPortSlot0 + 0), "slot 0, Conv result"},
                                                    {ReferencePort(kPortSlot0 + 1), "slot 1, Conv residual"},
                                                    {ReferencePort(kPortSlot0 + 2), "slot 2, Vector read"},
                                                    {ReferencePort(kPortSlot0 + 3), "slot 3, Vector read"},
                                                    {ReferencePort(kPortSlot0 + 4), "slot 4, Vector read"},
                                                    {ReferencePort(kPortSlot0 + 5), "slot 5, Vector result"},
                                                    {ReferencePort(kPortSlot0 + 6), "slot 6, Load"},
                                                    {ReferencePort(kPortSlot0 + 7), "slot 7, Save"},
                                                    {kPortRingA, "ring A"},
                                                    {kPortRingB, "ring B"},
                                                    {kPortPartialA, "partial A"},
                                                    {kPortPartialB, "partial B"},
                                                    {kPortVectorA, "vector memory A"},
                                                    {kPortVectorB, "vector memory B"},
                                                    {kPortVectorPartialA, "vector partial A"},
                                                    {kPortVectorPartialB, "vector partial B"}};

/// Every access of one port, in the order of cycles and, within one, of addresses. Empty where they are the same.
std::string ComparePort(const char* name, std::vector<hw::csim::PortAccess> overlay,
                        std::vector<ReferenceAccess> reference) {
  const auto before = [](const auto& a, const auto& b) {
    return a.cycle != b.cycle ? a.cycle < b.cycle : a.address < b.address;
  };
  std::sort(overlay.begin(), overlay.end(), before);
  std::sort(reference.begin(), reference.end(), before);
  for (size_t i = 0; i < std::max(overlay.size(), reference.size()); ++i) {
    const auto text = [&](const auto& list) {
      return i < list.size() ? std::to_string(list[i].address) + " in cycle " + std::to_string(list[i].cycle) : "none";
    };
    const std::string have = text(overlay), want = text(reference);
    if (have != want)
      return std::string(name) + ", access " + std::to_string(i) + ": overlay " + have + ", reference " + want;
  }
  return "";
}

}  // namespace

std::string Lockstep::ComparePorts(const Instruction& instruction, const hw::csim::BenchResult& result) {
  if (std::visit([](const auto& x) { return StepsOf(x); }, instruction) > kMostSteps) return "";
  const CycleCount reference = StepCycles(instruction, config_);
  for (int p = 0; p < hw::csim::kBenchPorts; ++p) {
    std::string difference =
        ComparePort(kPorts[p].name, result.accesses[p], reference.accesses[static_cast<size_t>(kPorts[p].reference)]);
    if (!difference.empty()) return difference;
    port_accesses_[p] += result.accesses[p].size();
  }
  return "";
}

std::string Lockstep::CompareIterations(const Instruction& instruction, const hw::csim::BenchResult& result) {
  // The formula has all stages of a pixel group or block side by side; the source has them one behind the other, beside
  // those of the next ones. So once in an instruction they count one by one, and some cycles pass from end to end. More
  // than that: queues between stages are short, so that a window's reads and writes do not always make up for each
  // other, and a group's parameters come when the results of the group before the last are out.
  uint64_t most = 0;
  if (std::holds_alternative<Conv>(instruction)) most = result.cycles + (config_.pixels + 1) / 2 + 6;
  const auto window = [&](const auto& x) {
    most = result.cycles + result.cycles / 10 + 12 + 4 * x.groups;
    iterations_ += result.iterations;
    cycles_ += result.cycles;
  };
  if (const auto* x = std::get_if<Depthwise>(&instruction)) window(*x);
  if (const auto* x = std::get_if<Pool>(&instruction)) window(*x);
  if (std::holds_alternative<Conv>(instruction)) {
    iterations_ += result.iterations;
    cycles_ += result.cycles;
  }
  if (std::holds_alternative<Elementwise>(instruction)) most = result.cycles + result.cycles / 10 + 12;
  if (most == 0 || result.iterations <= most + result.overhang) return "";
  return "iterations: " + std::to_string(result.iterations) + ", not more than " +
         std::to_string(most + result.overhang) + " were to be expected of " + std::to_string(result.cycles) +
         " cycles";
}

std::string Lockstep::CompareCycles(const Instruction& instruction, const hw::csim::BenchResult& result) {
  const OwnCycles own = CyclesOf(instruction, config_);
  const uint64_t formula = own.total() - own.fill - own.drain;
  if (result.cycles != formula) {
    return "cycles: overlay " + std::to_string(result.cycles) + ", formula " + std::to_string(formula) + " (" +
           xrun::Describe(own) + ")";
  }
  if (std::string difference = CompareIterations(instruction, result); !difference.empty()) return difference;
  if (result.violations != 0) return std::to_string(result.violations) + " accesses that a memory port cannot do";
  return ComparePorts(instruction, result);
}

std::string Lockstep::Run(const Instruction& instruction) {
  const Engine engine = EngineOf(instruction);
  auto word = Encode(instruction);
  assert(word.ok());
  uint64_t address[kBaseRegisters], limit[kBaseRegisters];
  std::fill(std::begin(address), std::end(address), kDramAt);
  std::fill(std::begin(limit), std::end(limit), dram_.size());
  limit[kBaseStatus] = 0;
  uint64_t end = 0;
  bool writes = false;
  for (const Access& a : Footprint(instruction, config_)) {
    if (a.memory != Memory::kDram) continue;
    end = std::max(end, a.start + (a.count - 1) * a.pitch + a.length);
    writes = a.write;
    if (end > limit[a.base]) end = UINT64_MAX;
  }
  last_ = bench_->Execute(engine, word->data(), address, limit);
  const hw::csim::BenchResult& result = last_;
  if (end != 0) {
    const auto base = static_cast<uint32_t>(std::visit(
        [](const auto& x) -> uint32_t {
          if constexpr (requires { x.base; }) return x.base;
          return 0;
        },
        instruction));
    const bool read_only = base == kBaseWeights || (base >= kBaseInput0 && base < kBaseOutput0) || base == kBaseStatus;
    const Trap want = writes && read_only ? Trap::kReadOnly : end > dram_.size() ? Trap::kDramLimit : Trap::kNone;
    if (want != Trap::kNone) {
      return result.trap == want ? Compare()
                                 : "DRAM trap: overlay " + std::string(TrapName(result.trap)) + ", want " +
                                       std::string(TrapName(want)) + "\n  " + Disassemble(instruction);
    }
  }
  if (result.trap != Trap::kNone) return "trap: " + std::string(TrapName(result.trap));
  ExecuteReference(instruction, state_, dram_reference_.data());
  std::string difference = Compare();
  if (difference.empty() && check_cycles_) difference = CompareCycles(instruction, result);
  if (difference.empty()) return "";
  return difference + "\n  " + config_.name + ": " + Disassemble(instruction);
}

}  // namespace xrun::test
