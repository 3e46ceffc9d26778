#ifndef XRUN_TOOLS_DRIVER_RESOURCES_H_
#define XRUN_TOOLS_DRIVER_RESOURCES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isa/hardware_config.h"
#include "isa/result.h"

namespace xrun::tools {

/// Cells of an UltraScale+ part. BRAM is counted in halves (BRAM18); a BRAM36 is two.
struct Resources {
  uint64_t lut = 0, ff = 0, dsp = 0, bram18 = 0, uram = 0;
  Resources& operator+=(const Resources& o);
  double bram36() const { return static_cast<double>(bram18) / 2; }
};

/// One part of the overlay with the reason for its figures.
struct ResourceTerm {
  std::string name, why;
  Resources cells;
};

/// How products and roundings are made.
enum class Products : uint8_t {
  kPlain,   ///< for comparison: a product a DSP, the rounding shift as wide as its operand
  kPacked,  ///< as the engines' source is written: two products that share a weight in a DSP, the short rounding
  kDoubled  ///< packed, and the array's DSPs run at twice the clock of the rest: four products a cycle
};
struct ArrayMultipliers {
  Products products = Products::kPacked;
  /// Pixel lanes whose products are made of LUTs; at most `pixels`.
  uint32_t lut_lanes = 0;
};

/// Which of the large memories stand in UltraRAM, and whether the partial buffer stands in BRAM and not in LUTs.
struct MemoryPlacement {
  bool activations_uram = false, ring_uram = false, vector_uram = false, partial_bram = false;
};

/// The overlay's parts. What the terms rest on and how far they can be off: overlay_hw/README.md, "Resources".
std::vector<ResourceTerm> EstimateResources(const HardwareConfig& config, const ArrayMultipliers& multipliers,
                                            const MemoryPlacement& placement);
Resources TotalOf(const std::vector<ResourceTerm>& terms);

/// A part as a board's platform leaves it to kernels.
struct Board {
  std::string name, part;
  Resources cells;
};
const std::vector<Board>& KnownBoards();
/// "did you mean" otherwise.
Result<Board> FindBoard(std::string_view name);

/// How many cores of a configuration fit a board, and how.
struct BoardFit {
  uint32_t cores = 0;         ///< 0: not even one fits
  MemoryPlacement placement;  ///< of those cores; of one core where none fits
  Resources core;             ///< one core
  std::string limit;          ///< what one more core would have too little of: "DSP", "LUT", …
};
/// Shares of a part that may be filled before placement and routing at the configuration's clock become a gamble.
struct FillLimits {
  double lut = 0.80, ff = 0.80, dsp = 0.92, bram = 0.95, uram = 1.0;
};
BoardFit FitBoard(const HardwareConfig& config, const ArrayMultipliers& multipliers, const Board& board,
                  const FillLimits& limits = {});

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_RESOURCES_H_
