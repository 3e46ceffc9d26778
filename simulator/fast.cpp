#include "simulator/fast.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "isa/footprint.h"

namespace xrun::simulator::fast {
namespace {

static_assert(kTilePixels == 6, "kernels.inc has the same number");
static_assert(kElementwiseCopy == 0 && kElementwiseRequantize == 1 && kElementwiseAdd == 2 && kElementwiseMul == 3,
              "kernels.inc has the same numbers");

constexpr int32_t kLowestRegularShift = 1, kHighestRegularShift = 60;
constexpr size_t kTableEntries = 256;

void PutChannel(RequantParams& params, uint32_t channel, const ChannelRecord& record) {
  params.bias[channel] = record.bias;
  params.m[channel] = static_cast<int32_t>(record.m);
  params.shift[channel] = static_cast<int32_t>(record.shift);
  params.m2[channel] = static_cast<int32_t>(record.m2);
  params.shift2[channel] = static_cast<int32_t>(record.shift2);
  params.zero[channel] = record.zero;
}

/// The kernels' vector code needs shifts it can take a half of; unused second multipliers do not count.
void Judge(RequantParams& params, uint32_t channels, bool prelu) {
  const auto regular = [](int32_t shift) { return shift >= kLowestRegularShift && shift <= kHighestRegularShift; };
  params.regular = true;
  for (uint32_t c = 0; c < channels; ++c) {
    params.regular = params.regular && regular(params.shift[c]) && (!prelu || regular(params.shift2[c]));
  }
}

/// One multiplier for all channels.
void FillParams(RequantParams& params, uint32_t channels, int32_t bias, uint32_t m, uint32_t shift) {
  for (uint32_t c = 0; c < channels; ++c) PutChannel(params, c, {bias, m, shift, 0, 0, 0});
  Judge(params, channels, false);
}

template <typename Window>
OutputStage StageOf(const Window& x, const MachineState& s, const int8_t* table) {
  OutputStage stage{};
  stage.channels = s.config.channels;
  stage.lanes = s.lanes;
  stage.zero_point = x.zero_point;
  stage.lo = x.clamp_lo;
  stage.hi = x.clamp_hi;
  stage.table = x.table != 0 ? table : nullptr;
  return stage;
}

/// True where no two results share a word, so that their order does not matter.
bool DistinctWords(uint64_t step, uint64_t columns, uint64_t row_pitch, uint64_t rows, uint64_t plane_pitch,
                   uint64_t planes) {
  struct Dim {
    uint64_t pitch, count;
  } dims[] = {{step, columns}, {row_pitch, rows}, {plane_pitch, planes}};
  std::sort(std::begin(dims), std::end(dims), [](const Dim& a, const Dim& b) { return a.pitch < b.pitch; });
  uint64_t extent = 1;
  for (const Dim& d : dims) {
    if (d.count == 1) continue;
    if (d.pitch < extent) return false;
    extent = d.pitch * (d.count - 1) + extent;
  }
  return true;
}

/// Element offset of the word a tap reads in group 0, or of the fill word.
template <typename Window>
struct TapOffsets {
  TapOffsets(const Window& window, const MachineState& s)
      : x(window), lanes(static_cast<int32_t>(s.lanes)), fill(static_cast<int32_t>(s.FillWord() * s.lanes)) {}

  /// Taps of output pixel (oy, ox), `stride` entries apart.
  void Write(int64_t oy, int64_t ox, int32_t* to, ptrdiff_t stride) const {
    const int64_t top = oy * x.stride_h - x.pad_top, left = ox * x.stride_w - x.pad_left;
    const int64_t bottom = top + int64_t{x.kernel_h - 1} * x.dilation_h;
    const int64_t right = left + int64_t{x.kernel_w - 1} * x.dilation_w;
    const int64_t row_step = int64_t{x.dilation_h} * x.src_row_pitch;
    int64_t row = int64_t{x.src} + top * int64_t{x.src_row_pitch} + left;
    if (top >= 0 && left >= 0 && bottom < int64_t{x.in_h} && right < int64_t{x.in_w}) {
      for (uint32_t kh = 0; kh < x.kernel_h; ++kh, row += row_step) {
        int32_t offset = static_cast<int32_t>(row) * lanes;
        for (uint32_t kw = 0; kw < x.kernel_w; ++kw, to += stride) {
          *to = offset;
          offset += static_cast<int32_t>(x.dilation_w) * lanes;
        }
      }
      return;
    }
    for (uint32_t kh = 0; kh < x.kernel_h; ++kh, row += row_step) {
      const int64_t iy = top + int64_t{kh} * x.dilation_h;
      for (uint32_t kw = 0; kw < x.kernel_w; ++kw, to += stride) {
        const int64_t dx = int64_t{kw} * x.dilation_w, ix = left + dx;
        const bool inside = iy >= 0 && iy < int64_t{x.in_h} && ix >= 0 && ix < int64_t{x.in_w};
        *to = inside ? static_cast<int32_t>((row + dx) * lanes) : fill;
      }
    }
  }

  const Window& x;
  const int32_t lanes, fill;
};

void SetFillWord(MachineState& s, int32_t fill) {
  std::fill_n(s.Word(s.FillWord()), s.config.channels, static_cast<int16_t>(fill));
}

/// One Conv instruction in execution.
class ConvRun {
 public:
  ConvRun(const Conv& x, MachineState& s, const Kernels& k)
      : x_(x),
        s_(s),
        k_(k),
        offsets_(x, s),
        taps_(x.kernel_h * x.kernel_w),
        blocks_(taps_ * x.ic_groups),
        table_rows_(static_cast<uint32_t>(ConvTableRows(x, s.config))),
        record_rows_(x.keep != 0 ? 0 : s.config.param_rows()),
        pixels_(x.out_w * x.out_h),
        pixel_groups_(PixelGroups(x, s.config)) {}

  void Run() {
    SetFillWord(s_, x_.fill);
    Expand();
    if (x_.table != 0) CopyTable(0, table_);
    if (x_.table2 != 0) CopyTable(x_.table != 0 ? s_.config.table_rows() : 0, table2_);
    stage_ = StageOf(x_, s_, table_);
    stage_.table2 = x_.table2 != 0 ? table2_ : nullptr;
    stage_.prelu = x_.prelu != 0;
    stage_.weight_zero = x_.weight_zero != 0;
    stage_.m_main = x_.m_main;
    stage_.m_res = x_.m_res;
    stage_.main_zero = x_.main_zero;
    stage_.res_zero = x_.res_zero;
    stage_.zero_point2 = x_.zero_point2;
    stage_.lo2 = x_.clamp2_lo;
    stage_.hi2 = x_.clamp2_hi;
    stage_.add_shift = x_.add_shift;

    // Tap offsets serve all output groups, as long as the order of results makes no difference.
    const uint32_t chunk = static_cast<uint32_t>(s_.taps.size() / (size_t{taps_} * kTilePixels)) * kTilePixels;
    if (x_.keep != 0 || chunk >= pixels_ ||
        DistinctWords(x_.dst_step, x_.out_w, x_.dst_row_pitch, x_.out_h, x_.dst_plane_pitch, x_.oc_groups)) {
      for (uint32_t first = 0; first < pixels_; first += chunk) {
        const uint32_t count = std::min(chunk, pixels_ - first);
        FindTaps(first, count);
        for (uint32_t og = 0; og < x_.oc_groups; ++og) Group(og, first, count);
      }
    } else {
      for (uint32_t og = 0; og < x_.oc_groups; ++og) {
        for (uint32_t first = 0; first < pixels_; first += chunk) {
          const uint32_t count = std::min(chunk, pixels_ - first);
          FindTaps(first, count);
          Group(og, first, count);
        }
      }
    }
  }

 private:
  uint32_t Row(uint64_t of_segment) const {
    return static_cast<uint32_t>((x_.weights + of_segment) & (s_.config.weight_rows - 1));
  }
  uint64_t GroupRow(uint32_t og) const { return table_rows_ + uint64_t{og} * (record_rows_ + blocks_); }

  /// Weight rows that no earlier Conv has expanded since they were loaded.
  void Expand() {
    const size_t size = s_.ExpandedRowSize();
    for (uint32_t og = 0; og < x_.oc_groups; ++og) {
      const uint64_t first = GroupRow(og) + record_rows_;
      for (uint64_t i = 0; i < blocks_; ++i) {
        const uint32_t row = Row(first + i);
        if (s_.is_expanded[row] != 0) continue;
        k_.expand(s_.RingRow(row), s_.config.channels, s_.pairs, s_.out_lanes, s_.expanded.data() + row * size);
        s_.is_expanded[row] = 1;
      }
    }
  }

  void CopyTable(uint64_t row, int8_t* table) {
    const size_t row_bytes = s_.config.weight_row_bytes();
    for (size_t at = 0; at < kTableEntries; at += row_bytes) {
      std::memcpy(table + at, s_.RingRow(Row(row + at / row_bytes)), std::min(row_bytes, kTableEntries - at));
    }
  }

  void ReadParams(uint32_t og) {
    const size_t row_bytes = s_.config.weight_row_bytes();
    uint8_t records[kMaxLanes * ChannelRecord::kBytes + kMaxLanes * kMaxLanes];  // whole rows
    for (uint32_t i = 0; i < record_rows_; ++i) {
      std::memcpy(records + i * row_bytes, s_.RingRow(Row(GroupRow(og) + i)), row_bytes);
    }
    for (uint32_t c = 0; c < s_.config.channels; ++c)
      PutChannel(params_, c, ReadRecord(records + c * ChannelRecord::kBytes));
    Judge(params_, s_.config.channels, x_.prelu != 0);
  }

  ConvTile Tile(uint32_t tile) const {
    ConvTile t{};
    t.activations = s_.activations.data();
    t.offsets = s_.taps.data() + size_t{tile} * taps_ * kTilePixels;
    t.fill_offset = offsets_.fill;
    t.taps = taps_;
    t.ic_groups = x_.ic_groups;
    t.plane_step = static_cast<ptrdiff_t>(x_.src_plane_pitch) * s_.lanes;
    t.weights = s_.expanded.data();
    t.row_size = s_.ExpandedRowSize();
    t.ring_rows = s_.config.weight_rows;
    t.pairs = s_.pairs;
    t.out_lanes = s_.out_lanes;
    t.lanes = s_.lanes;
    return t;
  }

  void FindTaps(uint32_t first, uint32_t count) {
    uint32_t oy = first / x_.out_w, ox = first % x_.out_w;
    for (uint32_t i = 0; i < count; ++i) {
      offsets_.Write(oy, ox, s_.taps.data() + size_t{i / kTilePixels} * taps_ * kTilePixels + i % kTilePixels,
                     kTilePixels);
      if (++ox == x_.out_w) {
        ox = 0;
        ++oy;
      }
    }
    if (x_.keep == 0 && x_.weight_zero == 0) return;
    assert(count <= s_.tap_sums.size());
    for (uint32_t i = 0; i < count; i += kTilePixels) {
      k_.tap_sums(Tile(i / kTilePixels), std::min(kTilePixels, count - i), s_.tap_sums.data() + i);
    }
  }

  /// Pixels [first, first + count) of one output group; `taps` has them.
  void Group(uint32_t og, uint32_t first, uint32_t count) {
    if (x_.keep == 0) ReadParams(og);
    const uint32_t weights = Row(GroupRow(og) + record_rows_);
    const uint64_t entry =
        (x_.partial + og * pixel_groups_) * s_.config.pixels + first;  // a pixel group's lanes are in order
    uint32_t oy = first / x_.out_w, ox = first % x_.out_w;
    for (uint32_t i = 0; i < count; i += kTilePixels) {
      const uint32_t n = std::min(kTilePixels, count - i);
      int32_t* partial = s_.partial.data() + (entry + i) * s_.lanes;
      int32_t* sums = s_.partial_sum.data() + entry + i;
      ConvTile tile = Tile(i / kTilePixels);
      tile.first_row = weights;
      alignas(64) int32_t acc[kTilePixels * kMaxLanes];
      tile.acc = x_.keep != 0 ? partial : acc;
      if (x_.accumulate == 0) {
        std::memset(tile.acc, 0, sizeof(int32_t) * n * s_.lanes);
      } else if (x_.keep == 0) {
        std::memcpy(acc, partial, sizeof(int32_t) * n * s_.lanes);
      }
      k_.conv(tile, n);
      for (uint32_t p = 0; p < n; ++p) {
        uint32_t sum = x_.accumulate != 0 ? static_cast<uint32_t>(sums[p]) : 0;
        if (x_.keep != 0 || x_.weight_zero != 0) sum += static_cast<uint32_t>(s_.tap_sums[i + p]);
        if (x_.keep != 0) {
          sums[p] = static_cast<int32_t>(sum);
          continue;
        }
        const int16_t* residual =
            x_.residual == 0
                ? nullptr
                : s_.Word(x_.res + uint64_t{og} * x_.res_plane_pitch + uint64_t{oy} * x_.res_row_pitch + ox);
        k_.requantize(acc + p * s_.lanes, params_, stage_, static_cast<int32_t>(sum), residual,
                      s_.Word(x_.dst + uint64_t{og} * x_.dst_plane_pitch + uint64_t{oy} * x_.dst_row_pitch +
                              uint64_t{ox} * x_.dst_step));
        if (++ox == x_.out_w) {
          ox = 0;
          ++oy;
        }
      }
    }
  }

  const Conv& x_;
  MachineState& s_;
  const Kernels& k_;
  const TapOffsets<Conv> offsets_;
  const uint32_t taps_;
  const uint64_t blocks_;
  const uint32_t table_rows_, record_rows_, pixels_;
  const uint64_t pixel_groups_;
  OutputStage stage_{};
  RequantParams params_{};
  int8_t table_[kTableEntries] = {}, table2_[kTableEntries] = {};
};

/// One Depthwise instruction in execution.
class DepthwiseRun {
 public:
  DepthwiseRun(const Depthwise& x, MachineState& s, const Kernels& k)
      : x_(x),
        s_(s),
        k_(k),
        offsets_(x, s),
        taps_(x.kernel_h * x.kernel_w),
        tap_pairs_((taps_ + 1) / 2),
        record_rows_(x.keep != 0 ? 0 : ChannelRecord::kBytes),
        first_row_(uint64_t{x.params} + (x.table != 0 ? s.config.vector_table_rows() : 0)),
        pixels_(x.out_w * x.out_h) {}

  void Run() {
    SetFillWord(s_, x_.fill);
    stage_ = StageOf(x_, s_, reinterpret_cast<const int8_t*>(s_.VectorRow(x_.params)));
    stage_.prelu = x_.prelu != 0;
    const uint32_t chunk = static_cast<uint32_t>(s_.taps.size() / (size_t{tap_pairs_} * 2));
    if (chunk >= pixels_) FindTaps(0, pixels_);
    for (uint32_t g = 0; g < x_.groups; ++g) {
      ReadGroup(g);
      for (uint32_t first = 0; first < pixels_; first += chunk) {
        const uint32_t count = std::min(chunk, pixels_ - first);
        if (chunk < pixels_) FindTaps(first, count);
        Group(g, first, count);
      }
    }
  }

 private:
  void FindTaps(uint32_t first, uint32_t count) {
    uint32_t oy = first / x_.out_w, ox = first % x_.out_w;
    for (uint32_t i = 0; i < count; ++i) {
      int32_t* to = s_.taps.data() + size_t{i} * tap_pairs_ * 2;
      offsets_.Write(oy, ox, to, 1);
      if (taps_ % 2 != 0) to[taps_] = offsets_.fill;  // its weight is 0
      if (++ox == x_.out_w) {
        ox = 0;
        ++oy;
      }
    }
  }

  void ReadGroup(uint32_t g) {
    const uint64_t row = first_row_ + uint64_t{g} * (record_rows_ + taps_);
    const uint32_t channels = s_.config.channels;
    if (x_.keep == 0) {
      for (uint32_t c = 0; c < channels; ++c) {
        PutChannel(params_, c, ReadRecord(s_.VectorRow(row) + c * ChannelRecord::kBytes));
      }
      Judge(params_, channels, x_.prelu != 0);
    }
    std::memset(s_.tap_weights.data(), 0, sizeof(int16_t) * 2 * tap_pairs_ * s_.lanes);
    for (uint32_t tap = 0; tap < taps_; ++tap) {
      const auto* bytes = reinterpret_cast<const int8_t*>(s_.VectorRow(row + record_rows_ + tap));
      int16_t* to = s_.tap_weights.data() + size_t{tap} * s_.lanes;
      for (uint32_t c = 0; c < channels; ++c)
        to[c] = static_cast<int16_t>(bytes[c] - (x_.keep != 0 ? 0 : params_.zero[c]));
    }
    k_.depthwise_prepare(s_.tap_weights.data(), tap_pairs_, s_.lanes);
  }

  void Group(uint32_t g, uint32_t first, uint32_t count) {
    uint32_t oy = first / x_.out_w, ox = first % x_.out_w;
    const ptrdiff_t plane = static_cast<ptrdiff_t>(g) * x_.src_plane_pitch * s_.lanes;
    for (uint32_t i = 0; i < count; ++i) {
      alignas(64) int32_t local[kMaxLanes];
      int32_t* partial = s_.vector_partial.data() + (x_.partial + uint64_t{g} * pixels_ + first + i) * s_.lanes;
      int32_t* acc = x_.keep != 0 ? partial : local;
      if (x_.accumulate == 0) {
        std::memset(acc, 0, sizeof(int32_t) * s_.lanes);
      } else if (x_.keep == 0) {
        std::memcpy(local, partial, sizeof(int32_t) * s_.lanes);
      }
      k_.depthwise(s_.activations.data(), s_.taps.data() + size_t{i} * tap_pairs_ * 2, offsets_.fill, plane,
                   s_.tap_weights.data(), tap_pairs_, s_.lanes, acc);
      if (x_.keep == 0) {
        k_.requantize(acc, params_, stage_, 0, nullptr,
                      s_.Word(x_.dst + uint64_t{g} * x_.dst_plane_pitch + uint64_t{oy} * x_.dst_row_pitch + ox));
      }
      if (++ox == x_.out_w) {
        ox = 0;
        ++oy;
      }
    }
  }

  const Depthwise& x_;
  MachineState& s_;
  const Kernels& k_;
  const TapOffsets<Depthwise> offsets_;
  const uint32_t taps_, tap_pairs_, record_rows_;
  const uint64_t first_row_;
  const uint32_t pixels_;
  OutputStage stage_{};
  RequantParams params_{};
};

/// Taps k with 0 ≤ origin + k·dilation < size.
struct TapRange {
  TapRange(int64_t origin, uint32_t kernel, uint32_t dilation, uint32_t size) {
    first = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
    const int64_t end = int64_t{size} <= origin ? 0 : (int64_t{size} - 1 - origin) / dilation + 1;
    count = static_cast<uint64_t>(std::max<int64_t>(0, std::min<int64_t>(end, kernel) - first));
  }
  int64_t first = 0;
  uint64_t count = 0;
};

}  // namespace

void Execute(const Load& x, MachineState& s, const Kernels& k, const uint8_t* dram) {
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      k.widen(dram + x.offset + p * x.plane_stride + r * x.row_stride, s.config.channels, s.lanes, x.cols,
              s.Word(x.addr + p * x.plane_pitch + r * x.row_pitch));
    }
  }
}

void Execute(const Save& x, MachineState& s, const Kernels& k, uint8_t* dram) {
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      k.narrow(s.Word(x.addr + p * x.plane_pitch + r * x.row_pitch), s.config.channels, s.lanes, x.cols,
               dram + x.offset + p * x.plane_stride + r * x.row_stride);
    }
  }
}

void Execute(const LoadWeights& x, MachineState& s, const uint8_t* dram) {
  const uint64_t bytes = s.config.weight_row_bytes();
  uint64_t row = x.row & (s.config.weight_rows - 1);
  for (uint64_t done = 0; done < x.rows; row = 0) {
    const uint64_t count = std::min<uint64_t>(x.rows - done, s.config.weight_rows - row);
    std::memcpy(s.ring.data() + row * bytes, dram + x.offset + done * bytes, count * bytes);
    std::memset(s.is_expanded.data() + row, 0, count);
    done += count;
  }
}

void Execute(const LoadVector& x, MachineState& s, const uint8_t* dram) {
  const uint64_t bytes = s.config.channels;
  std::memcpy(s.vector.data() + x.addr * bytes, dram + x.offset, x.rows * bytes);
}

void Execute(const Conv& x, MachineState& s, const Kernels& k) { ConvRun(x, s, k).Run(); }

void Execute(const Depthwise& x, MachineState& s, const Kernels& k) { DepthwiseRun(x, s, k).Run(); }

void Execute(const Pool& x, MachineState& s, const Kernels& k) {
  const uint32_t channels = s.config.channels;
  const auto* table = reinterpret_cast<const int8_t*>(s.VectorRow(x.params));
  const uint8_t* counts =
      s.vector.data() + (x.params + (x.table != 0 ? s.config.vector_table_rows() : 0)) * size_t{channels};
  const OutputStage stage = StageOf(x, s, table);
  const bool scaled = x.average != 0 || x.requantize != 0;
  RequantParams params{};
  if (scaled) FillParams(params, channels, x.average != 0 ? 0 : -x.in_zero, x.m, x.shift);
  uint64_t known_count = ~uint64_t{0};

  for (uint64_t g = 0; g < x.groups; ++g) {
    for (int64_t oy = 0; oy < int64_t{x.out_h}; ++oy) {
      const int64_t top = oy * x.stride_h - x.pad_top;
      const TapRange rows(top, x.kernel_h, x.dilation_h, x.in_h);
      for (int64_t ox = 0; ox < int64_t{x.out_w}; ++ox) {
        const int64_t left = ox * x.stride_w - x.pad_left;
        const TapRange columns(left, x.kernel_w, x.dilation_w, x.in_w);
        const uint64_t at = (g * x.out_h + static_cast<uint64_t>(oy)) * x.out_w + static_cast<uint64_t>(ox);
        const uint64_t n = rows.count * columns.count;
        int32_t* partial = s.vector_partial.data() + (x.partial + at) * s.lanes;
        alignas(64) int32_t acc[kMaxLanes];
        if (x.accumulate != 0) {
          std::memcpy(acc, partial, sizeof(int32_t) * s.lanes);
        } else {
          std::fill_n(acc, s.lanes, x.average != 0 ? 0 : -128);
        }
        for (uint64_t i = 0; n != 0 && i < rows.count; ++i) {
          const uint64_t iy = static_cast<uint64_t>(top + (rows.first + static_cast<int64_t>(i)) * x.dilation_h);
          const uint64_t ix = static_cast<uint64_t>(left + columns.first * x.dilation_w);
          (x.average != 0 ? k.add_words : k.max_words)(
              s.Word(x.src + g * x.src_plane_pitch + iy * x.src_row_pitch + ix), columns.count,
              static_cast<ptrdiff_t>(x.dilation_w) * s.lanes, s.lanes, acc);
        }
        if (x.average != 0) {
          const uint32_t zeros = static_cast<uint32_t>(x.in_zero) * static_cast<uint32_t>(n);
          for (uint32_t c = 0; c < channels; ++c) acc[c] = static_cast<int32_t>(static_cast<uint32_t>(acc[c]) - zeros);
        }
        if (x.keep != 0) {
          std::memcpy(partial, acc, sizeof(int32_t) * channels);
          continue;
        }
        int16_t* to = s.Word(x.dst + g * x.dst_plane_pitch + static_cast<uint64_t>(oy) * x.dst_row_pitch +
                             static_cast<uint64_t>(ox));
        if (x.per_count != 0) {
          const uint64_t count = n == 0 ? 0 : (rows.count - 1) * x.kernel_w + columns.count;
          if (count != known_count) {
            uint8_t record[ChannelRecord::kBytes] = {};  // without taps: multiplier 0, so the zero point
            if (n != 0) std::memcpy(record + 4, counts + (count - 1) * 4, 4);
            const ChannelRecord multiplier = ReadRecord(record);
            FillParams(params, channels, 0, multiplier.m, multiplier.shift);
            known_count = count;
          }
        }
        if (scaled) {
          k.requantize(acc, params, stage, 0, nullptr, to);
          continue;
        }
        for (uint32_t c = 0; c < channels; ++c) {
          const int32_t q = std::clamp(acc[c], x.clamp_lo, x.clamp_hi);
          to[c] = static_cast<int16_t>(stage.table != nullptr ? stage.table[q + 128] : q);
        }
      }
    }
  }
}

void Execute(const Elementwise& x, MachineState& s, const Kernels& k) {
  ElementwiseRow row{};
  row.kind = x.kind;
  row.channels = s.config.channels;
  row.lanes = s.lanes;
  row.shift = x.shift;
  row.m_a = x.m_a;
  row.m_b = x.m_b;
  row.a_zero = x.a_zero;
  row.b_zero = x.b_zero;
  row.zero_point = x.zero_point;
  row.lo = x.clamp_lo;
  row.hi = x.clamp_hi;
  row.table = x.table != 0 ? reinterpret_cast<const int8_t*>(s.VectorRow(x.params)) : nullptr;
  row.b_lane0 = x.b_lane0 != 0;
  row.b_step = x.b_step != 0 ? static_cast<ptrdiff_t>(s.lanes) : 0;
  const bool two = x.kind == kElementwiseAdd || x.kind == kElementwiseMul;
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      k.elementwise(row, s.Word(x.a + p * x.a_plane_pitch + r * x.a_row_pitch),
                    two ? s.Word(x.b + p * x.b_plane_pitch + r * x.b_row_pitch) : nullptr,
                    s.Word(x.dst + p * x.dst_plane_pitch + r * x.dst_row_pitch), x.cols);
    }
  }
}

}  // namespace xrun::simulator::fast
