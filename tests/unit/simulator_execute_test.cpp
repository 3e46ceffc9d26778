// The fast implementation of every instruction against the reference loops, on random instructions and memories, for
// every configuration and every kernel this processor has. The reference itself stands against tests/oracle in the
// differential tests.

#include <gtest/gtest.h>

#include <cstring>

#include "isa/footprint.h"
#include "simulator/fast.h"
#include "simulator/reference.h"
#include "tests/unit/random_instruction.h"

namespace xrun::simulator {
namespace {

using test::RandomInstruction;

std::vector<const Kernels*> AllKernels() {
  std::vector<const Kernels*> all = {&GenericKernels()};
  if (&ActiveKernels() != all[0]) all.push_back(&ActiveKernels());
  return all;
}

/// Fills every memory with what a launch could have left there.
void Scramble(RandomInstruction& random, MachineState& s) {
  const auto int8 = [&] { return static_cast<int16_t>(random.Range(-128, 127)); };
  for (uint64_t a = 0; a < s.config.activation_words(); ++a) {
    for (uint32_t c = 0; c < s.config.channels; ++c) s.Word(a)[c] = int8();
  }
  for (size_t i = 0; i < s.ring.size(); ++i) s.ring[i] = static_cast<uint8_t>(int8());
  for (size_t i = 0; i < s.vector.size(); ++i) s.vector[i] = static_cast<uint8_t>(int8());
  for (uint32_t e = 0; e < s.config.partial_entries * s.config.pixels; ++e) {
    for (uint32_t c = 0; c < s.config.channels; ++c) s.partial[e * s.lanes + c] = random.S(-500000, 500000);
    s.partial_sum[e] = random.S(-50000, 50000);
  }
  for (uint32_t e = 0; e < s.config.vector_partial_entries; ++e) {
    for (uint32_t c = 0; c < s.config.channels; ++c) s.vector_partial[e * s.lanes + c] = random.S(-50000, 50000);
  }
}

template <typename T>
void CopyArray(AlignedArray<T>& to, const AlignedArray<T>& from) {
  std::memcpy(to.data(), from.data(), from.size() * sizeof(T));
}

void Copy(MachineState& to, const MachineState& from) {
  CopyArray(to.activations, from.activations);
  CopyArray(to.ring, from.ring);
  CopyArray(to.partial, from.partial);
  CopyArray(to.partial_sum, from.partial_sum);
  CopyArray(to.vector, from.vector);
  CopyArray(to.vector_partial, from.vector_partial);
  std::memset(to.is_expanded.data(), 0, to.is_expanded.size());
}

template <typename T>
bool Same(const AlignedArray<T>& a, const AlignedArray<T>& b, size_t count) {
  return std::memcmp(a.data(), b.data(), count * sizeof(T)) == 0;
}

/// The fast path may leave anything in the fill word, behind the last word.
std::string Difference(const MachineState& a, const MachineState& b) {
  if (!Same(a.activations, b.activations, size_t{a.config.activation_words()} * a.lanes)) return "activations";
  if (!Same(a.ring, b.ring, a.ring.size())) return "ring";
  if (!Same(a.partial, b.partial, a.partial.size())) return "partial";
  if (!Same(a.partial_sum, b.partial_sum, a.partial_sum.size())) return "partial sums";
  if (!Same(a.vector, b.vector, a.vector.size())) return "vector memory";
  if (!Same(a.vector_partial, b.vector_partial, a.vector_partial.size())) return "vector partial";
  return "";
}

/// Records where the instruction will look for them.
void PlantRecords(RandomInstruction& random, MachineState& s, const Conv& x, bool odd_shifts) {
  if (x.keep != 0) return;
  const uint64_t row_bytes = s.config.weight_row_bytes();
  const uint64_t blocks = uint64_t{x.kernel_h} * x.kernel_w * x.ic_groups;
  for (uint64_t og = 0; og < x.oc_groups; ++og) {
    const uint64_t row = x.weights + ConvTableRows(x, s.config) + og * (s.config.param_rows() + blocks);
    for (uint32_t c = 0; c < s.config.channels; ++c) {
      uint8_t record[ChannelRecord::kBytes];
      random.Record(record, odd_shifts);
      for (uint64_t i = 0; i < sizeof record; ++i) {
        const uint64_t at = c * sizeof record + i;
        s.ring[(row + at / row_bytes) % s.config.weight_rows * row_bytes + at % row_bytes] = record[i];
      }
    }
  }
}
void PlantRecords(RandomInstruction& random, MachineState& s, const Depthwise& x, bool odd_shifts) {
  if (x.keep != 0) return;
  for (uint64_t g = 0; g < x.groups; ++g) {
    const uint64_t row = x.params + (x.table != 0 ? s.config.vector_table_rows() : 0) +
                         g * (ChannelRecord::kBytes + uint64_t{x.kernel_h} * x.kernel_w);
    for (uint32_t c = 0; c < s.config.channels; ++c) {
      random.Record(s.vector.data() + row * s.config.channels + c * ChannelRecord::kBytes, odd_shifts);
    }
  }
}
void PlantRecords(RandomInstruction& random, MachineState& s, const Pool& x, bool) {
  if (x.per_count == 0) return;
  uint8_t* at = s.vector.data() + (x.params + (x.table != 0 ? s.config.vector_table_rows() : 0)) * s.config.channels;
  for (uint32_t i = 0; i < x.kernel_h * x.kernel_w; ++i) {
    const uint32_t word = PackMultiplier({random.M(), random.U(20, 30)});
    for (size_t b = 0; b < 4; ++b) at[4 * i + b] = static_cast<uint8_t>(word >> (8 * b));
  }
}
void PlantRecords(RandomInstruction&, MachineState&, const Elementwise&, bool) {}

class ExecuteTest : public testing::TestWithParam<HardwareConfig> {
 protected:
  template <typename T>
  void Compare(int count) {
    const HardwareConfig& config = GetParam();
    MachineState initial(config), expected(config), got(config);
    RandomInstruction memory(1, config);
    Scramble(memory, initial);
    for (int seed = 0; seed < count; ++seed) {
      RandomInstruction random(static_cast<uint64_t>(seed) * 1000003, config);
      const T x = random.Draw<T>();
      PlantRecords(random, initial, x, random.Chance(5));
      Copy(expected, initial);
      reference::Execute(x, expected);
      for (const Kernels* kernels : AllKernels()) {
        Copy(got, initial);
        fast::Execute(x, got, *kernels);
        ASSERT_EQ(Difference(got, expected), "")
            << config.name << ' ' << kernels->name << " seed " << seed << ": " << Disassemble(x);
      }
    }
  }
};

TEST_P(ExecuteTest, Conv) { Compare<Conv>(120); }
TEST_P(ExecuteTest, Depthwise) { Compare<Depthwise>(120); }
TEST_P(ExecuteTest, Pool) { Compare<Pool>(150); }
TEST_P(ExecuteTest, Elementwise) { Compare<Elementwise>(200); }

TEST_P(ExecuteTest, Copies) {
  const HardwareConfig& config = GetParam();
  MachineState expected(config), got(config);
  RandomInstruction memory(2, config);
  Scramble(memory, expected);
  std::vector<uint8_t> from(size_t{1} << 22), to_expected(size_t{1} << 20), to_got;
  for (uint8_t& b : from) b = static_cast<uint8_t>(memory.Range(0, 255));
  for (int seed = 0; seed < 60; ++seed) {
    RandomInstruction random(static_cast<uint64_t>(seed) * 1000033, config);
    const Load load = random.Draw<Load>();
    const Save save = random.Draw<Save>();
    const LoadWeights weights = random.Draw<LoadWeights>();
    const LoadVector vector = random.Draw<LoadVector>();
    for (const Kernels* kernels : AllKernels()) {
      Copy(got, expected);
      to_got = to_expected;
      fast::Execute(load, got, *kernels, from.data());
      fast::Execute(weights, got, from.data());
      fast::Execute(vector, got, from.data());
      fast::Execute(save, got, *kernels, to_got.data());
      MachineState reference_state(config);
      Copy(reference_state, expected);
      std::vector<uint8_t> reference_to = to_expected;
      reference::Execute(load, reference_state, from.data());
      reference::Execute(weights, reference_state, from.data());
      reference::Execute(vector, reference_state, from.data());
      reference::Execute(save, reference_state, reference_to.data());
      ASSERT_EQ(Difference(got, reference_state), "") << config.name << " seed " << seed << ": " << Disassemble(load);
      ASSERT_TRUE(to_got == reference_to) << config.name << " seed " << seed << ": " << Disassemble(save);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Configs, ExecuteTest, testing::ValuesIn(test::TestConfigs()),
                         [](const auto& info) { return info.param.name; });

/// Weights expanded by an earlier Conv are used again until they are loaded anew.
TEST(ExpandedWeights, FollowTheRing) {
  const HardwareConfig config = BuiltInConfigs()[7];
  MachineState fast_state(config), reference_state(config);
  RandomInstruction random(5, config);
  Scramble(random, reference_state);
  Conv x;
  x.in_w = x.out_w = x.src_row_pitch = x.dst_row_pitch = 9;
  x.in_h = x.out_h = x.ic_groups = x.oc_groups = x.kernel_h = x.kernel_w = x.stride_h = x.stride_w = x.dilation_h =
      x.dilation_w = 1;
  x.dst = 1000;
  x.dst_step = 1;
  x.weights = config.weight_rows - 1;
  x.clamp_lo = -128;
  x.clamp_hi = 127;
  PlantRecords(random, reference_state, x, false);
  Copy(fast_state, reference_state);
  std::vector<uint8_t> bytes(config.weight_row_bytes(), 3);
  for (int round = 0; round < 3; ++round) {
    reference::Execute(x, reference_state);
    fast::Execute(x, fast_state, ActiveKernels());
    ASSERT_EQ(Difference(fast_state, reference_state), "") << round;
    LoadWeights load;
    load.row = 0;  // the weight row: parameters lie in the ring's last
    load.rows = load.acquire = 1;
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.Range(0, 255));
    reference::Execute(load, reference_state, bytes.data());
    fast::Execute(load, fast_state, bytes.data());
  }
}

}  // namespace
}  // namespace xrun::simulator
