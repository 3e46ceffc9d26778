#include "simulator/shadow.h"

#include <algorithm>
#include <numeric>

namespace xrun::simulator {
namespace {

/// Registers whose buffers a program writes: the others never change.
bool Written(uint32_t base) { return base == kBaseWorkspace || (base >= kBaseOutput0 && base < kBaseStatus); }

}  // namespace

Shadow::Shadow(const HardwareConfig& config) {
  const auto area = [&](Memory memory, uint64_t units, const char* name, uint64_t wrap = 0) {
    Area& a = chip_[static_cast<size_t>(memory)];
    a.units.resize(units);
    a.name = name;
    a.wrap = wrap;
  };
  area(Memory::kActivation, config.activation_words(), "activation word");
  area(Memory::kWeightRing, config.weight_rows, "weight ring row", config.weight_rows);
  area(Memory::kPartial, config.partial_entries, "partial entry");
  area(Memory::kVectorMemory, config.vector_rows, "vector memory row");
  area(Memory::kVectorPartial, config.vector_partial_entries, "vector partial entry");
}

void Shadow::Begin(const PreparedStep& step, std::span<const LaunchRequest> requests) {
  for (Area& a : chip_) std::fill(a.units.begin(), a.units.end(), Unit{});

  // A unit of DRAM is as many bytes as every access begins at, repeats at and spans a multiple of.
  std::array<uint64_t, kBaseRegisters> granule{};
  for (const auto& engine : step.Footprints()) {
    for (const auto& accesses : engine) {
      for (const Access& a : accesses) {
        if (a.memory != Memory::kDram) continue;
        uint64_t& g = granule[a.base];
        g = std::gcd(g, std::gcd(a.start, a.length));
        if (a.count > 1) g = std::gcd(g, a.pitch);
      }
    }
  }
  dram_.clear();
  dram_of_.assign(requests.size(), {});
  std::map<std::pair<const uint8_t*, uint64_t>, int32_t> known;  // requests may share a buffer
  for (size_t r = 0; r < requests.size(); ++r) {
    for (uint32_t base = 0; base < kBaseRegisters; ++base) {
      dram_of_[r][base] = -1;
      const auto& bytes = requests[r].registers[base];
      if (!Written(base) || bytes.empty() || granule[base] == 0) continue;
      const auto [entry, is_new] = known.try_emplace({bytes.data(), granule[base]}, static_cast<int32_t>(dram_.size()));
      dram_of_[r][base] = entry->second;
      if (is_new) {
        Area area;
        area.granule = granule[base];
        area.name = "DRAM byte";
        dram_.push_back(std::move(area));
      }
      auto& units = dram_[static_cast<size_t>(entry->second)].units;
      units.resize(std::max(units.size(), bytes.size() / granule[base] + 1));
    }
  }
}

std::optional<Shadow::Finding> Shadow::Touch(Area& area, const Access& access, Engine engine, const Clock& clock) {
  const auto problem = [&](uint64_t unit, Trap trap, const std::string& text) {
    return Finding{trap, std::string(access.write ? "writes " : "reads ") + area.name + ' ' +
                             std::to_string(unit * area.granule) + text};
  };
  const auto other = [](Engine who, uint32_t number) {
    return std::string(EngineName(who)) + " instruction number " + std::to_string(number) + " of the launch";
  };
  for (uint64_t run = 0; run < access.count; ++run) {
    const uint64_t first = (access.start + run * access.pitch) / area.granule, length = access.length / area.granule;
    for (uint64_t i = 0; i < length; ++i) {
      const uint64_t at = area.wrap != 0 ? (first + i) & (area.wrap - 1) : first + i;
      Unit& unit = area.units[at];
      if (unit.write == 0) {
        if (!access.write) {
          return problem(at, Trap::kUninitialized, ", which nobody wrote in this launch");
        }
      } else if (unit.write > clock[unit.writer]) {
        return problem(at, Trap::kRace,
                       std::string(", which ") + other(unit.writer, unit.write) + " writes: no token orders the two");
      }
      if (!access.write) {
        unit.reads[engine] = clock[engine];
        continue;
      }
      for (uint8_t e = 0; e < kEngines; ++e) {
        if (e != engine && unit.reads[e] > clock[e]) {
          return problem(at, Trap::kRace,
                         std::string(", which ") + other(static_cast<Engine>(e), unit.reads[e]) +
                             " reads: no token orders the two");
        }
      }
      unit.write = clock[engine];
      unit.writer = engine;
    }
  }
  return std::nullopt;
}

std::optional<Shadow::Finding> Shadow::Check(Engine engine, const Clock& clock, uint32_t request,
                                             const std::vector<Access>& accesses) {
  for (const Access& access : accesses) {
    std::optional<Finding> finding;
    if (access.memory != Memory::kDram) {
      finding = Touch(chip_[static_cast<size_t>(access.memory)], access, engine, clock);
    } else if (const int32_t index = dram_of_[request][access.base]; index >= 0) {
      finding = Touch(dram_[static_cast<size_t>(index)], access, engine, clock);
    }
    if (finding) return finding;
  }
  return std::nullopt;
}

}  // namespace xrun::simulator
