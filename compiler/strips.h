#ifndef XRUN_COMPILER_STRIPS_H_
#define XRUN_COMPILER_STRIPS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "compiler/emitter.h"
#include "compiler/instructions.h"
#include "compiler/pack_weights.h"
#include "compiler/schedule.h"

namespace xrun::compiler {

/// What strips need to know of a layer, once.
struct StripLayer {
  /// Conv with one set of input groups, window operator or elementwise without parts, all in full width: what strips
  /// can compute. Others are scheduled by themselves (schedule_*.cpp).
  bool simple = false;
  Engine engine = kConv;
  /// A convolution with phases that only repeats pixels (RepeatsPixels): in strips the vector engine copies them.
  bool repeats = false;
  struct Operand {
    int32_t tensor = kNone, root = kNone;
    enum Role : uint8_t { kMain, kSecond, kResidual } role = kMain;
  };
  std::vector<Operand> operands;
  int32_t output_root = kNone;
  uint32_t in_group0 = 0, in_groups = 0;  ///< Conv: of the main operand's tensor
  uint32_t group_rows = 0;                ///< Conv: ring rows of one output group; without the table
  uint32_t table_rows = 0;                ///< in ring or vector memory
  uint32_t vector_rows = 0;               ///< vector memory of the whole layer
  bool seamless = true;                   ///< whether rows go on over the borders of samples
  uint64_t weight_bytes = 0;
  // Depthwise layers of which the array can take channel groups: rows of one group, in vector memory, and in the ring
  // with its table. Else 0.
  uint32_t vector_group_rows = 0, array_group_rows = 0;
};

/// Depthwise layers on both engines (share_depthwise.cpp).
struct DepthwiseShare {
  bool allowed = true;
  uint32_t forced = 0;  ///< for tests: a share that this number picks, whether it pays or not
};

/// A partition and what planning asks of it again and again.
class StripContext {
 public:
  StripContext(const Partition& partition, const HardwareConfig& config, const DepthwiseShare& share);

  const Partition& partition;
  const HardwareConfig& config;
  const DepthwiseShare share;
  std::vector<StripLayer> layers;
  std::vector<LiveRange> live;  ///< by root

  const OverlayTensor& tensor(int32_t i) const { return partition.tensors[static_cast<size_t>(i)]; }
  int32_t Root(int32_t i) const { return tensor(i).is_view() ? tensor(i).parent : i; }
  /// Input rows that rows [y0, y0 + yn) of a layer's result need of an operand.
  InputSpan Rows(int32_t layer, const StripLayer::Operand& operand, uint32_t y0, uint32_t yn) const;
  /// The same of the main operand of a window, for some of the kernel's rows; all within a stretch.
  InputSpan KernelRows(int32_t layer, uint32_t y0, uint32_t yn, uint32_t kh0, uint32_t khn) const;
  /// Rows [y0, y0 + yn) of a layer's result in stretches that one instruction can compute: cut where a sample of a
  /// stack ends, unless rows go on over that border as they do within a sample.
  std::vector<std::pair<uint32_t, uint32_t>> Stretches(int32_t layer, uint32_t y0, uint32_t yn) const;
  /// Own cycles; memory of what was asked before.
  uint64_t Cycles(const std::vector<uint32_t>& key, const std::function<Instruction()>& make) const;

 private:
  StripLayer Describe(const Layer& layer) const;
  struct KeyHash {
    size_t operator()(const std::vector<uint32_t>& key) const;
  };
  mutable std::unordered_map<std::vector<uint32_t>, uint64_t, KeyHash> cycles_;
};

/// Consecutive layers computed together, strip by strip: how many rows each layer makes in each strip, where its rows
/// lie meanwhile, and in which order. A layer that takes what another engine makes lags one strip behind it, so that
/// the engines work side by side. Tensors between them live in buffers of a few rows: rows are appended while they fit;
/// then the rows still needed are copied to the buffer's beginning.
struct Strips {
  struct Work {
    int32_t layer = kNone;
    uint32_t stage = 0;          ///< strips it lags behind
    std::vector<uint32_t> done;  ///< rows made after each strip
    uint32_t array_groups = 0;   ///< Depthwise: its last groups, which the array computes beside the vector engine
    uint32_t First(uint32_t strip) const { return strip == 0 ? 0 : done[strip - 1]; }
    uint32_t Rows(uint32_t strip) const { return done[strip] - First(strip); }
  };
  /// A buffer of rows of one tensor: all columns, some groups.
  struct Buffer {
    int32_t root = kNone;
    uint32_t group0 = 0, groups = 0, pitch = 0, capacity = 0;
    /// Groups it has room for. Fewer than `groups`: a result that goes to DRAM, or a residual operand that comes from
    /// there, chunk by chunk of output groups, which take turns.
    uint32_t stored = 0;
    bool in_chunks() const { return stored < groups; }
    bool loads = false, saves = false;
    uint32_t stage = 0, lag = 0;
    std::vector<uint32_t> low, from, to;  ///< by strip: first row needed, new rows [from, to)
    std::vector<int64_t> place;           ///< by strip: row y stands at buffer row place + y
    std::vector<bool> wraps;              ///< by strip: rows [low, from) move to the beginning
    uint64_t words() const { return uint64_t{stored} * capacity * pitch; }
    uint32_t address = 0;  ///< set when the group is placed
  };
  struct Event {
    enum Kind : uint8_t { kLoad, kCopy, kLayer } kind = kLayer;
    size_t index = 0;  ///< buffer or work
    uint32_t strip = 0;
  };

  int32_t first = 0, last = 0;  ///< layers [first, last)
  uint32_t rows = 0, strips = 1;
  std::vector<Work> works;
  std::vector<Buffer> buffers;
  std::vector<Event> events;
  /// Weights come anew for each strip, in segments of some output groups, instead of staying in the ring for all.
  bool stream = false;
  std::vector<uint32_t> chunk_groups;  ///< by work: output groups of a weight segment
  /// By work: kernel rows and input groups of a segment; fewer than all: sums in parts, for weights of which even one
  /// output group is much of the ring.
  std::vector<std::pair<uint32_t, uint32_t>> sum_parts;
  std::vector<size_t> weight_order;               ///< works with weights in the order that gives them back
  uint64_t ring_rows = 0;                         ///< of weights that stay
  std::vector<std::pair<int32_t, int32_t>> same;  ///< (output, input) roots on chip at one address
  uint64_t words = 0;                             ///< of all buffers
  uint64_t dram_bytes = 0;
  double cycles = 0;  ///< the cost model's figure

  const Buffer* Find(int32_t root) const;
};

/// What the cost model says of a step: cycles of each engine's work.
struct StripStep {
  double conv = 0, vector = 0, load = 0, save = 0;
};

/// Sets `cycles` and `dram_bytes`; returns the steps.
std::vector<StripStep> SetCost(const StripContext& context, Strips* strips);

/// Cycles of a depthwise layer at a strip: of its first groups on the vector engine, of any one group on the array.
uint64_t VectorCycles(const StripContext& context, const Strips& strips, const Strips::Work& work, uint32_t strip,
                      uint32_t groups);
uint64_t ArrayCycles(const StripContext& context, const Strips& strips, const Strips::Work& work, uint32_t strip);

/// By layer of [first, last): channel groups that the array must take so that the others fit vector memory. nullopt:
/// they never do, or there is nothing that the array could take.
std::optional<std::vector<uint32_t>> LeastShares(const StripContext& context, int32_t first, int32_t last);
/// The same with which both engines would be busy for as long, by the cost of strips with other shares.
std::vector<uint32_t> BalancedShares(const StripContext& context, const Strips& strips,
                                     const std::vector<StripStep>& steps);
/// For tests: DepthwiseShare::forced.
std::vector<uint32_t> ForcedShares(const StripContext& context, int32_t first, int32_t last);

/// Where tensors that cross a group's border live: on chip in whole, or in DRAM.
using OnChipQuery = std::function<bool(int32_t root)>;

/// Numbers of free words with which planning finds the same: [least, end).
struct FreeWords {
  int64_t least = std::numeric_limits<int64_t>::min(), end = std::numeric_limits<int64_t>::max();
  bool Holds(int64_t words) const { return least <= words && words < end; }
  /// Notes which way `words >= bound` went; returns it.
  bool Suffice(int64_t words, int64_t bound) {
    if (words >= bound) {
      least = std::max(least, bound);
    } else {
      end = std::min(end, bound);
    }
    return words >= bound;
  }
};

/// Strips of layers, on their own engines and with parts of depthwise layers on the array.
struct StripChoices {
  std::optional<Strips> plain;
  std::optional<Strips> shared;  ///< where it takes less time, or where nothing else fits
};

/// The best strips of layers [first, last) with the given rows of the last layer's result; nothing when there are none
/// in `free_words` (negative: as long as results that take their operands' places make up for it). Tensors that live
/// only inside and are not on chip get buffers. Narrows `valid` to numbers of free words that give the same.
StripChoices MakeStrips(const StripContext& context, int32_t first, int32_t last, uint32_t rows,
                        const OnChipQuery& on_chip, int64_t free_words, FreeWords* valid);

/// Words of a tensor kept on chip in whole.
uint64_t WholeWords(const OverlayTensor& tensor, const HardwareConfig& config);

/// A tensor operand or result at a strip: the view of its row `row`, its own group 0.
View ViewOf(const StripContext& context, const Strips& strips, int32_t tensor, uint32_t strip, uint32_t row);

/// The work of one layer event, all groups: an instruction's for each stretch of rows.
std::vector<RowWork> WorkOf(const StripContext& context, const Strips& strips, const Strips::Work& work,
                            uint32_t strip);

/// The same for some of its groups, where input and output groups belong to each other.
RowWork GroupsOf(RowWork work, uint32_t first, uint32_t count);

/// The instructions of a convolution's event: for each chunk of output groups its stretches, for each of these the
/// parts of its sum, the last with the output stage. Without weights.
struct ConvPiece {
  ConvPart part;  ///< input groups counted from the first of the operand
  Conv conv;
  View dst;                                      ///< first row of the event, first group of the chunk
  View res;                                      ///< the same of the residual operand
  bool first_reader = true, last_reader = true;  ///< of a weight segment that comes for the event
  bool chunk_begins = true, chunk_done = true;
};
std::vector<ConvPiece> ConvPieces(const StripContext& context, const Strips& strips, size_t work, uint32_t strip);

/// The instructions of the array's share of a depthwise layer's event: for each channel group its stretches. Without
/// weights.
struct SharePiece {
  uint32_t group = 0;
  Conv conv;
};
std::vector<SharePiece> SharePieces(const StripContext& context, const Strips& strips, size_t work, uint32_t strip);

/// Emits a group's instructions; tensors must have their places.
Status ScheduleStrips(Emitter& emitter, const StripContext& context, const Strips& strips, std::string* report);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_STRIPS_H_
