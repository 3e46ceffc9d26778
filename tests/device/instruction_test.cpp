// A self-test of every instruction: random data in all on-chip memories, one random instruction, the whole activation
// memory back, compared with the simulator byte for byte.

#include <algorithm>
#include <random>

#include "isa/footprint.h"
#include "tests/device/device_under_test.h"
#include "tests/unit/random_instruction.h"

namespace xrun::test {
namespace {

using runtime::BufferRange;
using runtime::DeviceRequest;

constexpr uint32_t kRecordBytes = 16;      ///< of a channel (isa/README.md, Conv)
constexpr uint64_t kOtherBytes = 1 << 20;  ///< of the buffers that Load and Save under test address
constexpr uint32_t kAllBase = kBaseInput0, kOtherInput = kBaseInput0 + 1;
constexpr uint32_t kAllOutput = kBaseOutput0, kOtherOutput = kBaseOutput0 + 1;

/// A launch that fills the chip, does some instructions, and saves all activations.
class SelfTest {
 public:
  SelfTest(const HardwareConfig& config, uint64_t seed) : config_(config), random_(seed, config) {
    const auto fill = [&](std::vector<uint8_t>& bytes, uint64_t count) {
      bytes.resize(count);
      for (uint8_t& b : bytes) b = static_cast<uint8_t>(random_.Range(0, 255));
    };
    fill(activations_, uint64_t{config.activation_words()} * config.channels);
    fill(other_, kOtherBytes);
    fill(weights_, vector_at() + uint64_t{config.vector_rows} * config.channels + 4096);
  }

  RandomInstruction& random() { return random_; }
  void Add(const Instruction& instruction, Engine engine) {
    auto word = Encode(instruction);
    ASSERT_TRUE(word.ok()) << word.failure().message << ": " << Disassemble(instruction);
    bodies_[engine].push_back(*word);
    text_ += "\n  " + Disassemble(instruction);
  }
  const std::string& text() const { return text_; }

  /// A channel record in ring row `row` (counted without wrapping) or vector row `row`.
  void PlantInRing(uint64_t row, uint32_t channel) {
    uint8_t record[kRecordBytes];
    random_.Record(record, false);
    const uint64_t bytes = config_.weight_row_bytes();
    for (uint64_t i = 0; i < sizeof(record); ++i) {
      const uint64_t at = uint64_t{channel} * sizeof(record) + i;
      weights_[(row + at / bytes) % config_.weight_rows * bytes + at % bytes] = record[i];
    }
  }
  void PlantInVector(uint64_t row, uint32_t channel) {
    random_.Record(&weights_[vector_at() + row * config_.channels + uint64_t{channel} * kRecordBytes], false);
  }
  void PlantMultipliers(uint64_t row, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t word = PackMultiplier({random_.M(), random_.U(20, 30)});
      for (size_t b = 0; b < 4; ++b) {
        weights_[vector_at() + row * config_.channels + 4 * i + b] = static_cast<uint8_t>(word >> (8 * b));
      }
    }
  }

  /// All of it as a program with one step.
  std::shared_ptr<const Program> Build() {
    auto program = std::make_shared<Program>();
    program->model_name = "self-test";
    program->config = config_;
    program->capabilities = launch::kCapabilities;
    Load all;
    all.base = kAllBase;
    all.planes = all.rows = 1;
    all.cols = config_.activation_words();
    LoadWeights ring;
    ring.rows = ring.acquire = config_.weight_rows;
    LoadVector vector;
    vector.offset = static_cast<uint32_t>(vector_at());
    vector.rows = config_.vector_rows;
    Save save;
    save.base = kAllOutput;
    save.planes = save.rows = 1;
    save.cols = config_.activation_words();
    save.wait = 1U << kVector;
    const auto sync = [](uint32_t wait, uint32_t signal) {
      Sync s;
      s.wait = wait;
      s.signal = signal;
      return *Encode(s);
    };
    auto words = std::make_shared<std::array<std::vector<InstructionWord>, kEngines>>();
    (*words)[kLoad] = {*Encode(all), *Encode(ring), *Encode(vector)};
    (*words)[kConv] = {sync(1U << kLoad, 0)};
    (*words)[kVector] = {sync(1U << kConv, 0)};
    (*words)[kSave] = {*Encode(save)};
    for (size_t e = 0; e < kEngines; ++e) {
      (*words)[e].insert((*words)[e].end(), bodies_[e].begin(), bodies_[e].end());
    }
    (*words)[kLoad].push_back(sync(0, 1U << kConv));
    (*words)[kConv].push_back(sync(0, 1U << kVector));
    (*words)[kVector].push_back(sync(0, 1U << kSave));
    OverlayStep& step = program->overlay_steps.emplace_back();
    for (size_t e = 0; e < kEngines; ++e) step.body[e] = (*words)[e];
    auto weights = std::make_shared<std::vector<uint8_t>>(weights_);
    program->weights = *weights;
    program->storage = {words, weights};
    return program;
  }

  /// Runs it; what the two outputs hold then, or why not.
  Result<std::vector<uint8_t>> Run(runtime::Device& device, const std::shared_ptr<const Program>& program) {
    const auto page = [](uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; };
    const uint64_t all = page(activations_.size());
    XRUN_ASSIGN_OR_RETURN(auto buffer, device.Allocate(2 * (all + kOtherBytes)));
    std::copy(activations_.begin(), activations_.end(), buffer->host().begin());
    std::copy(other_.begin(), other_.end(), buffer->host().begin() + static_cast<std::ptrdiff_t>(all));
    XRUN_RETURN_IF_ERROR(buffer->SyncToDevice(0, all + kOtherBytes));
    DeviceRequest request;
    request.registers[kAllBase] = {buffer.get(), 0, activations_.size()};
    request.registers[kOtherInput] = {buffer.get(), all, kOtherBytes};
    request.registers[kAllOutput] = {buffer.get(), all + kOtherBytes, activations_.size()};
    request.registers[kOtherOutput] = {buffer.get(), 2 * all + kOtherBytes, kOtherBytes};
    XRUN_ASSIGN_OR_RETURN(auto loaded, device.Load(program));
    XRUN_ASSIGN_OR_RETURN(auto lane, loaded->OpenLane(1));
    runtime::LaunchOutcome outcome;
    const DeviceRequest* requests[] = {&request};
    lane->Launch(0, requests, {}, outcome);
    if (outcome.state != runtime::LaunchState::kDone) return outcome.failure;
    XRUN_RETURN_IF_ERROR(buffer->SyncFromDevice(all + kOtherBytes, all + kOtherBytes));
    const auto out = buffer->host().subspan(all + kOtherBytes);
    return std::vector<uint8_t>(out.begin(), out.end());
  }

 private:
  uint64_t vector_at() const { return uint64_t{config_.weight_rows} * config_.weight_row_bytes(); }

  const HardwareConfig& config_;
  RandomInstruction random_;
  std::vector<uint8_t> activations_, other_, weights_;
  std::array<std::vector<InstructionWord>, kEngines> bodies_;
  std::string text_;
};

// One overload an instruction: what is to be added so that all it does can be seen in activation memory.

void Plant(SelfTest& test, const Conv& x, const HardwareConfig& config) {
  const uint64_t blocks = uint64_t{x.kernel_h} * x.kernel_w * x.ic_groups;
  for (uint64_t og = 0; og < x.oc_groups && x.keep == 0; ++og) {
    const uint64_t row = x.weights + ConvTableRows(x, config) + og * (config.param_rows() + blocks);
    for (uint32_t c = 0; c < config.channels; ++c) test.PlantInRing(row, c);
  }
}
void Plant(SelfTest& test, const Depthwise& x, const HardwareConfig& config) {
  for (uint64_t g = 0; g < x.groups && x.keep == 0; ++g) {
    const uint64_t row = x.params + (x.table != 0 ? config.vector_table_rows() : 0) +
                         g * (kRecordBytes + uint64_t{x.kernel_h} * x.kernel_w);
    for (uint32_t c = 0; c < config.channels; ++c) test.PlantInVector(row, c);
  }
}
void Plant(SelfTest& test, const Pool& x, const HardwareConfig& config) {
  if (x.per_count == 0) return;
  test.PlantMultipliers(x.params + (x.table != 0 ? config.vector_table_rows() : 0), x.kernel_h * x.kernel_w);
}

/// What accumulates needs something to start from, what is kept is seen when it is added to.
template <typename T>
void AddWindow(SelfTest& test, const HardwareConfig& config) {
  T x = test.random().Draw<T>();
  const auto legal = [&](const T& y) { return CheckFields(y, T::kEngine, config).ok(); };
  const auto before = [](T y) {
    y.accumulate = 0;
    y.keep = 1;
    return y;
  };
  const auto after = [](T y) {
    y.accumulate = 1;
    y.keep = 0;
    return y;
  };
  while ((x.accumulate != 0 && !legal(before(x))) || (x.keep != 0 && !legal(after(x)))) x = test.random().Draw<T>();
  if constexpr (std::is_same_v<T, Conv>) x.release = 0;
  std::vector<T> all = {x};
  if (x.accumulate != 0) all.insert(all.begin(), before(x));
  if (x.keep != 0) all.push_back(after(x));
  for (const T& y : all) Plant(test, y, config);
  for (const T& y : all) test.Add(y, T::kEngine);
}

template <typename T>
void AddOne(SelfTest& test, const HardwareConfig& config) {
  if constexpr (std::is_same_v<T, Conv> || std::is_same_v<T, Depthwise> || std::is_same_v<T, Pool>) {
    AddWindow<T>(test, config);
  } else {
    test.Add(test.random().Draw<T>(), T::kEngine);
  }
}

template <typename T>
void AddCopy(SelfTest& test, const HardwareConfig& config, uint32_t base) {
  for (;;) {
    T x = test.random().Draw<T>();
    x.base = base;
    uint64_t end = 0;
    if constexpr (std::is_same_v<T, LoadPacked>) {
      for (const PackedBlocks& blocks : BlocksOf(x)) end = std::max(end, blocks.end());
    } else {
      end = uint64_t{x.offset} + uint64_t{x.planes} * x.plane_stride + uint64_t{x.rows} * x.row_stride +
            uint64_t{x.cols} * config.channels;
    }
    if (end <= kOtherBytes) return test.Add(x, T::kEngine);
  }
}
template <>
void AddOne<Load>(SelfTest& test, const HardwareConfig& config) {
  AddCopy<Load>(test, config, kOtherInput);
}
template <>
void AddOne<LoadPacked>(SelfTest& test, const HardwareConfig& config) {
  AddCopy<LoadPacked>(test, config, kOtherInput);
}
template <>
void AddOne<Save>(SelfTest& test, const HardwareConfig& config) {
  AddCopy<Save>(test, config, kOtherOutput);
}

/// Ring rows are seen through a Conv of one pixel that keeps one block a row, and another that adds nothing to them.
void ShowRing(SelfTest& test, const HardwareConfig& config, uint32_t row, uint32_t rows) {
  Conv keep;
  keep.in_w = keep.in_h = keep.out_w = keep.out_h = keep.ic_groups = 1;
  keep.kernel_h = keep.kernel_w = keep.stride_h = keep.stride_w = keep.dilation_h = keep.dilation_w = 1;
  keep.dst_step = 1;
  keep.src_row_pitch = keep.src_plane_pitch = keep.dst_row_pitch = keep.dst_plane_pitch = 1;
  keep.oc_groups = std::min({rows, config.partial_entries, 16U});
  keep.weights = row;
  keep.keep = 1;
  keep.dst = 16;
  keep.clamp_lo = -128;
  keep.clamp_hi = 127;
  Conv show = keep;
  show.accumulate = 1;
  show.keep = 0;
  show.in_w = 0;
  show.weights = (row + rows) % config.weight_rows;
  Plant(test, show, config);
  test.Add(keep, kConv);
  test.Add(show, kConv);
}

/// Reads from the weight section, as far as it goes, into rows that were acquired and given back.
template <typename T>
void AddWeights(SelfTest& test, const HardwareConfig& config) {
  for (;;) {
    T x = test.random().Draw<T>();
    if (x.rows == 0 || x.rows > 40) continue;
    // The ring is full: a Conv gives back what this takes.
    Sync wait;
    wait.wait = 1U << kConv;
    Sync begin;
    begin.signal = 1U << kConv;
    test.Add(begin, kLoad);
    Conv release;
    release.in_w = release.in_h = release.out_w = release.out_h = release.ic_groups = release.oc_groups = 1;
    release.kernel_h = release.kernel_w = release.stride_h = release.stride_w = 1;
    release.dilation_h = release.dilation_w = release.dst_step = 1;
    release.src_row_pitch = release.src_plane_pitch = release.dst_row_pitch = release.dst_plane_pitch = 1;
    release.keep = 1;
    release.dst = 1;
    release.clamp_lo = -128;
    release.clamp_hi = 127;
    release.release = x.rows;
    release.signal = 1U << kLoad;
    test.Add(release, kConv);
    x.wait = 1U << kConv;
    test.Add(x, kLoad);
    Sync loaded;
    loaded.signal = 1U << kConv;
    test.Add(loaded, kLoad);
    Sync seen;
    seen.wait = 1U << kLoad;
    test.Add(seen, kConv);
    return ShowRing(test, config, x.row, x.rows);
  }
}
template <>
void AddOne<LoadWeights>(SelfTest& test, const HardwareConfig& config) {
  AddWeights<LoadWeights>(test, config);
}
template <>
void AddOne<LoadMatrix>(SelfTest& test, const HardwareConfig& config) {
  AddWeights<LoadMatrix>(test, config);
}

/// As ShowRing, with a Depthwise of one tap a group.
template <>
void AddOne<LoadVector>(SelfTest& test, const HardwareConfig& config) {
  LoadVector x = test.random().Draw<LoadVector>();
  test.Add(x, kLoad);
  Depthwise keep;
  keep.in_w = keep.in_h = keep.out_w = keep.out_h = 1;
  keep.kernel_h = keep.kernel_w = keep.stride_h = keep.stride_w = keep.dilation_h = keep.dilation_w = 1;
  keep.src_row_pitch = keep.src_plane_pitch = keep.dst_row_pitch = keep.dst_plane_pitch = 1;
  keep.groups = std::min({x.rows, config.vector_partial_entries, 16U});
  keep.params = x.addr;
  keep.keep = 1;
  keep.dst = 64;
  keep.clamp_lo = -128;
  keep.clamp_hi = 127;
  Depthwise show = keep;
  show.accumulate = 1;
  show.keep = 0;
  show.in_w = 0;
  const uint32_t needed = keep.groups * (kRecordBytes + 1);
  show.params = x.addr >= needed ? 0 : x.addr + x.rows;
  Plant(test, show, config);
  test.Add(keep, kVector);
  test.Add(show, kVector);
}

class InstructionTest : public DeviceTest {
 protected:
  template <typename T>
  void Compare() {
    const unsigned rounds = EnvironmentNumber("XRUN_TEST_INSTRUCTIONS", 12);
    size_t changed = 0;
    for (unsigned seed = 0; seed < rounds; ++seed) {
      SelfTest test(config(), 7919 * (seed + 1));
      SelfTest nothing(config(), 7919 * (seed + 1));
      AddOne<T>(test, config());
      if (HasFatalFailure()) return;
      const auto program = test.Build();
      auto right = test.Run(reference(), program);
      ASSERT_TRUE(right.ok()) << right.failure().ToString() << " seed " << seed << test.text();
      auto got = test.Run(device(), program);
      ASSERT_TRUE(got.ok()) << got.failure().ToString() << " seed " << seed << test.text();
      const auto [a, b] = std::mismatch(got->begin(), got->end(), right->begin());
      ASSERT_TRUE(a == got->end()) << "byte " << a - got->begin() << " is " << +*a << ", must be " << +*b << ", seed "
                                   << seed << test.text();
      changed += *right != *nothing.Run(reference(), nothing.Build());
    }
    // An instruction that leaves no trace would not be tested.
    EXPECT_GT(changed, rounds / 2);
  }
};

template <>
void InstructionTest::Compare<Sync>() {  // nothing but the frame, which has one in each stream
  SelfTest test(config(), 1);
  const auto program = test.Build();
  auto got = test.Run(device(), program);
  ASSERT_TRUE(got.ok()) << got.failure().ToString();
  EXPECT_EQ(*got, *test.Run(reference(), program));
}

#define XRUN_INSTRUCTION(Name, opcode, engine, brief) \
  TEST_F(InstructionTest, Name) { Compare<Name>(); }
#define XRUN_U(name, bits, brief)
#define XRUN_S(name, bits, brief)
#define XRUN_END(Name)
#include "isa/isa.def"

}  // namespace
}  // namespace xrun::test
