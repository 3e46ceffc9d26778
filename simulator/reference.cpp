#include "simulator/reference.h"

#include <algorithm>
#include <cstring>

#include "isa/arithmetic.h"
#include "isa/footprint.h"

namespace xrun::simulator::reference {
namespace {

/// Addition and multiplication modulo 2^32, as the accumulators do them.
int32_t WrapAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
int32_t WrapMul(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

/// Bytes of a memory of rows that wrap: a segment of the weight ring.
class RingBytes {
 public:
  RingBytes(const MachineState& s, uint64_t row) : s_(s), row_(row) {}
  const uint8_t* Row(uint64_t i) const { return s_.RingRow(row_ + i); }
  uint8_t At(uint64_t row, uint64_t byte) const {
    return Row(row + byte / s_.config.weight_row_bytes())[byte % s_.config.weight_row_bytes()];
  }
  ChannelRecord Record(uint64_t row, uint64_t channel) const {
    uint8_t bytes[ChannelRecord::kBytes];
    for (uint64_t i = 0; i < sizeof bytes; ++i) bytes[i] = At(row, channel * ChannelRecord::kBytes + i);
    return ReadRecord(bytes);
  }

 private:
  const MachineState& s_;
  uint64_t row_;
};

/// Entry q of a table whose bytes are given by their index.
template <typename Byte>
int32_t Look(Byte&& byte, int32_t q) {
  return static_cast<int8_t>(byte(static_cast<uint64_t>(q + 128)));
}

/// The first half of the output stage: accumulator to clamped int8.
template <typename Window>
int32_t Output(const Window& x, const ChannelRecord& record, int32_t acc) {
  const bool second = x.prelu != 0 && acc < 0;
  const int32_t q = Requantize(acc, second ? record.m2 : record.m, second ? record.shift2 : record.shift, x.zero_point);
  return ClampTo(q, x.clamp_lo, x.clamp_hi);
}

template <typename Window>
bool Inside(const Window& x, int64_t iy, int64_t ix) {
  return iy >= 0 && iy < int64_t{x.in_h} && ix >= 0 && ix < int64_t{x.in_w};
}

}  // namespace

void Execute(const Load& x, MachineState& s, const uint8_t* dram) {
  const uint32_t cp = s.config.channels;
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      for (uint64_t c = 0; c < x.cols; ++c) {
        int16_t* word = s.Word(x.addr + p * x.plane_pitch + r * x.row_pitch + c);
        const uint8_t* from = dram + x.offset + p * x.plane_stride + r * x.row_stride + c * cp;
        for (uint32_t i = 0; i < cp; ++i) word[i] = static_cast<int8_t>(from[i]);
      }
    }
  }
}

void Execute(const Save& x, MachineState& s, uint8_t* dram) {
  const uint32_t cp = s.config.channels;
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      for (uint64_t c = 0; c < x.cols; ++c) {
        const int16_t* word = s.Word(x.addr + p * x.plane_pitch + r * x.row_pitch + c);
        uint8_t* to = dram + x.offset + p * x.plane_stride + r * x.row_stride + c * cp;
        for (uint32_t i = 0; i < cp; ++i) to[i] = static_cast<uint8_t>(word[i]);
      }
    }
  }
}

void Execute(const LoadWeights& x, MachineState& s, const uint8_t* dram) {
  const uint64_t bytes = s.config.weight_row_bytes();
  for (uint64_t i = 0; i < x.rows; ++i) {
    const uint64_t row = (x.row + i) % s.config.weight_rows;
    std::memcpy(s.ring.data() + row * bytes, dram + x.offset + i * bytes, bytes);
    s.is_expanded[row] = 0;
  }
}

void Execute(const LoadVector& x, MachineState& s, const uint8_t* dram) {
  const uint64_t bytes = s.config.channels;
  std::memcpy(s.vector.data() + x.addr * bytes, dram + x.offset, x.rows * bytes);
}

void Execute(const LoadPacked& x, MachineState& s, const uint8_t* dram) {
  const int64_t cp = s.config.channels, head = HeadBytes(x), used = head + x.tail;
  const int64_t row_bytes = int64_t{x.in_cols} * x.channels, step = int64_t{x.stride} * x.channels;
  const uint8_t* image = dram + x.offset;
  for (int64_t r = 0; r < int64_t{x.rows}; ++r) {
    const int64_t row = r * std::max(x.row_step, 1U) + x.top;
    const auto inside = [&](int64_t i) { return x.in_rows == 0 || (i >= 0 && i < int64_t{x.in_rows}); };
    const bool head_inside = inside(row), tail_inside = inside(row + 1);
    for (int64_t c = 0; c < int64_t{x.cols}; ++c) {
      int16_t* word = s.Word(x.addr + static_cast<uint64_t>(r) * x.row_pitch + static_cast<uint64_t>(c));
      const int64_t at = c * step + x.left * int64_t{x.channels};
      for (int64_t l = 0; l < cp; ++l) {
        const bool of_head = l < head;
        const int64_t byte = at + (of_head ? x.skip + l : l - head);
        if (l >= used) {
          word[l] = 0;
        } else if ((of_head ? head_inside : tail_inside) && byte >= 0 && byte < row_bytes) {
          word[l] = static_cast<int8_t>(image[(row + (of_head ? 0 : 1)) * int64_t{x.row_stride} + byte]);
        } else {
          word[l] = static_cast<int16_t>(x.fill);
        }
      }
    }
  }
}

void Execute(const LoadMatrix& x, MachineState& s, const uint8_t* dram) {
  const uint32_t cp = s.config.channels;
  for (uint64_t i = 0; i < x.rows; ++i) {
    const uint8_t* block = dram + x.offset + i * x.row_stride;
    const uint64_t at = (x.row + i) % s.config.weight_rows;
    uint8_t* row = s.ring.data() + at * s.config.weight_row_bytes();
    for (uint32_t j = 0; j < cp; ++j) {
      for (uint32_t c = 0; c < cp; ++c) {
        int32_t element = x.fill;
        if (j < x.words && c < x.lanes) {
          const uint32_t index = j * cp + c;
          if (x.int4 != 0) {
            const int32_t nibble = block[index / 2] >> (index % 2 * 4) & 0xF;
            element = nibble < 8 ? nibble : nibble - 16;
          } else {
            element = static_cast<int8_t>(block[index]);
          }
        }
        row[x.transpose != 0 ? c * cp + j : j * cp + c] = static_cast<uint8_t>(element);
      }
    }
    s.is_expanded[at] = 0;
  }
}

void Execute(const Conv& x, MachineState& s) {
  const uint32_t pp = s.config.pixels, cp = s.config.channels;
  const uint64_t pixels = uint64_t{x.out_w} * x.out_h, pixel_groups = PixelGroups(x, s.config);
  const uint64_t blocks = uint64_t{x.kernel_h} * x.kernel_w * x.ic_groups;
  const uint64_t table_rows = ConvTableRows(x, s.config);
  const uint64_t record_rows = x.keep != 0 ? 0 : s.config.param_rows();
  const RingBytes segment(s, x.weights);
  const auto table = [&](uint64_t i) { return segment.At(0, i); };
  const auto table2 = [&](uint64_t i) { return segment.At(x.table != 0 ? s.config.table_rows() : 0, i); };

  for (uint64_t og = 0; og < x.oc_groups; ++og) {
    const uint64_t records = table_rows + og * (record_rows + blocks);
    for (uint64_t p = 0; p < pixels; ++p) {
      const auto oy = static_cast<int64_t>(p / x.out_w), ox = static_cast<int64_t>(p % x.out_w);
      const uint64_t entry = (x.partial + og * pixel_groups + p / pp) * pp + p % pp;
      int32_t acc[64] = {}, sum = 0;
      if (x.accumulate != 0) {
        for (uint32_t oc = 0; oc < cp; ++oc) acc[oc] = s.partial[entry * s.lanes + oc];
        sum = s.partial_sum[entry];
      }
      uint64_t row = records + record_rows;
      for (uint32_t kh = 0; kh < x.kernel_h; ++kh) {
        for (uint32_t kw = 0; kw < x.kernel_w; ++kw) {
          const int64_t iy = oy * x.stride_h + int64_t{kh} * x.dilation_h - x.pad_top;
          const int64_t ix = ox * x.stride_w + int64_t{kw} * x.dilation_w - x.pad_left;
          for (uint64_t g = 0; g < x.ic_groups; ++g) {
            const auto* weights = reinterpret_cast<const int8_t*>(segment.Row(row++));
            const bool inside = Inside(x, iy, ix);
            const int16_t* word = inside
                                      ? s.Word(x.src + g * x.src_plane_pitch +
                                               static_cast<uint64_t>(iy) * x.src_row_pitch + static_cast<uint64_t>(ix))
                                      : nullptr;
            for (uint32_t ic = 0; ic < cp; ++ic) {
              const int32_t value = inside ? word[ic] : x.fill;
              for (uint32_t oc = 0; oc < cp; ++oc) acc[oc] = WrapAdd(acc[oc], value * weights[oc * cp + ic]);
              sum = WrapAdd(sum, value);
            }
          }
        }
      }
      if (x.keep != 0) {
        for (uint32_t oc = 0; oc < cp; ++oc) s.partial[entry * s.lanes + oc] = acc[oc];
        s.partial_sum[entry] = sum;
        continue;
      }
      int16_t* to = s.Word(x.dst + og * x.dst_plane_pitch + static_cast<uint64_t>(oy) * x.dst_row_pitch +
                           static_cast<uint64_t>(ox) * x.dst_step);
      const int16_t* residual = x.residual == 0
                                    ? nullptr
                                    : s.Word(x.res + og * x.res_plane_pitch +
                                             static_cast<uint64_t>(oy) * x.res_row_pitch + static_cast<uint64_t>(ox));
      for (uint32_t oc = 0; oc < cp; ++oc) {
        const ChannelRecord record = segment.Record(records, oc);
        int32_t a = WrapAdd(acc[oc], record.bias);
        if (x.weight_zero != 0) a = WrapAdd(a, WrapMul(-record.zero, sum));
        int32_t q = Output(x, record, a);
        if (x.table != 0) q = Look(table, q);
        if (residual != nullptr) {
          q = ClampTo(
              AddRequantize(q, x.main_zero, x.m_main, residual[oc], x.res_zero, x.m_res, x.add_shift, x.zero_point2),
              x.clamp2_lo, x.clamp2_hi);
          if (x.table2 != 0) q = Look(table2, q);
        }
        to[oc] = static_cast<int16_t>(q);
      }
    }
  }
}

void Execute(const Depthwise& x, MachineState& s) {
  const uint32_t cp = s.config.channels;
  const uint64_t taps = uint64_t{x.kernel_h} * x.kernel_w;
  const uint64_t table_rows = x.table != 0 ? s.config.vector_table_rows() : 0;
  const uint64_t record_rows = x.keep != 0 ? 0 : ChannelRecord::kBytes;  // CP records of 16 bytes in rows of CP bytes
  const auto table = [&](uint64_t i) { return s.VectorRow(x.params)[i]; };

  for (uint64_t g = 0; g < x.groups; ++g) {
    const uint64_t records = x.params + table_rows + g * (record_rows + taps);
    for (int64_t oy = 0; oy < int64_t{x.out_h}; ++oy) {
      for (int64_t ox = 0; ox < int64_t{x.out_w}; ++ox) {
        const uint64_t at = g * x.out_h * x.out_w + static_cast<uint64_t>(oy) * x.out_w + static_cast<uint64_t>(ox);
        for (uint32_t c = 0; c < cp; ++c) {
          const ChannelRecord record =
              x.keep != 0 ? ChannelRecord{} : ReadRecord(s.VectorRow(records) + c * ChannelRecord::kBytes);
          int32_t* kept = s.vector_partial.data() + (x.partial + at) * s.lanes + c;
          int32_t acc = x.accumulate != 0 ? *kept : 0;
          for (uint32_t kh = 0; kh < x.kernel_h; ++kh) {
            for (uint32_t kw = 0; kw < x.kernel_w; ++kw) {
              const int64_t iy = oy * x.stride_h + int64_t{kh} * x.dilation_h - x.pad_top;
              const int64_t ix = ox * x.stride_w + int64_t{kw} * x.dilation_w - x.pad_left;
              const int32_t value =
                  Inside(x, iy, ix) ? s.Word(x.src + g * x.src_plane_pitch +
                                             static_cast<uint64_t>(iy) * x.src_row_pitch + static_cast<uint64_t>(ix))[c]
                                    : x.fill;
              const auto weight = static_cast<int8_t>(s.VectorRow(records + record_rows + kh * x.kernel_w + kw)[c]);
              acc = WrapAdd(acc, value * (weight - record.zero));
            }
          }
          if (x.keep != 0) {
            *kept = acc;
            continue;
          }
          int32_t q = Output(x, record, WrapAdd(acc, record.bias));
          if (x.table != 0) q = Look(table, q);
          s.Word(x.dst + g * x.dst_plane_pitch + static_cast<uint64_t>(oy) * x.dst_row_pitch +
                 static_cast<uint64_t>(ox))[c] = static_cast<int16_t>(q);
        }
      }
    }
  }
}

void Execute(const Pool& x, MachineState& s) {
  const uint32_t cp = s.config.channels;
  const uint64_t counts = x.params + (x.table != 0 ? s.config.vector_table_rows() : 0);
  const auto table = [&](uint64_t i) { return s.VectorRow(x.params)[i]; };

  for (uint64_t g = 0; g < x.groups; ++g) {
    for (int64_t oy = 0; oy < int64_t{x.out_h}; ++oy) {
      for (int64_t ox = 0; ox < int64_t{x.out_w}; ++ox) {
        const uint64_t at = g * x.out_h * x.out_w + static_cast<uint64_t>(oy) * x.out_w + static_cast<uint64_t>(ox);
        for (uint32_t c = 0; c < cp; ++c) {
          int32_t* kept = s.vector_partial.data() + (x.partial + at) * s.lanes + c;
          int32_t acc = x.accumulate != 0 ? *kept : x.average != 0 ? 0 : -128;
          uint64_t rows_inside = 0, taps_inside = 0;
          for (uint32_t kh = 0; kh < x.kernel_h; ++kh) {
            bool row_inside = false;
            for (uint32_t kw = 0; kw < x.kernel_w; ++kw) {
              const int64_t iy = oy * x.stride_h + int64_t{kh} * x.dilation_h - x.pad_top;
              const int64_t ix = ox * x.stride_w + int64_t{kw} * x.dilation_w - x.pad_left;
              if (!Inside(x, iy, ix)) continue;
              row_inside = true;
              ++taps_inside;
              const int32_t value = s.Word(x.src + g * x.src_plane_pitch + static_cast<uint64_t>(iy) * x.src_row_pitch +
                                           static_cast<uint64_t>(ix))[c];
              acc = x.average != 0 ? WrapAdd(acc, value - x.in_zero) : std::max(acc, value);
            }
            rows_inside += row_inside ? 1 : 0;
          }
          if (x.keep != 0) {
            *kept = acc;
            continue;
          }
          int32_t q = acc;
          if (x.average != 0 && x.per_count != 0) {
            q = x.zero_point;
            if (taps_inside != 0) {
              const uint64_t columns_inside = taps_inside / rows_inside;
              const uint8_t* bytes = s.VectorRow(counts) + ((rows_inside - 1) * x.kernel_w + columns_inside - 1) * 4;
              const Multiplier m = UnpackMultiplier(bytes[0] | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 |
                                                    uint32_t{bytes[3]} << 24);
              q = Requantize(acc, m.m, m.shift, x.zero_point);
            }
          } else if (x.average != 0) {
            q = Requantize(acc, x.m, x.shift, x.zero_point);
          } else if (x.requantize != 0) {
            q = Requantize(WrapAdd(acc, -x.in_zero), x.m, x.shift, x.zero_point);
          }
          q = ClampTo(q, x.clamp_lo, x.clamp_hi);
          if (x.table != 0) q = Look(table, q);
          s.Word(x.dst + g * x.dst_plane_pitch + static_cast<uint64_t>(oy) * x.dst_row_pitch +
                 static_cast<uint64_t>(ox))[c] = static_cast<int16_t>(q);
        }
      }
    }
  }
}

void Execute(const Elementwise& x, MachineState& s) {
  const uint32_t cp = s.config.channels;
  const auto table = [&](uint64_t i) { return s.VectorRow(x.params)[i]; };
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      for (uint64_t c = 0; c < x.cols; ++c) {
        const int16_t* word_a = s.Word(x.a + p * x.a_plane_pitch + r * x.a_row_pitch + c);
        const bool two = x.kind == kElementwiseAdd || x.kind == kElementwiseMul;
        const int16_t* word_b = two ? s.Word(x.b + p * x.b_plane_pitch + r * x.b_row_pitch + c * x.b_step) : nullptr;
        int16_t* to = s.Word(x.dst + p * x.dst_plane_pitch + r * x.dst_row_pitch + c);
        for (uint32_t ch = 0; ch < cp; ++ch) {
          const int32_t a = word_a[ch];
          const int32_t b = two ? word_b[x.b_lane0 != 0 ? 0 : ch] : 0;
          int32_t q = a;
          if (x.kind == kElementwiseRequantize) {
            q = Requantize(a - x.a_zero, static_cast<uint32_t>(x.m_a), x.shift, x.zero_point);
          } else if (x.kind == kElementwiseAdd) {
            q = AddRequantize(a, x.a_zero, x.m_a, b, x.b_zero, x.m_b, x.shift, x.zero_point);
          } else if (x.kind == kElementwiseMul) {
            q = MulRequantize(a, x.a_zero, b, x.b_zero, static_cast<uint32_t>(x.m_a), x.shift, x.zero_point);
          }
          q = ClampTo(q, x.clamp_lo, x.clamp_hi);
          if (x.table != 0) q = Look(table, q);
          to[ch] = static_cast<int16_t>(q);
        }
      }
    }
  }
}

}  // namespace xrun::simulator::reference
