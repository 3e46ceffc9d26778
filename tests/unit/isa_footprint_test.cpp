#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "isa/footprint.h"

namespace xrun {
namespace {

constexpr uint64_t kSeed = 77001;
constexpr int kRounds = 1500;

/// Units touched: (memory, write, base) → units.
using Units = std::map<std::tuple<Memory, bool, uint8_t>, std::set<uint64_t>>;

Units Expand(const std::vector<Access>& accesses) {
  Units units;
  for (const Access& a : accesses) {
    auto& set = units[{a.memory, a.write, a.base}];
    for (uint64_t i = 0; i < a.count; ++i) {
      for (uint64_t j = 0; j < a.length; ++j) set.insert(a.start + i * a.pitch + j);
    }
  }
  return units;
}

/// The loops of isa/README.md, word for word.
class Loops {
 public:
  explicit Loops(const HardwareConfig& config) : config_(config) {}
  Units units;

  void operator()(const Load& x) { Copy(x, false); }
  void operator()(const Save& x) { Copy(x, true); }
  void operator()(const LoadWeights& x) {
    for (uint64_t i = 0; i < uint64_t{x.rows} * config_.channels * config_.channels; ++i)
      Dram(x.base, false, x.offset + i);
    for (uint64_t i = 0; i < x.rows; ++i) Add(Memory::kWeightRing, true, x.row + i);
  }
  void operator()(const LoadMatrix& x) {
    for (uint64_t i = 0; i < x.rows; ++i) {
      for (uint64_t e = 0; e < uint64_t{x.words} * config_.channels; ++e)
        Dram(x.base, false, x.offset + i * x.row_stride + (x.int4 ? e / 2 : e));
      Add(Memory::kWeightRing, true, x.row + i);
    }
  }
  void operator()(const LoadPacked& x) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      for (uint64_t c = 0; c < x.cols; ++c) Word(true, x.addr + r * x.row_pitch + c);
      const auto row_bytes = [&](int64_t row, int64_t first, int64_t count) {
        if (count == 0 || (x.in_rows != 0 && (row < 0 || row >= int64_t{x.in_rows}))) return;
        const int64_t last = first + int64_t{x.cols - 1} * x.stride * x.channels + count - 1;
        for (int64_t b = first; b <= last; ++b) {
          if (b < 0 || b >= int64_t{x.in_cols} * x.channels) continue;
          Dram(x.base, false, x.offset + static_cast<uint64_t>(row) * x.row_stride + static_cast<uint64_t>(b));
        }
      };
      const int64_t row = static_cast<int64_t>(r) * (x.row_step == 0 ? 1 : x.row_step) + x.top;
      const int64_t left = x.left * int64_t{x.channels};
      row_bytes(row, left + x.skip, x.taps != 0 ? int64_t{x.taps} * x.channels : int64_t{x.head});
      row_bytes(row + 1, left, x.tail);
    }
  }
  void operator()(const LoadVector& x) {
    for (uint64_t i = 0; i < uint64_t{x.rows} * config_.channels; ++i) Dram(x.base, false, x.offset + i);
    for (uint64_t i = 0; i < x.rows; ++i) Add(Memory::kVectorMemory, true, x.addr + i);
  }
  void operator()(const Conv& x) {
    uint64_t row = x.weights;
    const auto rows = [&](uint64_t count) {
      for (uint64_t i = 0; i < count; ++i) Add(Memory::kWeightRing, false, row++);
    };
    if (x.table) rows((256 + config_.weight_row_bytes() - 1) / config_.weight_row_bytes());
    if (x.table2) rows((256 + config_.weight_row_bytes() - 1) / config_.weight_row_bytes());
    const uint64_t pixel_groups = (x.out_w * x.out_h + config_.pixels - 1) / config_.pixels;
    for (uint64_t og = 0; og < x.oc_groups; ++og) {
      if (!x.keep) rows((16 * config_.channels + config_.weight_row_bytes() - 1) / config_.weight_row_bytes());
      for (uint64_t kh = 0; kh < x.kernel_h; ++kh)
        for (uint64_t kw = 0; kw < x.kernel_w; ++kw)
          for (uint64_t g = 0; g < x.ic_groups; ++g) rows(1);
      for (uint64_t p = 0; p < x.out_w * x.out_h; ++p) {
        const uint64_t entry = x.partial + og * pixel_groups + p / config_.pixels;
        if (x.accumulate) Add(Memory::kPartial, false, entry);
        const int64_t oy = static_cast<int64_t>(p / x.out_w);
        const int64_t ox = static_cast<int64_t>(p % x.out_w);
        Taps(x, x.ic_groups, oy, ox);
        if (x.keep) {
          Add(Memory::kPartial, true, entry);
          continue;
        }
        if (x.residual) {
          Word(false, x.res + og * x.res_plane_pitch + static_cast<uint64_t>(oy) * x.res_row_pitch +
                          static_cast<uint64_t>(ox));
        }
        Word(true, x.dst + og * x.dst_plane_pitch + static_cast<uint64_t>(oy) * x.dst_row_pitch +
                       static_cast<uint64_t>(ox) * x.dst_step);
      }
    }
  }
  void operator()(const Depthwise& x) {
    uint64_t row = x.params;
    const auto rows = [&](uint64_t count) {
      for (uint64_t i = 0; i < count; ++i) Add(Memory::kVectorMemory, false, row++);
    };
    if (x.table) rows((256 + config_.channels - 1) / config_.channels);
    for (uint64_t g = 0; g < x.groups; ++g) rows((x.keep ? 0 : 16) + uint64_t{x.kernel_h} * x.kernel_w);
    Window(x);
  }
  void operator()(const Pool& x) {
    uint64_t count = x.table ? (256 + config_.channels - 1) / config_.channels : 0;
    if (x.per_count) count += (uint64_t{x.kernel_h} * x.kernel_w * 4 + config_.channels - 1) / config_.channels;
    for (uint64_t i = 0; i < count; ++i) Add(Memory::kVectorMemory, false, x.params + i);
    Window(x);
  }
  void operator()(const Elementwise& x) {
    if (x.table) {
      for (uint64_t i = 0; i < (256 + config_.channels - 1) / config_.channels; ++i) {
        Add(Memory::kVectorMemory, false, x.params + i);
      }
    }
    for (uint64_t p = 0; p < x.planes; ++p)
      for (uint64_t r = 0; r < x.rows; ++r)
        for (uint64_t c = 0; c < x.cols; ++c) {
          Word(false, x.a + p * x.a_plane_pitch + r * x.a_row_pitch + c);
          if (x.kind >= kElementwiseAdd) Word(false, x.b + p * x.b_plane_pitch + r * x.b_row_pitch + c * x.b_step);
          Word(true, x.dst + p * x.dst_plane_pitch + r * x.dst_row_pitch + c);
        }
  }

 private:
  void Add(Memory memory, bool write, uint64_t unit) { units[{memory, write, uint8_t{0}}].insert(unit); }
  void Word(bool write, uint64_t address) { Add(Memory::kActivation, write, address); }
  void Dram(uint32_t base, bool write, uint64_t byte) {
    units[{Memory::kDram, write, static_cast<uint8_t>(base)}].insert(byte);
  }
  template <typename T>
  void Copy(const T& x, bool to_dram) {
    for (uint64_t p = 0; p < x.planes; ++p)
      for (uint64_t r = 0; r < x.rows; ++r)
        for (uint64_t c = 0; c < x.cols; ++c) {
          Word(!to_dram, x.addr + p * x.plane_pitch + r * x.row_pitch + c);
          for (uint64_t b = 0; b < config_.channels; ++b) {
            Dram(x.base, to_dram, x.offset + p * x.plane_stride + r * x.row_stride + c * config_.channels + b);
          }
        }
  }
  template <typename T>
  void Taps(const T& x, uint64_t planes, int64_t oy, int64_t ox) {
    for (int64_t kh = 0; kh < x.kernel_h; ++kh)
      for (int64_t kw = 0; kw < x.kernel_w; ++kw) {
        const int64_t iy = oy * x.stride_h + kh * x.dilation_h - x.pad_top;
        const int64_t ix = ox * x.stride_w + kw * x.dilation_w - x.pad_left;
        if (iy < 0 || iy >= x.in_h || ix < 0 || ix >= x.in_w) continue;
        for (uint64_t g = 0; g < planes; ++g) {
          Word(false,
               x.src + g * x.src_plane_pitch + static_cast<uint64_t>(iy) * x.src_row_pitch + static_cast<uint64_t>(ix));
        }
      }
  }
  template <typename T>
  void Window(const T& x) {
    for (uint64_t g = 0; g < x.groups; ++g)
      for (uint64_t oy = 0; oy < x.out_h; ++oy)
        for (uint64_t ox = 0; ox < x.out_w; ++ox) {
          const uint64_t entry = x.partial + (g * x.out_h + oy) * x.out_w + ox;
          if (x.accumulate) Add(Memory::kVectorPartial, false, entry);
          if (x.keep) Add(Memory::kVectorPartial, true, entry);
          if (!x.keep) Word(true, x.dst + g * x.dst_plane_pitch + oy * x.dst_row_pitch + ox);
        }
    Taps2(x);
  }
  template <typename T>
  void Taps2(const T& x) {
    for (uint32_t oy = 0; oy < x.out_h; ++oy)
      for (uint32_t ox = 0; ox < x.out_w; ++ox) Taps(x, x.groups, oy, ox);
  }

  const HardwareConfig& config_;
};

class RandomInstruction {
 public:
  explicit RandomInstruction(uint64_t seed) : random_(seed) {}

  uint32_t Pick(uint32_t lo, uint32_t hi) { return lo + static_cast<uint32_t>(random_() % (hi - lo + 1)); }
  bool Flip() { return Pick(0, 1) == 1; }

  template <typename T>
  void Window(T& x) {
    x.src = Pick(0, 100);
    x.src_row_pitch = Pick(0, 12);
    x.src_plane_pitch = Pick(0, 60);
    x.in_w = Pick(0, 9);
    x.in_h = Pick(0, 9);
    x.dst = Pick(500, 600);
    x.dst_row_pitch = Pick(0, 12);
    x.dst_plane_pitch = Pick(0, 60);
    x.out_w = Pick(1, 6);
    x.out_h = Pick(1, 6);
    x.kernel_h = Pick(1, 4);
    x.kernel_w = Pick(1, 4);
    x.stride_h = Pick(1, 5);
    x.stride_w = Pick(1, 5);
    x.dilation_h = Pick(1, 4);
    x.dilation_w = Pick(1, 4);
    x.pad_top = static_cast<int32_t>(Pick(0, 8)) - 4;
    x.pad_left = static_cast<int32_t>(Pick(0, 8)) - 4;
    x.accumulate = Pick(0, 1);
    x.keep = Pick(0, 1);
    x.table = Pick(0, 1);
    x.partial = Pick(0, 5);
  }
  template <typename T>
  void Copy(T& x) {
    x.base = Pick(0, 15);
    x.offset = Pick(0, 50);
    x.plane_stride = Pick(0, 100);
    x.row_stride = Pick(0, 40);
    x.planes = Pick(1, 4);
    x.rows = Pick(1, 5);
    x.cols = Pick(1, 5);
    x.addr = Pick(0, 50);
    x.plane_pitch = Pick(0, 30);
    x.row_pitch = Pick(0, 8);
  }

  Instruction Make(int kind) {
    switch (kind) {
      case 0: {
        Load x;
        Copy(x);
        return x;
      }
      case 1: {
        Save x;
        Copy(x);
        return x;
      }
      case 2: {
        LoadWeights x;
        x.base = Pick(0, 15);
        x.offset = Pick(0, 50);
        x.row = Pick(0, 2047);
        x.rows = Pick(0, 4);
        return x;
      }
      case 3: {
        LoadVector x;
        x.offset = Pick(0, 50);
        x.addr = Pick(0, 90);
        x.rows = Pick(1, 9);
        return x;
      }
      case 4: {
        Conv x;
        Window(x);
        x.dst_step = Pick(1, 4);
        x.ic_groups = Pick(1, 3);
        x.oc_groups = Pick(1, 3);
        x.weights = Pick(0, 2047);
        x.residual = Pick(0, 1);
        x.table = Pick(0, 1);
        x.table2 = x.residual != 0 ? Pick(0, 1) : 0;
        x.res = Pick(0, 99);
        x.res_row_pitch = Pick(0, 9);
        x.res_plane_pitch = Pick(0, 50);
        return x;
      }
      case 5: {
        Depthwise x;
        Window(x);
        x.groups = Pick(1, 3);
        x.params = Pick(0, 99);
        return x;
      }
      case 6: {
        Pool x;
        Window(x);
        x.groups = Pick(1, 3);
        x.per_count = Pick(0, 1);
        x.params = Pick(0, 99);
        return x;
      }
      case 7: {
        LoadMatrix x;
        x.base = Pick(0, 15);
        x.offset = Pick(0, 50);
        x.row = Pick(0, 2047);
        x.rows = Pick(1, 4);
        x.row_stride = Pick(0, 400);
        x.words = Pick(1, 8);
        x.lanes = Pick(1, 8);
        x.int4 = Pick(0, 1);
        return x;
      }
      case 8: {
        LoadPacked x;
        x.base = Pick(0, 15);
        x.offset = Pick(0, 50);
        x.channels = Pick(1, 3);
        x.taps = Pick(1, 2);
        x.stride = Pick(1, 4);
        x.in_cols = Pick(1, 12);
        x.left = static_cast<int32_t>(Pick(0, 20)) - 12;
        x.rows = Pick(1, 4);
        x.cols = Pick(1, 6);
        x.row_stride = Pick(0, 60);
        x.addr = Pick(0, 90);
        x.row_pitch = Pick(0, 9);
        if (Pick(0, 1) == 0) return x;
        if (Pick(0, 1) == 0) {
          x.taps = 0;
          x.head = Pick(1, 6);
        }
        x.skip = Pick(0, 9);
        x.tail = Pick(0, 2);
        x.row_step = Pick(0, 3);
        if (Pick(0, 2) == 0) return x;
        x.top = static_cast<int32_t>(Pick(0, 9)) - 5;
        x.in_rows = Pick(1, 6);
        return x;
      }
      default: {
        Elementwise x;
        x.kind = Pick(0, 3);
        x.planes = Pick(1, 4);
        x.rows = Pick(1, 5);
        x.cols = Pick(1, 5);
        x.a = Pick(0, 50);
        x.a_row_pitch = Pick(0, 8);
        x.a_plane_pitch = Pick(0, 30);
        x.b = Pick(100, 150);
        x.b_row_pitch = Pick(0, 8);
        x.b_plane_pitch = Pick(0, 30);
        x.b_step = Pick(0, 1);
        x.dst = Pick(200, 250);
        x.dst_row_pitch = Pick(0, 8);
        x.dst_plane_pitch = Pick(0, 30);
        x.table = Pick(0, 1);
        x.params = Pick(0, 20);
        return x;
      }
    }
  }

 private:
  std::mt19937_64 random_;
};

void ExpectExact(const Instruction& instruction, const HardwareConfig& config) {
  Loops loops(config);
  std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        if constexpr (!std::is_same_v<T, std::monostate> && !std::is_same_v<T, Sync>) loops(x);
      },
      instruction);
  const Units found = Expand(Footprint(instruction, config));
  ASSERT_EQ(found, loops.units) << Disassemble(instruction);
}

TEST(IsaFootprint, EqualsTheLoopsOfTheSpecification) {
  RandomInstruction random(kSeed);
  for (const HardwareConfig& config : BuiltInConfigs()) {
    for (int round = 0; round < kRounds / 3; ++round) {
      for (int kind = 0; kind < 10; ++kind) {
        ExpectExact(random.Make(kind), config);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

/// Operands that count more steps than the memory has words take another path: the set they cover.
TEST(IsaFootprint, OperandsThatMeetThemselvesAreReducedToWhatTheyCover) {
  HardwareConfig config = BuiltInConfigs().front();
  config.activation_rows = 64;  // 512 words
  ASSERT_TRUE(Validate(config).ok());
  RandomInstruction random(kSeed + 1);
  int reduced = 0;
  for (int round = 0; round < kRounds; ++round) {
    Save save;
    save.planes = random.Pick(1, 20);
    save.rows = random.Pick(1, 20);
    save.cols = random.Pick(1, 9);
    save.plane_pitch = random.Pick(0, 6);
    save.row_pitch = random.Pick(0, 17);
    save.addr = random.Pick(0, 20);
    reduced += save.planes * save.rows * save.cols > config.activation_words() ? 1 : 0;
    ExpectExact(save, config);
    Depthwise depthwise;
    random.Window(depthwise);
    depthwise.in_h = random.Pick(10, 40);
    depthwise.in_w = random.Pick(10, 30);
    depthwise.out_h = random.Pick(1, 8);
    depthwise.out_w = random.Pick(1, 8);
    depthwise.dilation_h = random.Pick(1, 8);
    depthwise.groups = random.Pick(1, 12);
    depthwise.src_row_pitch = random.Pick(0, 5);
    depthwise.src_plane_pitch = random.Pick(0, 5);
    depthwise.keep = 1;
    ExpectExact(depthwise, config);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(reduced, 100);
}

TEST(IsaFootprint, SegmentsOfTheSpecification) {
  const HardwareConfig& config = BuiltInConfigs().back();  // 16 channels: a record is one row, a ring table one
  Conv conv;
  conv.oc_groups = 3;
  conv.ic_groups = 4;
  conv.kernel_h = conv.kernel_w = 3;
  conv.table = 1;
  EXPECT_EQ(ConvSegmentRows(conv, config), 1U + 3 * (1 + 36));
  conv.keep = 1;
  conv.table = 0;
  EXPECT_EQ(ConvSegmentRows(conv, config), 3U * 36);
  conv.out_w = 5;
  conv.out_h = 5;
  EXPECT_EQ(PixelGroups(conv, config), 5U);  // 25 pixels by 6
  Depthwise depthwise;
  depthwise.groups = 2;
  depthwise.kernel_h = depthwise.kernel_w = 5;
  depthwise.table = 1;
  EXPECT_EQ(DepthwiseSegmentRows(depthwise, config), 16U + 2 * (16 + 25));
  Pool pool;
  pool.kernel_h = pool.kernel_w = 3;
  EXPECT_EQ(PoolSegmentRows(pool, config), 0U);
  pool.per_count = 1;
  EXPECT_EQ(PoolSegmentRows(pool, config), 3U);  // 36 bytes by 16
}

/// The usual shapes come out as few runs: the verifier's speed rests on it.
TEST(IsaFootprint, DenseOperandsAreSingleRuns) {
  const HardwareConfig& config = BuiltInConfigs().back();
  Load load;
  load.planes = 4;
  load.rows = 10;
  load.cols = 20;
  load.row_pitch = 20;
  load.plane_pitch = 200;
  load.row_stride = 320;
  load.plane_stride = 3200;
  const auto accesses = Footprint(load, config);
  ASSERT_EQ(accesses.size(), 2U);
  for (const Access& a : accesses) EXPECT_EQ(a.count, 1U);
}

}  // namespace
}  // namespace xrun
