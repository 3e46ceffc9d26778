#ifndef XRUN_COMPILER_LOWER_H_
#define XRUN_COMPILER_LOWER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "compiler/placement.h"
#include "isa/arithmetic.h"
#include "isa/hardware_config.h"
#include "isa/isa.h"
#include "isa/result.h"

namespace xrun::compiler {

/// A tensor as the overlay sees it: C × H × W int8, channel-group-major in DRAM (isa/README.md, section 3).
struct OverlayTensor {
  std::string name;
  ValueId value = kNone;
  uint32_t channels = 1, height = 1, width = 1;
  uint32_t groups = 1;
  float scale = 1.0F;
  int32_t zero_point = 0;

  /// Where it lives in DRAM. Offsets of workspace tensors are set by allocate.
  uint8_t base = kBaseWorkspace;
  uint64_t offset = 0;
  const int8_t* constant = nullptr;  ///< row-major [C][H][W] of a constant operand (then base is kBaseWeights)

  /// A stack of samples (stack_samples.h), one below the other: `height` is that of all. One that crosses the
  /// partition's border has each sample at a place of its own in DRAM; `base` and `offset` are those of the first.
  uint32_t samples = 1;
  struct Place {
    uint8_t base = kBaseWorkspace;
    uint64_t offset = 0;
  };
  std::vector<Place> places;
  uint32_t sample_height() const { return height / samples; }

  /// Physical channel of each logical one; empty: the same. Physical channels without a logical one hold defined values
  /// that nobody may depend on. This is how Concat and Slice of channels cost nothing.
  std::vector<uint32_t> channel_map;

  /// A view: the box of `parent` (never itself a view) that starts at this group, row and column.
  int32_t parent = kNone;
  uint32_t group0 = 0, y0 = 0, x0 = 0;
  /// A view of the whole parent with other rows and columns, their product the same; no other view begins at it.
  bool reshaped = false;

  /// In DRAM pixel after pixel of `channels` bytes: an input that only packed tensors read.
  bool dense = false;
  /// Not a tensor of its own: what LoadPacked makes of the dense tensor at the same place in DRAM. Column x of row y
  /// holds bytes of the image's rows from y·row_step + top on, each from pixel x·stride + left on. Group g has those of
  /// words[g]: `head` bytes of row `row`, without its first `skip`, then the first `tail` of the row below.
  struct Packed {
    struct Word {
      uint32_t row = 0, skip = 0, head = 0, tail = 0;
      bool operator==(const Word&) const = default;
    };
    uint32_t channels = 0, stride = 1, in_cols = 0, in_rows = 0, row_step = 1;
    int32_t left = 0, top = 0;
    std::vector<Word> words;
    bool operator==(const Packed&) const = default;
    /// Bytes of DRAM that a row of all groups' words reads at most.
    uint64_t row_bytes() const {
      uint64_t rows = 0;
      for (const Word& word : words) rows += word.tail != 0 ? 2 : 1;
      return rows * in_cols * channels;
    }
  };
  std::optional<Packed> packed;

  bool is_view() const { return parent != kNone; }
  uint32_t Physical(uint32_t channel) const { return channel_map.empty() ? channel : channel_map[channel]; }
  /// Logical channel of each physical one, -1 where there is none.
  std::vector<int32_t> LogicalChannels(uint32_t channels_of_group) const;

  /// Set by allocate when the whole tensor stays in activation memory from its producer to its last reader.
  struct OnChip {
    uint32_t addr = 0, row_pitch = 0, plane_pitch = 0;
  };
  std::optional<OnChip> on_chip;
  /// Read by LoadMatrix, so its bytes must be in DRAM.
  bool in_dram = false;

  uint64_t words() const { return uint64_t{groups} * height * width; }
};

using Table = std::array<int8_t, 256>;  ///< index q + 128

/// What happens to a result before it is written: the output stage of isa/README.md, as integers.
struct OutputStage {
  int32_t zero_point = 0, clamp_lo = -128, clamp_hi = 127;
  std::optional<Table> table;

  struct Residual {
    int32_t tensor = kNone;  ///< index into Partition::tensors
    int32_t m_main = 0, m_res = 0;
    uint32_t shift = 0;
    int32_t main_zero = 0, res_zero = 0, zero_point = 0, clamp_lo = -128, clamp_hi = 127;
    bool operator==(const Residual&) const = default;
  };
  std::optional<Residual> residual;  ///< Conv only
  bool operator==(const OutputStage&) const = default;
};

/// Per output channel, as the parameter record holds it.
struct ChannelParams {
  int32_t bias = 0;  ///< with the input zero point folded in
  Multiplier multiplier;
  Multiplier negative;  ///< used when Layer::prelu
  int32_t weight_zero = 0;
  bool operator==(const ChannelParams&) const = default;
};

/// One of the convolutions that make up a layer whose output pixels do not all have the same window: transposed
/// convolutions, resizing, depth to space. The output is cut into cells of Layer::cell_h × cell_w pixels; a phase makes
/// one pixel of each cell of a box of cells. Tap (kh, kw) of cell (i, j) is input row i·stride_h + kh·dilation_h −
/// pad_top.
struct ConvPhase {
  uint32_t y = 0, x = 0;  ///< the pixel within the cell
  uint32_t cell_y = 0, cell_x = 0, cell_rows = 0, cell_cols = 0;
  uint32_t kernel_h = 1, kernel_w = 1;
  int32_t pad_top = 0, pad_left = 0;
  std::vector<int8_t> weights;  ///< as Layer::weights
  std::vector<int32_t> source;  ///< as Layer::source
  std::vector<ChannelParams> params;
  bool operator==(const ConvPhase&) const = default;
};

enum class LayerKind : uint8_t { kConv, kDepthwise, kPool, kElementwise, kMatMul };

/// One operation of the overlay on whole tensors: what tiling cuts into instructions. Integers only.
struct Layer {
  LayerKind kind = LayerKind::kConv;
  std::vector<NodeId> nodes;  ///< graph nodes it computes, first the one it is named after
  std::string name;
  int32_t input = kNone, input_b = kNone, output = kNone;  ///< indices into Partition::tensors

  // Window (Conv, Depthwise, Pool). Pads are those of the whole plane.
  uint32_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0;

  // Conv and Depthwise: weights [OC][IC / groups][KH][KW], row-major.
  uint32_t groups = 1;
  const int8_t* weights = nullptr;  ///< owned by the graph's constant, or by:
  std::shared_ptr<const std::vector<int8_t>> own_weights;
  std::optional<int32_t> fill;  ///< value of taps outside the input, where it is not the input's zero point
  std::vector<ChannelParams> params;
  bool has_weight_zero = false;
  bool prelu = false;
  /// Conv: if not empty, output channel c reads input channel source[c] alone (-1: none) and weights are [OC][KH][KW].
  std::vector<int32_t> source;
  /// Conv: if not empty, these instead of kernel, pads, weights, source and params above.
  std::vector<ConvPhase> phases;
  uint32_t cell_h = 1, cell_w = 1;

  // Pool.
  bool average = false;
  bool count_include_pad = false;
  int32_t count_bottom = 0, count_right = 0;  ///< declared padding below and right: counted, unlike ceil_mode's excess
  bool requantize = false;                    ///< maximum with parameters of its own
  /// Average: multipliers by number of counted elements n = 1…kernel_h·kernel_w, index n − 1. Maximum: one entry.
  std::vector<Multiplier> pool_multipliers;

  // Elementwise.
  ElementwiseKind elementwise = kElementwiseCopy;
  int32_t m_a = 0, m_b = 0;
  uint32_t shift = 0;

  // MatMul: the weights are what LoadMatrix makes of input_b. As it stands, its pixels are the output channels and its
  // channels the input's; `transposed`, the reverse. params has one entry, for all output channels.
  bool transposed = false;

  OutputStage out;
  bool operator==(const Layer&) const = default;
};

/// A maximal set of layers executed by one launch.
struct Partition {
  std::vector<OverlayTensor> tensors;
  std::vector<Layer> layers;  ///< in execution order
  /// A value that crosses the partition's border and the tensor that holds it, in register order. A value may be a
  /// reshaped view of the tensor: same elements, same row-major order.
  struct Port {
    ValueId value = kNone;
    int32_t tensor = kNone;
  };
  std::vector<Port> inputs, outputs;
  /// With LowerOptions::separate: every value computed inside and a tensor of the workspace that holds it, in order of
  /// execution. Values that lie in an order of their own (between the halves of a channel shuffle) are left out.
  std::vector<Port> inside;
};

/// A step of the lowered model: a partition, or a graph node for the CPU.
struct LoweredStep {
  std::optional<uint32_t> partition;  ///< index into LoweredModel::partitions
  NodeId cpu_node = kNone;
};

struct LoweredModel {
  std::vector<Placement> places;  ///< of the graph's nodes
  std::vector<Partition> partitions;
  std::vector<LoweredStep> steps;
};

struct LowerOptions {
  bool fuse = true;  ///< output-stage fusion of tables and residual adds; changes no result
  /// Every value in a tensor of its own in the workspace, none as a box of another or in an output register only: for
  /// --debug-tensors. Changes no result.
  bool separate = false;
};

/// Splits a quantized graph into overlay partitions and CPU nodes, as few launches as the order of nodes allows, and
/// turns each overlay node into a layer. Failure names node, operator, limit; where the overlay cannot do what one node
/// asks for, `refused` is that node, else kNone.
Result<LoweredModel> Lower(const Graph& graph, const HardwareConfig& config, const LowerOptions& options,
                           NodeId* refused);

/// The lowered model as text: one line a tensor and a layer.
std::string ToText(const LoweredModel& model, const Graph& graph);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_LOWER_H_
