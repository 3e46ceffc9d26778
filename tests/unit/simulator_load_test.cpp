// LoadPacked, LoadMatrix, the second table and time marks, against results worked out another way: a packed image must
// give the convolution of the image itself, a matrix read as weights the product of matrices.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "isa/arithmetic.h"
#include "isa/footprint.h"
#include "isa/program.h"
#include "isa/time_marks.h"
#include "simulator/fast.h"
#include "simulator/prepared.h"
#include "simulator/reference.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"
#include "tests/unit/random_instruction.h"

namespace xrun::simulator {
namespace {

/// Multiplier 2^23 / 2^23: results pass as they are.
void PlantPassThrough(MachineState& s, uint64_t row, uint32_t zero = 0) {
  for (uint32_t c = 0; c < s.config.channels; ++c) {
    uint8_t* record = s.ring.data() + row * s.config.weight_row_bytes() + c * ChannelRecord::kBytes;
    std::fill_n(record, ChannelRecord::kBytes, uint8_t{0});
    const uint32_t m = PackMultiplier({Multiplier::kMinM, 23});
    for (size_t b = 0; b < 4; ++b) record[4 + b] = static_cast<uint8_t>(m >> (8 * b));
    record[12] = static_cast<uint8_t>(zero);
  }
}

Conv PlainConv() {
  Conv x;
  x.kernel_h = x.kernel_w = x.stride_h = x.stride_w = x.dilation_h = x.dilation_w = 1;
  x.ic_groups = x.oc_groups = x.dst_step = 1;
  x.clamp_lo = -128;
  x.clamp_hi = 127;
  return x;
}

/// 7x7 taps, stride 2, padding 3, over a small picture of three channels; a Conv of its packed forms must give what
/// the definition gives.
class PackedImage {
 public:
  static constexpr int64_t kSize = 21, kChannels = 3, kKernel = 7, kStride = 2, kPad = 3,
                           kOut = (kSize + 2 * kPad - kKernel) / kStride + 1;
  static constexpr int32_t kZero = -7;

  PackedImage() : config_(BuiltInConfigs()[7]), s_(config_) {
    std::mt19937_64 random(4);
    for (uint8_t& b : image_) b = static_cast<uint8_t>(static_cast<int>(random() % 5) - 2);
    for (int8_t& w : weights_) w = static_cast<int8_t>(static_cast<int>(random() % 3) - 1);
    load_.row_stride = kSize * kChannels;
    load_.in_cols = kSize;
    load_.channels = kChannels;
    load_.stride = kStride;
    load_.cols = load_.row_pitch = kOut;
    load_.left = -kPad;
    load_.fill = kZero;
  }

  /// The load that the next Execute makes; all planes have as many rows.
  LoadPacked& load() { return load_; }
  void Execute() {
    const Status legal = CheckFields(load_, kLoad, config_);
    ASSERT_TRUE(legal.ok()) << legal.failure().ToString();
    load_.addr = planes_++ * load_.rows * kOut;
    reference::Execute(load_, s_, image_.data());
  }

  /// A Conv over `kernel_rows` rows of words; `tap(row, plane, lane)` is the byte's number in the kernel, row after row
  /// of pixels of channels, or -1. Against the definition.
  template <typename Tap>
  void Check(uint32_t kernel_rows, uint32_t stride_h, uint32_t dilation_h, int32_t pad_top, const Tap& tap) {
    Conv x = PlainConv();
    x.in_w = x.src_row_pitch = kOut;
    x.in_h = load_.rows;
    x.src_plane_pitch = load_.rows * kOut;
    x.ic_groups = planes_;
    x.kernel_h = kernel_rows;
    x.stride_h = stride_h;
    x.dilation_h = dilation_h;
    x.pad_top = pad_top;
    x.fill = kZero;
    x.out_w = x.out_h = x.dst_row_pitch = kOut;
    x.dst = 4096;
    PlantPassThrough(s_, 0);
    for (uint32_t row = 0; row < kernel_rows; ++row) {
      for (uint32_t plane = 0; plane < planes_; ++plane) {
        for (uint32_t oc = 0; oc < 16; ++oc) {
          for (uint32_t lane = 0; lane < 16; ++lane) {
            const int64_t at = tap(row, plane, lane);
            s_.ring[(1 + row * planes_ + plane) * 256 + oc * 16 + lane] =
                at < 0 ? 0 : static_cast<uint8_t>(Weight(oc, at));
          }
        }
      }
    }
    reference::Execute(x, s_);
    for (int64_t oc = 0; oc < 16; ++oc) {
      for (int64_t oy = 0; oy < kOut; ++oy) {
        for (int64_t ox = 0; ox < kOut; ++ox) {
          ASSERT_EQ(s_.Word(static_cast<uint64_t>(4096 + oy * kOut + ox))[oc], Expected(oc, oy, ox))
              << oc << ' ' << oy << ' ' << ox;
        }
      }
    }
  }

 private:
  int8_t Weight(int64_t oc, int64_t tap) const {
    return weights_[static_cast<size_t>(oc * kKernel * kKernel * kChannels + tap)];
  }
  int64_t Expected(int64_t oc, int64_t oy, int64_t ox) const {
    int64_t sum = 0;
    for (int64_t tap = 0; tap < kKernel * kKernel * kChannels; ++tap) {
      const int64_t iy = oy * kStride + tap / (kKernel * kChannels) - kPad;
      const int64_t ix = ox * kStride + tap / kChannels % kKernel - kPad;
      const bool inside = iy >= 0 && ix >= 0 && iy < kSize && ix < kSize;
      const auto at = static_cast<size_t>((iy * kSize + ix) * kChannels + tap % kChannels);
      sum += (inside ? static_cast<int8_t>(image_[at]) : kZero) * Weight(oc, tap);
    }
    return std::clamp<int64_t>(sum, -128, 127);
  }

  HardwareConfig config_;
  MachineState s_;
  std::array<uint8_t, kSize * kSize * kChannels> image_;
  std::array<int8_t, 16 * kKernel * kKernel * kChannels> weights_;
  LoadPacked load_;
  uint32_t planes_ = 0;
};

/// Two planes of five and two taps: 14 steps of the array.
TEST(LoadPacked, GivesTheConvolutionOfTheImage) {
  PackedImage image;
  image.load().rows = PackedImage::kSize;
  image.load().taps = 5;
  image.Execute();
  image.load().taps = 2;
  image.load().left += 5;
  image.Execute();
  image.Check(7, 2, 1, 3, [](uint32_t row, uint32_t plane, uint32_t lane) -> int64_t {
    return lane < (plane == 0 ? 15 : 6) ? int64_t{row} * 21 + plane * 15 + lane : -1;
  });
}

/// Three planes of a pair of rows, 42 bytes in 16, 5 + 11 and 10, the pairs -1 and 0, 1 and 2, …, 21 and 22, of which
/// the image has 0 to 20: 12 steps.
TEST(LoadPacked, PairsOfRowsGiveTheConvolutionOfTheImage) {
  PackedImage image;
  LoadPacked& load = image.load();
  load.rows = 12;
  load.row_step = 2;
  load.top = -1;
  load.in_rows = PackedImage::kSize;
  load.head = 16;
  image.Execute();
  load.skip = 16;
  load.head = 5;
  load.tail = 11;
  image.Execute();
  load.skip = 11;
  load.head = 10;
  load.tail = 0;
  load.top = 0;
  image.Execute();
  image.Check(4, 1, 1, 1, [](uint32_t row, uint32_t plane, uint32_t lane) -> int64_t {
    const uint32_t byte = plane * 16 + lane;
    return byte < 42 && (row < 3 || byte < 21) ? int64_t{row} * 42 + byte : -1;
  });
}

/// A[5 x 20] times B[20 x 11] or its transpose, from the bytes that Save leaves in DRAM, for zero points of both
/// operands as the page says: a kept Conv over nothing first.
void Product(bool transposed, int32_t zero_a, int32_t zero_b) {
  const HardwareConfig config = BuiltInConfigs()[7];  // 16 channels
  constexpr int64_t kM = 5, kK = 20, kN = 11;
  std::mt19937_64 random(transposed ? 5 : 6);
  const auto draw = [&] { return static_cast<int8_t>(static_cast<int>(random() % 7) - 3); };
  int8_t a[kM][kK], b[kK][kN];
  for (auto& row : a)
    for (int8_t& v : row) v = draw();
  for (auto& row : b)
    for (int8_t& v : row) v = draw();
  MachineState s(config);
  // A: pixels are rows, channels are k; channels past the 20th hold anything.
  for (uint64_t g = 0; g < 2; ++g) {
    for (uint64_t m = 0; m < kM; ++m) {
      for (uint64_t c = 0; c < 16; ++c) {
        const uint64_t k = g * 16 + c;
        s.Word(g * kM + m)[c] = k < kK ? a[m][k] : static_cast<int16_t>(draw() * 40);
      }
    }
  }
  // B in DRAM, two planes or one. As stored: pixels are n, channels are k. Transposed: pixels are k, channels n.
  const int64_t pixels = transposed ? kK : kN, channels = transposed ? kN : kK;
  std::vector<uint8_t> dram(static_cast<size_t>((channels + 15) / 16 * pixels * 16));
  for (uint8_t& v : dram) v = static_cast<uint8_t>(draw() * 40);
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < channels; ++c) {
      dram[static_cast<size_t>((c / 16 * pixels + p) * 16 + c % 16)] =
          static_cast<uint8_t>(transposed ? b[p][c] : b[c][p]);
    }
  }
  PlantPassThrough(s, 0, static_cast<uint32_t>(zero_b));
  for (uint64_t g = 0; g < 2; ++g) {  // a block of 16 k each, the second of 4
    LoadMatrix load;
    load.row = static_cast<uint32_t>(1 + g);
    load.rows = load.acquire = 1;
    load.row_stride = 256;
    load.fill = zero_b;
    load.transpose = transposed ? 1 : 0;
    const auto valid = static_cast<uint32_t>(g == 0 ? 16 : kK - 16);
    if (transposed) {  // 16 pixels of the one plane
      load.offset = static_cast<uint32_t>(g * 256);
      load.words = valid;
      load.lanes = kN;
    } else {  // all pixels of plane g
      load.offset = static_cast<uint32_t>(g * kN * 16);
      load.words = kN;
      load.lanes = valid;
    }
    ASSERT_TRUE(CheckFields(load, kLoad, config).ok());
    reference::Execute(load, s, dram.data());
  }
  Conv x = PlainConv();
  x.ic_groups = 2;
  x.out_w = x.dst_row_pitch = x.dst_plane_pitch = kM;
  x.out_h = 1;
  x.dst = 100;
  x.weight_zero = zero_b != 0 ? 1 : 0;
  if (zero_a != 0) {
    Conv zeros = x;  // nothing inside: the fill times every weight
    zeros.keep = 1;
    zeros.fill = -zero_a;
    zeros.weights = 1;
    fast::Execute(zeros, s, ActiveKernels());
    x.accumulate = 1;
  }
  x.src_row_pitch = x.src_plane_pitch = x.in_w = kM;
  x.in_h = 1;
  fast::Execute(x, s, ActiveKernels());
  for (uint64_t m = 0; m < kM; ++m) {
    for (uint64_t n = 0; n < kN; ++n) {
      int64_t sum = 0;
      for (int64_t k = 0; k < kK; ++k) sum += (a[m][k] - zero_a) * (b[k][n] - zero_b);
      ASSERT_EQ(s.Word(100 + m)[n], std::clamp<int64_t>(sum, -128, 127)) << m << ' ' << n;
    }
  }
}
TEST(LoadMatrix, GivesTheProduct) { Product(false, 0, 0); }
TEST(LoadMatrix, GivesTheProductTransposed) { Product(true, 0, 0); }
TEST(LoadMatrix, ZeroPointsOfBothOperands) {
  Product(false, 2, -1);
  Product(true, -3, 2);
}

TEST(LoadMatrix, Int4) {
  const HardwareConfig config = BuiltInConfigs()[0];  // 8 channels: a block is 32 bytes
  MachineState s(config);
  std::vector<uint8_t> dram(64);
  for (int i = 0; i < 64; ++i) dram[static_cast<size_t>(i)] = static_cast<uint8_t>(i * 37 + 11);
  LoadMatrix load;
  load.row = config.weight_rows - 1;  // wraps
  load.rows = load.acquire = 2;
  load.words = load.lanes = 8;
  load.row_stride = 32;
  load.int4 = 1;
  reference::Execute(load, s, dram.data());
  for (uint64_t block = 0; block < 2; ++block) {
    for (uint64_t e = 0; e < 64; ++e) {
      const int nibble = dram[block * 32 + e / 2] / (e % 2 == 0 ? 1 : 16) % 16;
      const uint64_t row = block == 0 ? config.weight_rows - 1 : 0;
      EXPECT_EQ(static_cast<int8_t>(s.ring[row * 64 + e]), nibble >= 8 ? nibble - 16 : nibble) << block << ' ' << e;
    }
  }
}

/// One pixel: value 10 through the first table (+1), plus residual 5, through the second (doubled).
TEST(Conv, SecondTableComesAfterTheResidual) {
  const HardwareConfig config = BuiltInConfigs()[7];
  for (const bool first : {true, false}) {
    MachineState s(config);
    Conv x = PlainConv();
    x.in_w = x.in_h = x.out_w = x.out_h = 1;
    x.dst = 9;
    x.table = first ? 1 : 0;
    x.table2 = x.residual = 1;
    x.res = 5;
    x.m_main = x.m_res = 1;
    x.clamp2_lo = -128;
    x.clamp2_hi = 127;
    ASSERT_TRUE(CheckFields(x, kConv, config).ok());
    const uint64_t tables = first ? 2 : 1;
    for (int q = -128; q < 128; ++q) {
      const auto at = static_cast<size_t>(q + 128);
      s.ring[(tables - 1) * 256 + at] = static_cast<uint8_t>(SaturateInt8(2 * q));
      if (first) s.ring[at] = static_cast<uint8_t>(SaturateInt8(q + 1));
    }
    PlantPassThrough(s, tables);
    s.ring[(tables + 1) * 256] = 1;
    s.Word(0)[0] = 10;
    s.Word(5)[0] = 5;
    MachineState other(config);
    std::copy_n(s.ring.data(), s.ring.size(), other.ring.data());
    std::copy_n(s.activations.data(), s.activations.size(), other.activations.data());
    reference::Execute(x, s);
    fast::Execute(x, other, ActiveKernels());
    EXPECT_EQ(s.Word(9)[0], first ? 32 : 30);
    EXPECT_EQ(other.Word(9)[0], first ? 32 : 30);
  }
}

/// Marks are what the timing model says of the marked instructions, in the last request.
TEST(TimeMarks, AreTheEndsOfMarkedInstructions) {
  const auto streams = AssembleProgram(
      ".stream load body\nLoad base=2 planes=1 rows=1 cols=4 mark=1\nLoad base=2 planes=1 rows=1 cols=8 signal=save\n"
      ".stream save body\nSave wait=load base=8 planes=1 rows=1 cols=8 mark=1\n");
  ASSERT_TRUE(streams.ok());
  Program program;
  program.config = BuiltInConfigs()[7];
  OverlayStep step;
  for (size_t e = 0; e < kEngines; ++e) step.body[e] = streams->engines[e].body;
  const TimeMarks marks = TimeMarksOf(step);
  ASSERT_EQ(marks.marks.size(), 2U);
  EXPECT_EQ(marks.OffsetOf(kSave), 4096U + 8U);
  EXPECT_EQ(marks.StatusBytes(), 4096U + 16U);
  const PreparedStep prepared(program, step);
  std::vector<uint8_t> in(128), out(128);
  LaunchRequest request;
  request.registers[2] = in;
  request.registers[8] = out;
  const std::vector<LaunchRequest> requests(2, request);
  std::vector<uint64_t> at(2);
  RunOptions options;
  options.time_marks = at;
  options.checks = CheckLevel::kLimits;
  Machine machine(program.config);
  ASSERT_TRUE(machine.Run(prepared, requests, options).ok());
  const auto timing = SimulateTiming(prepared, {2});
  ASSERT_TRUE(timing.ok());
  EXPECT_EQ(at[0], timing->instructions[kLoad][2].end);
  EXPECT_EQ(at[1], timing->instructions[kSave][1].end);
  EXPECT_GT(at[1], at[0]);
  at.resize(3);
  options.time_marks = at;
  EXPECT_FALSE(machine.Run(prepared, requests, options).ok());
}

}  // namespace
}  // namespace xrun::simulator
