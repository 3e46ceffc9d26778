#ifndef XRUN_COMPILER_SCHEDULE_H_
#define XRUN_COMPILER_SCHEDULE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/lower.h"
#include "isa/assembly.h"
#include "isa/hardware_config.h"
#include "isa/program.h"
#include "isa/result.h"

namespace xrun::compiler {

/// Upper bounds on tile sizes, 0 = none: how tests force every path of the tiler. Results never depend on them.
struct TilingLimits {
  uint32_t rows = 0, cols = 0;  ///< of an output tile
  uint32_t out_groups = 0;      ///< output channel groups of an instruction
  uint32_t in_groups = 0;       ///< input channel groups of an instruction (forces partial sums)
  uint32_t kernel_rows = 0;     ///< kernel rows of an instruction (forces partial sums)
  bool single_buffer = false;
  bool keep_on_chip = true;  ///< whole tensors in activation memory where they fit
  uint32_t stagger = 0;  ///< forces a staggered program (stagger.h) where one can be; the number picks cut and window
  /// Forces a share of depthwise layers in strips onto the array (share_depthwise.cpp); the number picks how much.
  uint32_t share = 0;
};

/// An instruction in emission order: the order in which one engine doing everything could execute the program.
struct ScheduledInstruction {
  Instruction instruction;
  Engine engine = kLoad;
  int32_t layer = kNone;    ///< index into Partition::layers
  int32_t segment = kNone;  ///< LoadWeights, LoadMatrix: the ring segment it fills; Conv: the one it reads
  uint32_t row = 0;         ///< first ring row of what it fills or reads, counted from the segment's first
  bool releases = false;    ///< Conv: last reader of its segment
};

/// The instructions of one partition's body. Every wait sees its signal earlier in this order, so it is also the proof
/// that the program cannot deadlock.
struct Schedule {
  std::vector<ScheduledInstruction> body;
  std::array<std::vector<Instruction>, kEngines> prologue;
  uint32_t segments = 0;
  std::vector<size_t> group_starts;  ///< with a plan: where each group begins in `body`
  // A staggered program (stagger.h): the first segments are the front half's, the others the back half's, which stands
  // among the body's instructions `window`. There the front half has the first `front_rows` of weight memory, the back
  // half the rest. The ring is not used; tokens order who fills rows and who reads them.
  std::optional<OverlayStep::Stagger> stagger;
  uint32_t front_segments = 0, front_rows = 0;
  std::pair<size_t, size_t> window;
};

/// The weight section under construction: segments and constants, each at a multiple of 64 bytes.
class WeightImage {
 public:
  WeightImage() = default;
  /// Only counts bytes: for schedules that are estimated and thrown away.
  static WeightImage Measure() {
    WeightImage image;
    image.measures_ = true;
    return image;
  }
  bool measures() const { return measures_; }
  /// Room for so many bytes in an image that only counts.
  uint64_t Reserve(uint64_t bytes);
  /// Offset at which these bytes stand, aligned to 64: where they stand already, or at the end.
  uint64_t Append(const std::vector<uint8_t>& data);
  uint64_t size() const { return measures_ ? measured_ : bytes_.size(); }
  /// Forgets what was appended since the image had this size.
  void Truncate(uint64_t size);
  std::vector<uint8_t> Take() && { return std::move(bytes_); }

 private:
  struct Piece {
    uint64_t offset, size;
  };

  bool measures_ = false;
  uint64_t measured_ = 0;
  std::vector<uint8_t> bytes_;
  std::unordered_multimap<size_t, Piece> pieces_;  ///< by hash of their bytes
};

/// What tiling decided for a layer, for --dump-after=tile and reports.
struct TileReport {
  std::string text;
};

/// Cuts every layer into tiles and emits its instructions: addresses, but no tokens and no ring rows yet. Tensors must
/// have been placed (PlaceTensors). Failure names the layer and what does not fit.
/// With a plan its groups are followed, without one each layer is cut by itself.
struct Plan;
Result<Schedule> BuildSchedule(const Partition& partition, const HardwareConfig& config, const TilingLimits& limits,
                               const Plan* plan, WeightImage* weights, std::vector<TileReport>* report);

/// First and last layer that touch a tensor or a view of it; last = -1 for one that nobody touches, and for views.
struct LiveRange {
  int32_t first = INT32_MAX, last = -1;
  bool Overlaps(const LiveRange& other) const { return first <= other.last && other.first <= last; }
};
std::vector<LiveRange> LiveRanges(const Partition& partition);

/// Decides which tensors stay on chip and where the others lie in the workspace. Returns its size in bytes. With
/// `share_workspace` tensors that do not live at the same time may lie at the same place.
uint64_t PlaceTensors(Partition* partition, const HardwareConfig& config, bool keep_on_chip,
                      bool share_workspace = true);

/// Assigns weight rows to segments; a body acquires and releases a multiple of the ring. False where segments that live
/// together do not fit, which only happens in staggered programs and where weights come ahead (PlanOptions).
bool AssignWeightRows(Schedule* schedule, const HardwareConfig& config);

/// Sets wait and signal masks and the prologue's tokens from what instructions read and write.
void Synchronize(Schedule* schedule, const HardwareConfig& config);

/// One line an instruction: emission order, engine, layer name, disassembly.
std::string ToText(const Schedule& schedule, const Partition& partition);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_SCHEDULE_H_
