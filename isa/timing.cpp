#include "isa/timing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <vector>

#include "isa/footprint.h"

namespace xrun {
namespace {

constexpr uint64_t kLoadFill = 8, kVectorFill = 24, kConvFill = 8, kDrain = 24, kTableCycles = 32,
                   kSharedTapsCycles = 8;
constexpr uint64_t kRecordBytes = 16, kCountMultiplierBytes = 4;

uint64_t DivideUp(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/// A vector table is read a row a cycle.
uint64_t VectorTableCycles(const HardwareConfig& config) {
  return std::max<uint64_t>(kTableCycles, config.vector_table_rows());
}

/// A client of port B: the line it accessed last. The first line of an instruction is part of the fixed cycles.
struct LineSlot {
  int64_t line = kNone;
  static constexpr int64_t kNone = INT64_MIN;

  uint64_t Visit(int64_t to) {
    const int64_t from = line;
    line = to;
    if (from == to || from == kNone) return 0;
    return (static_cast<uint64_t>(to - from - 1) & (HardwareConfig::kSlots - 1)) + 1;
  }
  /// Consecutive lines.
  uint64_t VisitRange(int64_t first, int64_t last) {
    const uint64_t cost = Visit(first) + static_cast<uint64_t>(last - first);
    line = last;
    return cost;
  }
  /// Consecutive words, `shift` = log2 of the words of a line.
  uint64_t VisitWords(int64_t address, uint64_t count, int shift) {
    return VisitRange(address >> shift, (address + static_cast<int64_t>(count) - 1) >> shift);
  }
  /// The state relative to a base line, so that two groups of an instruction can be recognised as equal.
  int64_t RelativeTo(int64_t base) const { return line == kNone ? kNone : line - base; }
  void Place(int64_t base, int64_t relative) { line = relative == kNone ? kNone : base + relative; }
};

int LineShift(const HardwareConfig& config) { return std::countr_zero(config.line_words()); }

/// What a plane or output group costs follows from its base addresses modulo a line and from where each slot stood
/// relative to them. Planes mostly repeat one or two such states.
template <size_t kSlotCount, typename Value>
class StateMemo {
 public:
  struct Key {
    int64_t residue_a, residue_b;
    std::array<int64_t, kSlotCount> entry;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;
    Value value;
    std::array<int64_t, kSlotCount> exit;
  };
  const Entry* Find(const Key& key) const {
    for (const Entry& e : entries_) {
      if (e.key == key) return &e;
    }
    return nullptr;
  }
  void Add(Entry entry) {
    if (entries_.size() < kMost) entries_.push_back(std::move(entry));
  }

 private:
  static constexpr size_t kMost = 64;  // past it states do not repeat, and a longer search would not pay
  std::vector<Entry> entries_;
};

// ------------------------------------------------------------------------------------------------------------- Conv

/// Array steps of each pixel group for one input channel group.
class ConvArray {
 public:
  ConvArray(const Conv& conv, const HardwareConfig& config)
      : conv_(conv), lanes_(config.pixels), banks_(config.banks()), pixels_(uint64_t{conv.out_w} * conv.out_h) {
    row_inside_.resize(conv.out_h);
    for (uint32_t oy = 0; oy < conv.out_h; ++oy)
      row_inside_[oy] = FirstRow(oy) >= 0 && LastRow(oy) < int64_t{conv.in_h};
    by_column_.assign(conv.out_w, 0);
  }

  uint64_t Steps(uint64_t pixel_group) {
    const uint64_t first = pixel_group * lanes_;
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(lanes_, pixels_ - first));
    const auto oy = static_cast<uint32_t>(first / conv_.out_w), ox = static_cast<uint32_t>(first % conv_.out_w);
    bool inside = count == lanes_;
    for (uint32_t y = oy, end = static_cast<uint32_t>((first + count - 1) / conv_.out_w); inside && y <= end; ++y) {
      inside = row_inside_[y];
    }
    if (!inside) return Count(oy, ox, count);
    if (by_column_[ox] == 0) by_column_[ox] = Count(oy, ox, count);  // rows inside all look alike
    return by_column_[ox];
  }

 private:
  int64_t FirstRow(uint32_t oy) const { return int64_t{oy} * conv_.stride_h - conv_.pad_top; }
  int64_t LastRow(uint32_t oy) const { return FirstRow(oy) + int64_t{conv_.kernel_h - 1} * conv_.dilation_h; }

  uint64_t Count(uint32_t oy, uint32_t ox, uint32_t count) {
    // A tap moves all lanes by the same distance, so that only the set of lanes inside the tile matters.
    for (uint32_t lane = 0; lane < count; ++lane) {
      y_[lane] = int64_t{oy} * conv_.stride_h - conv_.pad_top;
      x_[lane] = int64_t{ox} * conv_.stride_w - conv_.pad_left;
      address_[lane] = uint64_t{oy} * conv_.stride_h * conv_.src_row_pitch + uint64_t{ox} * conv_.stride_w;
      if (++ox == conv_.out_w) {
        ox = 0;
        ++oy;
      }
    }
    MaskCounts(y_, count, conv_.kernel_h, conv_.dilation_h, conv_.in_h, row_masks_);
    MaskCounts(x_, count, conv_.kernel_w, conv_.dilation_w, conv_.in_w, column_masks_);
    uint64_t steps = 0;
    for (const MaskCount& r : row_masks_) {
      for (const MaskCount& c : column_masks_) steps += r.count * c.count * Crowd(r.mask & c.mask);
    }
    return steps;
  }

  struct MaskCount {
    uint64_t mask, count;
  };
  /// The sets of lanes whose tap lies inside, and how many taps have each.
  static void MaskCounts(const std::array<int64_t, 64>& origin, uint32_t lanes, uint32_t kernel, uint32_t dilation,
                         uint32_t size, std::vector<MaskCount>& out) {
    out.clear();
    for (uint32_t k = 0; k < kernel; ++k) {
      uint64_t mask = 0;
      for (uint32_t lane = 0; lane < lanes; ++lane) {
        const int64_t at = origin[lane] + int64_t{k} * dilation;
        if (at >= 0 && at < int64_t{size}) mask |= uint64_t{1} << lane;
      }
      const auto known = std::find_if(out.begin(), out.end(), [&](const MaskCount& m) { return m.mask == mask; });
      if (known == out.end()) {
        out.push_back({mask, 1});
      } else {
        ++known->count;
      }
    }
  }

  /// max(1, the largest number of lanes of `mask` with different addresses in one bank).
  uint64_t Crowd(uint64_t mask) const {
    uint64_t most = 1;
    for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
      const int lane = std::countr_zero(rest);
      const uint64_t bank = address_[lane] % banks_;
      uint64_t here = 1;  // lanes before this one in its bank, each address once, and itself
      for (uint64_t before = mask & ((uint64_t{1} << lane) - 1); before != 0; before &= before - 1) {
        const int other = std::countr_zero(before);
        if (address_[other] % banks_ != bank) continue;
        if (address_[other] == address_[lane]) {
          here = 0;
          break;
        }
        bool first = true;
        for (uint64_t earlier = mask & ((uint64_t{1} << other) - 1); first && earlier != 0; earlier &= earlier - 1) {
          first = address_[std::countr_zero(earlier)] != address_[other];
        }
        here += first ? 1 : 0;
      }
      most = std::max(most, here);
    }
    return most;
  }

  const Conv& conv_;
  const uint32_t lanes_, banks_;
  const uint64_t pixels_;
  std::vector<bool> row_inside_;
  std::vector<uint64_t>
      by_column_;  ///< of groups that start at this column with all taps inside vertically; 0: unknown
  std::array<int64_t, 64> y_{}, x_{};
  std::array<uint64_t, 64> address_{};
  std::vector<MaskCount> row_masks_, column_masks_;
};

/// A Conv's result writes or residual reads, in lane order.
struct ConvOperand {
  uint64_t base, row_pitch, plane_pitch, step;
};

/// Line costs of `count` pixels from (oy, ox).
uint64_t WalkPixels(LineSlot& slot, const ConvOperand& operand, uint64_t base, uint64_t oy, uint64_t ox, uint64_t count,
                    uint64_t out_w, int shift) {
  uint64_t cost = 0;
  while (count != 0) {
    const uint64_t run = std::min(count, out_w - ox);
    const auto address = static_cast<int64_t>(base + oy * operand.row_pitch + ox * operand.step);
    if (operand.step == 1) {
      cost += slot.VisitWords(address, run, shift);
    } else {
      for (uint64_t i = 0; i < run; ++i)
        cost += slot.Visit((address + static_cast<int64_t>(i * operand.step)) >> shift);
    }
    count -= run;
    ox = 0;
    ++oy;
  }
  return cost;
}

OwnCycles Own(const Conv& conv, const HardwareConfig& config) {
  OwnCycles own;
  own.fill = kConvFill + config.pixels + config.channels;
  own.drain = kDrain;
  own.table = (uint64_t{conv.table} + conv.table2) * kTableCycles;
  if (conv.keep == 0) own.parameters = uint64_t{conv.oc_groups} * config.param_rows();

  const uint64_t pixels = uint64_t{conv.out_w} * conv.out_h, groups = PixelGroups(conv, config);
  const uint64_t ideal = uint64_t{conv.ic_groups} * conv.kernel_h * conv.kernel_w;
  own.compute = ideal * groups * conv.oc_groups;
  ConvArray array(conv, config);
  std::vector<uint64_t> steps(groups);
  uint64_t conflicts = 0;
  for (uint64_t pg = 0; pg < groups; ++pg) {
    steps[pg] = conv.ic_groups * array.Steps(pg);
    conflicts += steps[pg] - ideal;
  }
  own.conflicts = conflicts * conv.oc_groups;
  if (conv.keep != 0) return own;  // one entry a cycle, never more than an array step

  const int shift = LineShift(config);
  const ConvOperand dst{conv.dst, conv.dst_row_pitch, conv.dst_plane_pitch, conv.dst_step};
  const ConvOperand res{conv.res, conv.res_row_pitch, conv.res_plane_pitch, 1};
  const int64_t line_mask = (int64_t{1} << shift) - 1;
  StateMemo<2, uint64_t> memo;
  LineSlot write, read;
  for (uint64_t og = 0; og < conv.oc_groups; ++og) {
    const uint64_t dst_base = dst.base + og * dst.plane_pitch, res_base = res.base + og * res.plane_pitch;
    const auto dst_line = static_cast<int64_t>(dst_base >> shift), res_line = static_cast<int64_t>(res_base >> shift);
    const StateMemo<2, uint64_t>::Key key{static_cast<int64_t>(dst_base) & line_mask,
                                          conv.residual != 0 ? static_cast<int64_t>(res_base) & line_mask : 0,
                                          {write.RelativeTo(dst_line), read.RelativeTo(res_line)}};
    if (const auto* known = memo.Find(key)) {
      own.output += known->value;
      write.Place(dst_line, known->exit[0]);
      read.Place(res_line, known->exit[1]);
      continue;
    }
    uint64_t excess = 0, oy = 0, ox = 0;
    for (uint64_t pg = 0; pg < groups; ++pg) {
      const uint64_t count = std::min<uint64_t>(config.pixels, pixels - pg * config.pixels);
      uint64_t out = DivideUp(count * config.channels, config.requant_lanes);
      out = std::max(out, WalkPixels(write, dst, dst_base, oy, ox, count, conv.out_w, shift));
      if (conv.residual != 0) out = std::max(out, WalkPixels(read, res, res_base, oy, ox, count, conv.out_w, shift));
      if (out > steps[pg]) excess += out - steps[pg];
      ox += count;
      if (ox >= conv.out_w) {
        oy += ox / conv.out_w;
        ox %= conv.out_w;
      }
    }
    own.output += excess;
    memo.Add({key, excess, {write.RelativeTo(dst_line), read.RelativeTo(res_line)}});
  }
  return own;
}

// ----------------------------------------------------------------------------------------------------------- windows

struct GroupCost {
  uint64_t read = 0, write = 0;  ///< beyond the multipliers
};

/// One group of a Depthwise or Pool: the three read slots with their kept rows, and the write slot.
template <typename Window>
GroupCost WalkGroup(const Window& x, const HardwareConfig& config, uint64_t mac, uint64_t src, uint64_t dst,
                    std::array<LineSlot, 4>& slots) {
  constexpr int64_t kNoRow = -1;
  const int shift = LineShift(config);
  GroupCost cost;
  std::array<int64_t, 3> row = {kNoRow, kNoRow, kNoRow};
  for (int64_t oy = 0; oy < int64_t{x.out_h}; ++oy) {
    const int64_t top = oy * x.stride_h - x.pad_top;
    for (int64_t ox = 0; ox < int64_t{x.out_w}; ox += config.vector_pixels) {
      const int64_t last = std::min<int64_t>(ox + config.vector_pixels, x.out_w) - 1;
      const int64_t from = std::max<int64_t>(0, ox * x.stride_w - x.pad_left);
      const int64_t to = std::min<int64_t>(int64_t{x.in_w} - 1,
                                           last * x.stride_w - x.pad_left + int64_t{x.kernel_w - 1} * x.dilation_w);
      std::array<uint64_t, 3> read{};
      const int64_t first_tap = top < 0 ? (-top + x.dilation_h - 1) / x.dilation_h : 0;
      for (int64_t kh = first_tap; from <= to && kh < int64_t{x.kernel_h}; ++kh) {
        const int64_t iy = top + kh * x.dilation_h;
        if (iy >= int64_t{x.in_h}) break;
        const auto s = static_cast<size_t>(kh % 3);
        const int64_t base = static_cast<int64_t>(src) + iy * x.src_row_pitch;
        int64_t begin = (base + from) >> shift;
        const int64_t end = (base + to) >> shift;
        if (row[s] == iy) begin = std::max(begin, slots[s].line + 1);
        row[s] = iy;
        if (begin <= end) read[s] += slots[s].VisitRange(begin, end);
      }
      // The vector partial buffer reads and writes an entry, a pixel's accumulators, a cycle.
      const auto pixels = static_cast<uint64_t>(last - ox + 1);
      const uint64_t most = std::max({read[0], read[1], read[2], x.accumulate != 0 ? pixels : 0});
      const uint64_t write =
          x.keep != 0 ? pixels
                      : slots[3].VisitWords(static_cast<int64_t>(dst) + oy * x.dst_row_pitch + ox, pixels, shift);
      if (const uint64_t bound = std::max(most, write); bound > mac)
        (most >= write ? cost.read : cost.write) += bound - mac;
    }
  }
  return cost;
}

/// `rows`: of the segment part of a group. `shared`: taps of a kernel row that the lanes take in a cycle where out_w
/// is 1.
template <typename Window>
OwnCycles OwnWindow(const Window& x, const HardwareConfig& config, uint64_t rows, uint64_t shared) {
  OwnCycles own;
  own.fill = kVectorFill;
  own.drain = kDrain;
  if (x.table != 0) own.table = VectorTableCycles(config);
  const uint64_t mac =
      x.out_w == 1 ? x.kernel_h * DivideUp(x.kernel_w, shared) + kSharedTapsCycles : uint64_t{x.kernel_h} * x.kernel_w;
  const uint64_t blocks = x.out_h * DivideUp(x.out_w, config.vector_pixels);
  const int shift = LineShift(config);
  const int64_t line_mask = (int64_t{1} << shift) - 1;
  StateMemo<4, GroupCost> memo;
  std::array<LineSlot, 4> slots;
  uint64_t before = 0;  // compute of the previous group
  for (uint64_t g = 0; g < x.groups; ++g) {
    const uint64_t src = x.src + g * x.src_plane_pitch, dst = x.dst + g * x.dst_plane_pitch;
    const auto src_line = static_cast<int64_t>(src >> shift), dst_line = static_cast<int64_t>(dst >> shift);
    const auto state = [&] {
      return std::array<int64_t, 4>{slots[0].RelativeTo(src_line), slots[1].RelativeTo(src_line),
                                    slots[2].RelativeTo(src_line), slots[3].RelativeTo(dst_line)};
    };
    const StateMemo<4, GroupCost>::Key key{static_cast<int64_t>(src) & line_mask, static_cast<int64_t>(dst) & line_mask,
                                           state()};
    GroupCost cost;
    if (const auto* known = memo.Find(key)) {
      cost = known->value;
      for (size_t s = 0; s < 4; ++s) slots[s].Place(s < 3 ? src_line : dst_line, known->exit[s]);
    } else {
      cost = WalkGroup(x, config, mac, src, dst, slots);
      memo.Add({key, cost, state()});
    }
    own.parameters += rows > before ? rows - before : 0;
    before = mac * blocks + cost.read + cost.write;
    own.compute += mac * blocks;
    own.read += cost.read;
    own.write += cost.write;
  }
  return own;
}

OwnCycles Own(const Depthwise& x, const HardwareConfig& config) {
  // Two lanes share a multiplication, which has one weight.
  return OwnWindow(x, config, (x.keep != 0 ? 0 : kRecordBytes) + uint64_t{x.kernel_h} * x.kernel_w,
                   DivideUp(config.vector_pixels, 2));
}

OwnCycles Own(const Pool& x, const HardwareConfig& config) {
  OwnCycles own = OwnWindow(x, config, 0, config.vector_pixels);
  if (x.per_count != 0) {
    own.parameters += DivideUp(uint64_t{x.kernel_h} * x.kernel_w * kCountMultiplierBytes, config.channels);
  }
  return own;
}

// -------------------------------------------------------------------------------------------------------------- rest

OwnCycles Own(const Elementwise& x, const HardwareConfig& config) {
  OwnCycles own;
  own.fill = kVectorFill;
  own.drain = kDrain;
  if (x.table != 0) own.table = VectorTableCycles(config);
  const bool two = x.kind == kElementwiseAdd || x.kind == kElementwiseMul;
  const int shift = LineShift(config);
  LineSlot a, b, dst;
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      const auto at = [&](uint64_t base, uint64_t plane, uint64_t row) {
        return static_cast<int64_t>(base + p * plane + r * row);
      };
      uint64_t read = a.VisitWords(at(x.a, x.a_plane_pitch, x.a_row_pitch), x.cols, shift);
      if (two) {
        read = std::max(read, b.VisitWords(at(x.b, x.b_plane_pitch, x.b_row_pitch), x.b_step != 0 ? x.cols : 1, shift));
      }
      const uint64_t write = dst.VisitWords(at(x.dst, x.dst_plane_pitch, x.dst_row_pitch), x.cols, shift);
      (read >= write ? own.read : own.write) += std::max(read, write);
    }
  }
  return own;
}

/// Load and Save on the chip's side.
template <typename Copy>
uint64_t WalkCopy(const Copy& x, const HardwareConfig& config) {
  const int shift = LineShift(config);
  LineSlot slot;
  uint64_t cycles = 1;  // the first line
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      cycles += slot.VisitWords(static_cast<int64_t>(x.addr + p * x.plane_pitch + r * x.row_pitch), x.cols, shift);
    }
  }
  return cycles;
}

OwnCycles Own(const Load& x, const HardwareConfig& config) {
  OwnCycles own;
  own.fill = kLoadFill;
  own.write = WalkCopy(x, config);
  return own;
}

OwnCycles Own(const Save& x, const HardwareConfig& config) {
  OwnCycles own;
  own.fill = kLoadFill;
  own.read = WalkCopy(x, config);
  return own;
}

OwnCycles Own(const LoadWeights& x, const HardwareConfig&) {
  OwnCycles own;
  own.parameters = x.rows;
  return own;
}

OwnCycles Own(const LoadMatrix& x, const HardwareConfig& config) {
  OwnCycles own;
  own.parameters = uint64_t{x.rows} * (x.transpose != 0 ? config.channels : 1);
  return own;
}

OwnCycles Own(const LoadPacked& x, const HardwareConfig& config) {
  const int shift = LineShift(config);
  LineSlot slot;
  uint64_t lines = 0;
  for (uint64_t r = 0; r < x.rows; ++r) {
    lines += slot.VisitWords(static_cast<int64_t>(x.addr + r * x.row_pitch), x.cols, shift);
  }
  OwnCycles own;
  own.fill = kLoadFill;
  own.compute = uint64_t{x.rows} * x.cols * DivideUp(uint64_t{x.stride} * x.channels, config.channels);
  own.write = 1 + (lines > own.compute ? lines - own.compute : 0);
  return own;
}

OwnCycles Own(const LoadVector& x, const HardwareConfig&) {
  OwnCycles own;
  own.parameters = x.rows;
  return own;
}

OwnCycles Own(const Sync&, const HardwareConfig&) { return {}; }
OwnCycles Own(const std::monostate&, const HardwareConfig&) { return {}; }

/// Runs of a Load or Save: rows that follow on each other without a gap are one.
template <typename Copy, typename Visitor>
void CopyRuns(const Copy& x, const HardwareConfig& config, Visitor&& visit) {
  const uint64_t row_bytes = uint64_t{x.cols} * config.channels;
  uint64_t begin = x.offset, end = begin;
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      const uint64_t at = x.offset + p * x.plane_stride + r * x.row_stride;
      if (at != end) {
        if (end > begin) visit(begin, end - begin);
        begin = at;
      }
      end = at + row_bytes;
    }
  }
  if (end > begin) visit(begin, end - begin);
}

/// Blocks of `bytes` bytes; those that follow on each other without a gap are one run.
template <typename Visitor>
void BlockRuns(uint64_t offset, uint64_t bytes, uint64_t rows, uint64_t row_stride, Visitor&& visit) {
  if (bytes == 0 || rows == 0) return;
  if (row_stride == bytes) return visit(offset, rows * bytes);
  for (uint64_t r = 0; r < rows; ++r) visit(offset + r * row_stride, bytes);
}

/// Runs of a LoadPacked: for each row of words what it reads of its one or two image rows.
template <typename Visitor>
void PackedRuns(const LoadPacked& x, Visitor&& visit) {
  const std::array<PackedBlocks, 2> halves = BlocksOf(x);
  if (halves[1].rows == 0) return BlockRuns(halves[0].offset, halves[0].bytes, halves[0].rows, halves[0].stride, visit);
  uint64_t begin = 0, end = 0;
  for (uint64_t r = 0; r < x.rows; ++r) {
    for (const PackedBlocks& blocks : halves) {
      if (r - blocks.first >= blocks.rows) continue;
      const uint64_t at = blocks.offset + (r - blocks.first) * blocks.stride;
      if (at != end) {
        if (end > begin) visit(begin, end - begin);
        begin = at;
      }
      end = at + blocks.bytes;
    }
  }
  if (end > begin) visit(begin, end - begin);
}

template <typename Visitor>
void VisitRuns(const Instruction& instruction, const HardwareConfig& config, Visitor&& visit) {
  if (const auto* load = std::get_if<Load>(&instruction)) {
    CopyRuns(*load, config, visit);
  } else if (const auto* save = std::get_if<Save>(&instruction)) {
    CopyRuns(*save, config, visit);
  } else if (const auto* weights = std::get_if<LoadWeights>(&instruction)) {
    if (weights->rows != 0) visit(uint64_t{weights->offset}, uint64_t{weights->rows} * config.weight_row_bytes());
  } else if (const auto* matrix = std::get_if<LoadMatrix>(&instruction)) {
    BlockRuns(matrix->offset, MatrixBlockBytes(*matrix, config), matrix->rows, matrix->row_stride, visit);
  } else if (const auto* packed = std::get_if<LoadPacked>(&instruction)) {
    PackedRuns(*packed, visit);
  } else if (const auto* vector = std::get_if<LoadVector>(&instruction)) {
    visit(uint64_t{vector->offset}, uint64_t{vector->rows} * config.channels);
  }
}

std::optional<uint32_t> BaseOf(const Instruction& instruction) {
  if (const auto* load = std::get_if<Load>(&instruction)) return load->base;
  if (const auto* save = std::get_if<Save>(&instruction)) return save->base;
  if (const auto* weights = std::get_if<LoadWeights>(&instruction)) return weights->base;
  if (const auto* vector = std::get_if<LoadVector>(&instruction)) return vector->base;
  if (const auto* matrix = std::get_if<LoadMatrix>(&instruction)) return matrix->base;
  if (const auto* packed = std::get_if<LoadPacked>(&instruction)) return packed->base;
  return std::nullopt;
}

}  // namespace

OwnCycles CyclesOf(const Instruction& instruction, const HardwareConfig& config) {
  return std::visit([&](const auto& x) { return Own(x, config); }, instruction);
}

std::string Describe(const OwnCycles& cycles) {
  std::string text;
  const auto part = [&](const char* name, uint64_t value) {
    if (value != 0) text += (text.empty() ? "" : ", ") + std::string(name) + ' ' + std::to_string(value);
  };
  part("fill", cycles.fill);
  part("table", cycles.table);
  part("parameters", cycles.parameters);
  part("compute", cycles.compute);
  part("conflicts", cycles.conflicts);
  part("output", cycles.output);
  part("read", cycles.read);
  part("write", cycles.write);
  part("drain", cycles.drain);
  return text;
}

DramTransfer DramOf(const Instruction& instruction, const HardwareConfig& config) {
  DramTransfer transfer;
  const std::optional<uint32_t> base = BaseOf(instruction);
  if (!base) return transfer;
  transfer.base = static_cast<uint8_t>(*base);
  transfer.write = std::holds_alternative<Save>(instruction);
  VisitRuns(instruction, config, [&](uint64_t offset, uint64_t bytes) {
    ++transfer.runs;
    transfer.bytes += bytes;
    ForEachBurst(offset, bytes, config, [&](const DramBurst& burst) {
      ++transfer.bursts;
      transfer.port_beats[burst.port] += burst.beats;
      ++transfer.port_bursts[burst.port];
    });
  });
  return transfer;
}

void ForEachDramRun(const Instruction& instruction, const HardwareConfig& config,
                    const std::function<void(uint64_t, uint64_t)>& visit) {
  VisitRuns(instruction, config, visit);
}

uint64_t DramCyclesAlone(const DramTransfer& transfer, const HardwareConfig& config) {
  if (transfer.bursts == 0) return 0;
  uint64_t worst = 0;
  for (uint32_t port = 0; port < config.dram_ports; ++port) {
    const uint64_t beats = DivideUp(transfer.port_beats[port] * 100, config.dram_efficiency);
    uint64_t cycles = beats;
    if (!transfer.write && transfer.port_bursts[port] > config.dram_outstanding) {
      const uint64_t in_flight = transfer.port_bursts[port] * config.dram_read_latency +
                                 DivideUp(transfer.port_beats[port] * 100, config.dram_efficiency);
      cycles = std::max(cycles, in_flight / config.dram_outstanding);
    }
    worst = std::max(worst, cycles);
  }
  return worst + (transfer.write ? config.dram_write_response : config.dram_read_latency);
}

}  // namespace xrun
