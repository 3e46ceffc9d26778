#include "isa/footprint.h"

#include <algorithm>

#include "isa/tile_geometry.h"

namespace xrun {
namespace {

constexpr uint64_t kRecordBytes = 16;  ///< parameters of one channel

uint64_t DivideUp(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/// Collects the accesses of one instruction.
class Collector {
 public:
  explicit Collector(const HardwareConfig& config) : config_(config) {}

  void Activation(const Operand& operand, bool write) {
    std::vector<RunGroup> runs;
    AppendRuns(operand, config_.activation_words(), runs);
    for (const RunGroup& r : runs)
      accesses_.push_back({Memory::kActivation, write, 0, r.start, r.length, r.pitch, r.count});
  }

  void Run(Memory memory, bool write, uint64_t start, uint64_t length, uint8_t base = 0) {
    if (length != 0) accesses_.push_back({memory, write, base, start, length, 0, 1});
  }

  template <typename T>  // Load or Save
  void Dram(const T& x, bool write) {
    Strided(x.base, write, x.offset, uint64_t{x.cols} * config_.channels, x.rows, x.row_stride, x.planes,
            x.plane_stride);
  }
  void Blocks(uint32_t base, uint64_t offset, uint64_t bytes, uint64_t rows, uint64_t row_stride) {
    Strided(base, false, offset, bytes, rows, row_stride, 1, 0);
  }

  void operator()(const std::monostate&) {}
  void operator()(const Sync&) {}

  void operator()(const Load& x) { Dram(x, false); }
  void operator()(const Save& x) { Dram(x, true); }

  void operator()(const LoadWeights& x) {
    Run(Memory::kDram, false, x.offset, uint64_t{x.rows} * config_.weight_row_bytes(), static_cast<uint8_t>(x.base));
    Run(Memory::kWeightRing, true, x.row, x.rows);
  }

  void operator()(const LoadMatrix& x) {
    Blocks(x.base, x.offset, MatrixBlockBytes(x, config_), x.rows, x.row_stride);
    Run(Memory::kWeightRing, true, x.row, x.rows);
  }

  void operator()(const LoadPacked& x) {
    for (const PackedBlocks& blocks : BlocksOf(x)) {
      if (blocks.rows != 0) Blocks(x.base, blocks.offset, blocks.bytes, blocks.rows, blocks.stride);
    }
  }

  void operator()(const LoadVector& x) {
    Run(Memory::kDram, false, x.offset, uint64_t{x.rows} * config_.channels, static_cast<uint8_t>(x.base));
    Run(Memory::kVectorMemory, true, x.addr, x.rows);
  }

  void operator()(const Conv& x) {
    Run(Memory::kWeightRing, false, x.weights, ConvSegmentRows(x, config_));
    const uint64_t entries = x.oc_groups * PixelGroups(x, config_);
    if (x.accumulate != 0) Run(Memory::kPartial, false, x.partial, entries);
    if (x.keep != 0) Run(Memory::kPartial, true, x.partial, entries);
  }

  void operator()(const Depthwise& x) {
    Run(Memory::kVectorMemory, false, x.params, DepthwiseSegmentRows(x, config_));
    VectorPartials(x);
  }

  void operator()(const Pool& x) {
    Run(Memory::kVectorMemory, false, x.params, PoolSegmentRows(x, config_));
    VectorPartials(x);
  }

  void operator()(const Elementwise& x) {
    if (x.table != 0) Run(Memory::kVectorMemory, false, x.params, config_.vector_table_rows());
  }

  std::vector<Access> Take() && { return std::move(accesses_); }

 private:
  void Strided(uint32_t base, bool write, uint64_t offset, uint64_t bytes, uint64_t rows, uint64_t row_stride,
               uint64_t planes, uint64_t plane_stride) {
    std::vector<RunGroup> runs;
    AppendStrided(offset, bytes, rows, row_stride, planes, plane_stride, runs);
    for (const RunGroup& r : runs) {
      accesses_.push_back({Memory::kDram, write, static_cast<uint8_t>(base), r.start, r.length, r.pitch, r.count});
    }
  }

  template <typename T>
  void VectorPartials(const T& x) {
    const uint64_t entries = uint64_t{x.groups} * x.out_h * x.out_w;
    if (x.accumulate != 0) Run(Memory::kVectorPartial, false, x.partial, entries);
    if (x.keep != 0) Run(Memory::kVectorPartial, true, x.partial, entries);
  }

  const HardwareConfig& config_;
  std::vector<Access> accesses_;
};

}  // namespace

uint64_t PixelGroups(const Conv& conv, const HardwareConfig& config) {
  return DivideUp(uint64_t{conv.out_w} * conv.out_h, config.pixels);
}

std::array<PackedBlocks, 2> BlocksOf(const LoadPacked& packed) {
  const int64_t channels = packed.channels, step = std::max(packed.row_step, 1U);
  std::array<PackedBlocks, 2> halves;
  for (int64_t half = 0; half < 2; ++half) {
    const int64_t bytes = half == 0 ? HeadBytes(packed) : packed.tail;
    const int64_t begin = packed.left * channels + (half == 0 ? packed.skip : 0);
    const int64_t lo = std::max<int64_t>(0, begin);
    const int64_t hi =
        std::min(packed.in_cols * channels, begin + (int64_t{packed.cols} - 1) * packed.stride * channels + bytes);
    // Image row of row of words r: r * step + row.
    const int64_t row = packed.top + half;
    const int64_t first = row < 0 ? (-row + step - 1) / step : 0;
    int64_t end = packed.rows;
    if (packed.in_rows != 0) end = std::min(end, (packed.in_rows - row + step - 1) / step);
    if (bytes == 0 || hi <= lo || end <= first) continue;
    PackedBlocks& blocks = halves[static_cast<size_t>(half)];
    blocks.first = static_cast<uint64_t>(first);
    blocks.rows = static_cast<uint64_t>(end - first);
    blocks.offset =
        packed.offset + static_cast<uint64_t>(first * step + row) * packed.row_stride + static_cast<uint64_t>(lo);
    blocks.bytes = static_cast<uint64_t>(hi - lo);
    blocks.stride = static_cast<uint64_t>(step) * packed.row_stride;
  }
  return halves;
}

uint64_t MatrixBlockBytes(const LoadMatrix& matrix, const HardwareConfig& config) {
  const uint64_t elements = uint64_t{matrix.words} * config.channels;
  return matrix.int4 != 0 ? elements / 2 : elements;
}

uint64_t ConvTableRows(const Conv& conv, const HardwareConfig& config) {
  return (uint64_t{conv.table} + conv.table2) * config.table_rows();
}

uint64_t ConvSegmentRows(const Conv& conv, const HardwareConfig& config) {
  const uint64_t weights = uint64_t{conv.kernel_h} * conv.kernel_w * conv.ic_groups;
  const uint64_t params = conv.keep != 0 ? 0 : config.param_rows();
  return ConvTableRows(conv, config) + conv.oc_groups * (params + weights);
}

uint64_t DepthwiseSegmentRows(const Depthwise& depthwise, const HardwareConfig& config) {
  // A row has CP bytes and a group CP channels: its records fill as many rows as a record has bytes.
  const uint64_t params = depthwise.keep != 0 ? 0 : kRecordBytes;
  const uint64_t weights = uint64_t{depthwise.kernel_h} * depthwise.kernel_w;
  return (depthwise.table != 0 ? config.vector_table_rows() : 0) + depthwise.groups * (params + weights);
}

uint64_t PoolSegmentRows(const Pool& pool, const HardwareConfig& config) {
  const uint64_t counts = pool.per_count != 0 ? uint64_t{pool.kernel_h} * pool.kernel_w : 0;
  return (pool.table != 0 ? config.vector_table_rows() : 0) + DivideUp(counts * sizeof(uint32_t), config.channels);
}

std::vector<Access> Footprint(const Instruction& instruction, const HardwareConfig& config) {
  Collector collector(config);
  const ActivationOperands operands = OperandsOf(instruction);
  // Reads before writes: an instruction that works in place reads each word before it writes it.
  for (const auto* x : {&operands.source, &operands.residual, &operands.second}) collector.Activation(*x, false);
  std::visit(collector, instruction);
  collector.Activation(operands.destination, true);
  return std::move(collector).Take();
}

}  // namespace xrun
