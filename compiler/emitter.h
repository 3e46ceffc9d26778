#ifndef XRUN_COMPILER_EMITTER_H_
#define XRUN_COMPILER_EMITTER_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compiler/pack_weights.h"
#include "compiler/schedule.h"

namespace xrun::compiler {

/// A box of a tensor: groups × rows × columns.
struct Box {
  uint32_t g0 = 0, gn = 0, y0 = 0, yn = 0, x0 = 0, xn = 0;
  uint64_t words() const { return uint64_t{gn} * yn * xn; }
};

/// Where a box is on chip.
struct View {
  uint32_t addr = 0, row_pitch = 0, plane_pitch = 0;
};

/// The part of the input that `count` output positions from `first` need along one axis, clipped to the tensor, and how
/// far outside it the first tap lies. `count == 0` in the result: all taps fall outside.
struct InputSpan {
  uint32_t first = 0, count = 0;
  int32_t pad = 0;
};
InputSpan MakeInputSpan(uint32_t out_first, uint32_t out_count, uint32_t kernel_first, uint32_t kernel_count,
                        uint32_t stride, uint32_t dilation, int32_t pad, uint32_t size);

inline uint32_t CeilDiv(uint64_t a, uint64_t b) { return static_cast<uint32_t>((a + b - 1) / b); }

/// n split into parts of at most `part`.
std::vector<std::pair<uint32_t, uint32_t>> Split(uint32_t n, uint32_t part);

/// Sizes worth trying for an extent of n: n, then n cut into 2, 3, 4, 6, 8, … even parts, down to 1; none above
/// `limit`.
std::vector<uint32_t> TileSizes(uint32_t n, uint32_t limit);

/// Collects the instructions of a partition. Knows the activation words that tiles of the current layer may use.
class Emitter {
 public:
  Emitter(const Partition& partition, const HardwareConfig& config, const TilingLimits& limits, WeightImage* weights,
          Schedule* schedule);

  const Partition& partition;
  HardwareConfig config;  ///< what the group under way sees of the machine
  const TilingLimits& limits;
  WeightImage& weights;

  const OverlayTensor& tensor(int32_t index) const { return partition.tensors[static_cast<size_t>(index)]; }

  /// The tensor that owns the memory: the parent of a view.
  const OverlayTensor& Root(const OverlayTensor& t) const { return t.is_view() ? tensor(t.parent) : t; }
  /// The memory of `t` with the rows and columns in which t's boxes are counted.
  OverlayTensor Memory(const OverlayTensor& t) const;
  bool OnChip(const OverlayTensor& t) const { return Root(t).on_chip.has_value(); }

  /// Tiles of this layer lie above everything kept on chip meanwhile.
  void BeginLayer(int32_t layer);
  /// Tiles of this layer lie in words [base, end).
  void BeginLayer(int32_t layer, uint32_t base, uint32_t end);
  /// Words that tiles of this layer may use.
  uint32_t tile_words() const { return tile_end_ - tile_base_; }

  /// A tile buffer; several with the same purpose are used in turn.
  class Buffers {
   public:
    uint32_t Next() { return addresses_[next_++ % addresses_.size()]; }

   private:
    friend class Emitter;
    std::vector<uint32_t> addresses_;
    size_t next_ = 0;
  };
  /// `count` buffers of `words` each; the layer's total must stay within tile_words().
  Buffers Allocate(uint32_t words, uint32_t count);

  /// Makes a box of a tensor available on chip: a view into the tensor if it is kept there (loading an input once),
  /// else a Load into a buffer with the given pitches.
  View Read(int32_t tensor, const Box& box, Buffers* buffers, uint32_t row_pitch);
  /// Where to write a box; WriteDone saves it if its tensor has a place in DRAM.
  View Write(int32_t tensor, const Box& box, Buffers* buffers);
  void WriteDone(int32_t tensor, const Box& box, const View& view);

  /// A new ring segment filled from the weight section, by one instruction or, with `part`, by one for each `part`
  /// rows, which starts as soon as so many rows are free.
  int32_t LoadSegment(uint64_t offset, uint32_t rows, uint32_t part = 0);
  /// A new ring segment that AddWeights and AddMatrix fill, each behind what is there already.
  struct SegmentBuilder {
    int32_t segment;
    uint32_t rows = 0;
  };
  SegmentBuilder NewSegment();
  void AddWeights(SegmentBuilder* segment, uint64_t offset, uint32_t rows);
  void AddMatrix(SegmentBuilder* segment, LoadMatrix blocks);
  /// A part of a convolution's weights in the weight section.
  struct Packed {
    uint64_t offset;
    uint32_t rows;
  };
  Packed PackConv(const Layer& layer, const PhaseView& phase, const OverlayTensor& in, const OverlayTensor& out,
                  const ConvPart& part);
  /// The same for channel groups of a depthwise layer: a segment for each, one behind the other.
  Packed PackShare(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out, uint32_t first,
                   uint32_t count);
  /// A segment in vector memory; returns its first row.
  uint32_t LoadVectorSegment(uint64_t offset, uint32_t rows);

  /// Moves a box (counted in the tensor that owns the memory) from or to DRAM.
  void EmitLoad(const OverlayTensor& root, const Box& box, const View& view);
  void EmitSave(const OverlayTensor& root, const Box& box, const View& view);

  /// The layer that the next instructions belong to.
  void SetLayer(int32_t layer) { layer_ = layer; }
  /// Segments of `rows` in all that are loaded next stay in vector memory together.
  void ReserveVectorRows(uint32_t rows);

  void Emit(Engine engine, Instruction instruction, int32_t segment = kNone, bool releases = false, uint32_t row = 0);

 private:
  void EmitPacked(const OverlayTensor& t, const Box& box, const View& view);
  /// A tensor's box as a box of the tensor that owns the memory.
  static Box InRoot(const OverlayTensor& t, Box box);

  Schedule* schedule_;
  int32_t layer_ = kNone;
  uint32_t tile_base_ = 0, tile_end_ = 0, tile_next_ = 0;
  uint32_t vector_next_ = 0;
  std::vector<bool> loaded_;  ///< inputs kept on chip that have been loaded
  std::vector<LiveRange> live_;
};

Status ScheduleConv(Emitter& emitter, const Layer& layer, std::string* report);
Status ScheduleWindow(Emitter& emitter, const Layer& layer, std::string* report);  ///< Depthwise and Pool
Status ScheduleElementwise(Emitter& emitter, const Layer& layer, std::string* report);
Status ScheduleMatMul(Emitter& emitter, const Layer& layer, std::string* report);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_EMITTER_H_
