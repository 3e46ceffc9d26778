#ifndef XRUN_COMPILER_MEMORY_MAP_H_
#define XRUN_COMPILER_MEMORY_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

namespace xrun {
struct HardwareConfig;
}

namespace xrun::compiler {

struct Partition;
struct Plan;

/// Something that has words of activation memory while groups [first_group, last_group] run.
struct MemoryPiece {
  enum Kind : uint8_t {
    kTensor,  ///< kept on chip in whole
    kBuffer,  ///< a few rows of a tensor that lives inside one group
    kTiles,   ///< what a layer that is cut by itself has for its tiles
  };
  Kind kind = kTensor;
  size_t first_group = 0, last_group = 0;
  uint64_t address = 0, words = 0;
  std::string name;  ///< of the tensors at this place
};

/// Activation memory of one partition over its groups, for reports.
struct MemoryMap {
  struct Group {
    std::string name;             ///< of its layers
    std::vector<uint32_t> nodes;  ///< indices into Program::nodes
  };
  bool planned = false;  ///< false: no search (-O0, -O1, --debug-tensors); each layer is a group, tiles are not listed
  std::vector<Group> groups;
  std::vector<MemoryPiece> pieces;
  uint64_t total_words = 0;
  uint64_t peak_words = 0;   ///< one beyond the highest word in use
  uint64_t bound_words = 0;  ///< most words that live at the same time, tiles left out: no placement needs fewer

  /// Words that live while a group runs, tiles left out.
  uint64_t LiveWords(size_t group) const;
};

/// Of a plan; and without one, of the tensors that PlaceTensors kept on chip.
MemoryMap MapOf(const Partition& partition, const HardwareConfig& config, const Plan& plan);
MemoryMap MapOf(const Partition& partition, const HardwareConfig& config);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_MEMORY_MAP_H_
