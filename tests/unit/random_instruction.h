#ifndef XRUN_TESTS_UNIT_RANDOM_INSTRUCTION_H_
#define XRUN_TESTS_UNIT_RANDOM_INSTRUCTION_H_

// Random legal instructions for any configuration: odd shapes, pitches, strides, dilations, paddings of either sign,
// every flag. A seed gives the same instruction everywhere.

#include <algorithm>
#include <random>

#include "isa/arithmetic.h"
#include "isa/assembly.h"
#include "isa/footprint.h"
#include "isa/hardware_config.h"

namespace xrun::test {

class RandomInstruction {
 public:
  RandomInstruction(uint64_t seed, const HardwareConfig& config) : engine_(seed), config_(config) {}

  int64_t Range(int64_t lo, int64_t hi) {  // not a distribution: those differ between libraries
    return lo + static_cast<int64_t>(engine_() % static_cast<uint64_t>(hi - lo + 1));
  }
  uint32_t U(int64_t lo, int64_t hi) { return static_cast<uint32_t>(Range(lo, hi)); }
  int32_t S(int64_t lo, int64_t hi) { return static_cast<int32_t>(Range(lo, hi)); }
  bool Chance(int percent) { return Range(1, 100) <= percent; }
  /// Often a power of two: only those meet the tie of a rounding now and then.
  uint32_t M() { return Chance(5) ? 0 : Chance(30) ? Multiplier::kMinM : U(Multiplier::kMinM, Multiplier::kMaxM); }

  /// The bytes of one channel's record: results of usual sums fall inside int8 now and then.
  void Record(uint8_t* bytes, bool odd_shifts) {
    const auto put = [&](uint32_t word, size_t at) {
      for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<uint8_t>(word >> (8 * i));
    };
    const auto shift = [&] { return odd_shifts ? U(0, 63) : Chance(80) ? U(26, 38) : U(16, 55); };
    put(static_cast<uint32_t>(S(-100000, 100000)), 0);
    put(PackMultiplier({M(), shift()}), 4);
    put(PackMultiplier({M(), shift()}), 8);
    bytes[12] = static_cast<uint8_t>(Range(-128, 127));
    bytes[13] = bytes[14] = bytes[15] = 0;
  }

  /// Draws until the fields are legal.
  template <typename T>
  T Draw() {
    for (;;) {
      T x;
      Fill(x);
      if (CheckFields(x, T::kEngine, config_).ok()) return x;
    }
  }

 private:
  uint32_t Words() const { return config_.activation_words(); }

  template <typename T>
  void Window(T& x, uint32_t groups) {
    x.kernel_h = U(1, Chance(20) ? 7 : 3);
    x.kernel_w = U(1, Chance(20) ? 7 : 3);
    x.stride_h = U(1, Chance(20) ? 5 : 2);
    x.stride_w = U(1, Chance(20) ? 5 : 2);
    x.dilation_h = Chance(80) ? 1 : U(1, 4);
    x.dilation_w = Chance(80) ? 1 : U(1, 4);
    x.out_w = Chance(15) ? 1 : U(1, Chance(10) ? 70 : 20);
    x.out_h = Chance(15) ? 1 : U(1, 12);
    x.pad_top = S(-2, 4);
    x.pad_left = S(-2, 4);
    const auto in = [&](uint32_t out, uint32_t stride, uint32_t kernel, uint32_t dilation) {
      return static_cast<uint32_t>(std::max<int64_t>(
          Chance(3) ? 0 : 1, Range(-3, 3) + int64_t{out - 1} * stride + int64_t{kernel - 1} * dilation));
    };
    x.in_w = in(x.out_w, x.stride_w, x.kernel_w, x.dilation_w);
    x.in_h = in(x.out_h, x.stride_h, x.kernel_h, x.dilation_h);
    x.src_row_pitch = x.in_w + U(0, Chance(50) ? 0 : 9);
    x.src_plane_pitch = x.in_h * x.src_row_pitch + U(0, Chance(50) ? 0 : 17);
    x.dst_row_pitch = x.out_w + U(0, Chance(50) ? 0 : 9);
    x.dst_plane_pitch = x.out_h * x.dst_row_pitch + U(0, Chance(50) ? 0 : 17);
    x.src = U(0, Words() / 2 - 1);
    x.dst = U(Words() / 2, Words() - 1);
    if (Chance(50)) std::swap(x.src, x.dst);
    (void)groups;
  }
  template <typename T>
  void Stage(T& x) {
    x.zero_point = S(-128, 127);
    x.clamp_lo = Chance(50) ? -128 : S(-128, 0);
    x.clamp_hi = Chance(50) ? 127 : S(0, 127);
    x.table = Chance(30) ? 1 : 0;
  }

  void Fill(Conv& x) {
    Window(x, 0);
    x.ic_groups = U(1, 4);
    x.oc_groups = U(1, 4);
    x.dst_step = Chance(70) ? 1 : U(1, 15);
    if (x.dst_step != 1) {
      x.dst_row_pitch = x.out_w * x.dst_step + U(0, 3);
      x.dst_plane_pitch = x.out_h * x.dst_row_pitch + U(0, 9);
    }
    x.fill = S(-128, 127);
    x.weights = U(0, config_.weight_rows - 1);
    x.release = U(0, 7);
    x.accumulate = Chance(30) ? 1 : 0;
    x.keep = Chance(25) ? 1 : 0;
    x.partial = U(0, 7);
    if (x.accumulate != 0 || x.keep != 0) {
      x.out_h = std::min(x.out_h, 3U);
      x.oc_groups = std::min(x.oc_groups, 2U);
    }
    Stage(x);
    x.prelu = Chance(20) ? 1 : 0;
    x.weight_zero = Chance(20) ? 1 : 0;
    x.residual = Chance(30) ? 1 : 0;
    x.res = x.dst;
    x.res_row_pitch = x.dst_row_pitch;
    x.res_plane_pitch = x.dst_plane_pitch;
    if (x.dst_step != 1 || Chance(50)) {
      x.res = U(0, Words() - 1);
      x.res_row_pitch = x.out_w + U(0, 5);
      x.res_plane_pitch = x.out_h * x.res_row_pitch + U(0, 9);
    }
    AddStage(x.m_main, x.m_res, x.add_shift);
    x.main_zero = S(-128, 127);
    x.res_zero = S(-128, 127);
    x.zero_point2 = S(-128, 127);
    x.clamp2_lo = Chance(50) ? -128 : S(-128, 0);
    x.clamp2_hi = Chance(50) ? 127 : S(0, 127);
    x.table2 = x.residual != 0 && Chance(40) ? 1 : 0;
  }
  void AddStage(int32_t& m_a, int32_t& m_b, uint32_t& shift) {
    constexpr int64_t kMost = (1 << 24) - 1;
    shift = Chance(80) ? U(20, 26) : U(0, 47);
    m_a = S(-kMost, kMost);
    m_b = S(-kMost, kMost);
    if (Chance(30)) {  // ties
      m_a = (Chance(50) ? 1 : -1) * (1 << (std::min(shift, 24U) - std::min(shift, 1U)));
      m_b = Chance(50) ? m_a : -m_a;
    }
  }
  void Fill(Depthwise& x) {
    Window(x, 0);
    x.groups = U(1, 5);
    x.fill = S(-128, 127);
    x.params = U(0, config_.vector_rows - 1);
    x.accumulate = Chance(30) ? 1 : 0;
    x.keep = Chance(25) ? 1 : 0;
    x.partial = U(0, 15);
    if (x.accumulate != 0 || x.keep != 0) x.out_h = std::min(x.out_h, 4U);
    Stage(x);
    x.prelu = Chance(20) ? 1 : 0;
  }
  void Fill(Pool& x) {
    Window(x, 0);
    if (Chance(15)) {  // global
      x.kernel_h = x.in_h = U(1, 14);
      x.kernel_w = x.in_w = U(1, 14);
      x.src_row_pitch = x.in_w;
      x.src_plane_pitch = x.in_h * x.in_w;
      x.out_h = x.out_w = x.dst_row_pitch = x.dst_plane_pitch = 1;
      x.pad_top = x.pad_left = 0;
    }
    x.groups = U(1, 5);
    x.average = Chance(50) ? 1 : 0;
    x.accumulate = Chance(20) ? 1 : 0;
    x.keep = Chance(20) ? 1 : 0;
    x.partial = U(0, 15);
    if (x.accumulate != 0 || x.keep != 0) x.out_h = std::min(x.out_h, 4U);
    x.per_count = x.average != 0 && x.accumulate == 0 && x.keep == 0 && Chance(30) ? 1 : 0;
    x.params = U(0, config_.vector_rows - 1);
    x.requantize = Chance(50) ? 1 : 0;
    x.m = M();
    x.shift = U(20, 28);
    x.in_zero = S(-128, 127);
    Stage(x);
  }
  void Fill(Elementwise& x) {
    x.kind = U(0, 3);
    x.planes = U(1, 5);
    x.rows = U(1, 9);
    x.cols = U(1, 25);
    const auto pitches = [&](uint32_t& row, uint32_t& plane) {
      row = x.cols + U(0, Chance(50) ? 0 : 9);
      plane = x.rows * row + U(0, Chance(50) ? 0 : 9);
    };
    pitches(x.a_row_pitch, x.a_plane_pitch);
    pitches(x.b_row_pitch, x.b_plane_pitch);
    pitches(x.dst_row_pitch, x.dst_plane_pitch);
    x.a = U(0, Words() - 1);
    x.b = U(0, Words() - 1);
    x.dst = U(0, Words() - 1);
    if (Chance(30)) {
      x.dst = x.a;
      x.dst_row_pitch = x.a_row_pitch;
      x.dst_plane_pitch = x.a_plane_pitch;
    }
    x.b_step = Chance(70) ? 1 : 0;
    if (Chance(30)) x.b_row_pitch = 0;
    if (Chance(20)) x.b_plane_pitch = 0;
    x.b_lane0 = Chance(20) ? 1 : 0;
    if (x.kind == kElementwiseAdd) {
      AddStage(x.m_a, x.m_b, x.shift);
    } else {
      x.m_a = static_cast<int32_t>(M());
      x.m_b = S(-1000, 1000);
      x.shift = Chance(80) ? U(22, 34) : U(16, 55);
    }
    x.a_zero = S(-128, 127);
    x.b_zero = S(-128, 127);
    Stage(x);
    x.params = U(0, config_.vector_rows - 1);
  }
  template <typename Copy>
  void FillCopy(Copy& x) {
    x.base = 1;
    x.planes = U(1, 4);
    x.rows = U(1, 9);
    x.cols = U(1, 40);
    x.row_stride = x.cols * config_.channels + (Chance(50) ? 0 : U(0, 100));
    x.plane_stride = x.rows * x.row_stride + (Chance(50) ? 0 : U(0, 1000));
    x.offset = U(0, 5000);
    x.addr = U(0, Words() - 1);
    x.row_pitch = x.cols + (Chance(50) ? 0 : U(0, 20));
    x.plane_pitch = x.rows * x.row_pitch + (Chance(50) ? 0 : U(0, 50));
  }
  void Fill(Load& x) { FillCopy(x); }
  void Fill(Save& x) { FillCopy(x); }
  void Fill(LoadWeights& x) {
    x.row = U(0, config_.weight_rows - 1);
    x.rows = U(0, Chance(20) ? config_.weight_rows : 40);
    x.acquire = x.rows;
    x.offset = U(0, 5000);
  }
  void Fill(LoadMatrix& x) {
    x.row = U(0, config_.weight_rows - 1);
    x.rows = x.acquire = U(1, Chance(20) ? std::min(config_.weight_rows, 300U) : 20);
    x.offset = U(0, 5000);
    x.words = Chance(50) ? config_.channels : U(1, config_.channels);
    x.lanes = Chance(50) ? config_.channels : U(1, config_.channels);
    x.fill = S(-128, 127);
    x.int4 = config_.channels % 2 == 0 && Chance(40) ? 1 : 0;
    x.transpose = Chance(40) ? 1 : 0;
    x.row_stride = Chance(50) ? config_.weight_row_bytes() : U(0, 3000);
  }
  void Fill(LoadPacked& x) {
    x.base = 1;
    x.channels = U(1, std::min(config_.channels, 5U));
    x.taps = U(1, config_.channels / x.channels);
    x.stride = U(1, Chance(20) ? 9 : 3);
    x.in_cols = U(1, 60);
    x.left = S(-8, 8);
    x.rows = U(1, 9);
    x.cols = U(1, 40);
    x.row_stride = x.in_cols * x.channels + (Chance(50) ? 0 : U(0, 100));
    x.offset = U(0, 5000);
    x.addr = U(0, Words() - 1);
    x.row_pitch = x.cols + (Chance(50) ? 0 : U(0, 20));
    x.fill = S(-128, 127);
    if (Chance(30)) return;
    if (Chance(70)) {  // bytes instead of pixels
      x.taps = 0;
      x.head = U(1, config_.channels);
      x.skip = Chance(50) ? 0 : U(0, 40);
    }
    const uint32_t head = HeadBytes(x);
    x.tail = head < config_.channels && Chance(80) ? U(1, config_.channels - head) : 0;
    x.row_step = U(0, 3);
    if (Chance(70)) {
      x.top = S(-6, 6);
      x.in_rows = U(1, 12);
    }
  }
  void Fill(LoadVector& x) {
    x.rows = U(1, 100);
    x.addr = U(0, config_.vector_rows - 1);
    x.offset = U(0, 5000);
  }

  std::mt19937_64 engine_;
  const HardwareConfig& config_;
};

/// The built-in configurations and some that nobody would build: one lane, odd channels, two vectors of channels, many
/// lanes.
inline std::vector<HardwareConfig> TestConfigs() {
  std::vector<HardwareConfig> configs = BuiltInConfigs();
  struct {
    uint32_t pixels, channels, vector_pixels;
  } const odd[] = {{1, 4, 1}, {3, 5, 2}, {5, 24, 7}, {16, 20, 3}, {64, 32, 16}};
  for (const auto& o : odd) {
    HardwareConfig c;
    c.name = "odd" + std::to_string(o.pixels) + "x" + std::to_string(o.channels);
    c.pixels = o.pixels;
    c.channels = o.channels;
    c.vector_pixels = o.vector_pixels;
    c.activation_rows = 2048;
    c.requant_lanes = o.channels;
    configs.push_back(c);
  }
  return configs;
}

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_RANDOM_INSTRUCTION_H_
