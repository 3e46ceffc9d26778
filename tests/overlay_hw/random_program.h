#ifndef XRUN_TESTS_OVERLAY_HW_RANDOM_PROGRAM_H_
#define XRUN_TESTS_OVERLAY_HW_RANDOM_PROGRAM_H_

#include <array>
#include <memory>
#include <type_traits>
#include <vector>

#include "isa/launch.h"
#include "isa/program.h"
#include "tests/overlay_hw/csim_unit.h"
#include "tests/unit/random_instruction.h"

namespace xrun::test {

/// Fills the chip, then instructions of all engines or of one, one after another by tokens, then everything is saved.
/// Loads and Saves come with the filling and the saving anyway.
class RandomProgram {
 public:
  RandomProgram(const HardwareConfig& config, uint64_t seed, Engine only = kAnyEngine)
      : config_(config), random_(seed, config) {
    const uint64_t activation_bytes = uint64_t{config.activation_words()} * config.channels;
    const uint64_t ring_bytes = uint64_t{config.weight_rows} * config.weight_row_bytes();
    weights_ =
        std::make_shared<std::vector<uint8_t>>(ring_bytes + uint64_t{config.vector_rows} * config.channels + 65536);
    Fill(*weights_);
    // Multipliers and shifts have ranges: records everywhere, whichever row an instruction begins at is near one.
    for (size_t at = 0; at + 16 <= weights_->size(); at += 16) random_.Record(weights_->data() + at, false);
    buffers_.resize(1);
    buffers_[0][kBaseInput0].resize(activation_bytes);
    buffers_[0][kBaseWorkspace].resize(1 << 19);
    buffers_[0][kBaseOutput0].resize(activation_bytes);
    Fill(buffers_[0][kBaseInput0]);
    Fill(buffers_[0][kBaseWorkspace]);

    Load all;
    all.base = kBaseInput0;
    all.planes = all.rows = 1;
    all.cols = config.activation_words();
    Add(all, kLoad);
    LoadWeights ring;
    ring.rows = ring.acquire = config.weight_rows;
    Add(ring, kLoad);
    LoadVector vector;
    vector.offset = static_cast<uint32_t>(ring_bytes);
    vector.rows = config.vector_rows;
    Add(vector, kLoad);
    const int count = 4 + static_cast<int>(random_.Range(0, 4));
    for (int i = 0; i < count; ++i) {
      constexpr int64_t kFirst[kEngines] = {5, 0, 2, 6}, kLast[kEngines] = {5, 1, 4, 6};
      switch (only == kAnyEngine ? random_.Range(0, 6) : random_.Range(kFirst[only], kLast[only])) {
        case 0:
        case 1:
          Add(DrawPlain<Conv>(), kConv);
          break;
        case 2:
          Add(DrawPlain<Depthwise>(), kVector);
          break;
        case 3:
          Add(DrawPlain<Pool>(), kVector);
          break;
        case 4:
          Add(random_.Draw<Elementwise>(), kVector);
          break;
        case 5:
          Add(random_.Draw<LoadPacked>(), kLoad);
          break;
        default:
          Add(random_.Draw<Save>(), kSave);
          break;
      }
    }
    Save save;
    save.base = kBaseOutput0;
    save.planes = save.rows = 1;
    save.cols = config.activation_words();
    Add(save, kSave);
  }

  std::shared_ptr<Program> Build() {
    auto program = std::make_shared<Program>();
    program->config = config_;
    program->capabilities = launch::kCapabilities;
    OverlayStep& step = program->overlay_steps.emplace_back();
    for (size_t e = 0; e < kEngines; ++e) {
      for (Instruction& instruction : streams_[e]) words_[e].push_back(*Encode(instruction));
      step.body[e] = words_[e];
    }
    program->weights = *weights_;
    program->storage = {weights_};
    return program;
  }
  const Buffers& buffers() const { return buffers_; }

 private:
  void Fill(std::vector<uint8_t>& bytes) {
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random_.Range(0, 255));
  }
  /// Without partial buffers, whose contents nobody wrote, and without releases of rows that later ones need.
  template <typename T>
  T DrawPlain() {
    for (;;) {
      T x = random_.Draw<T>();
      x.accumulate = x.keep = 0;
      if constexpr (std::is_same_v<T, Conv>) x.release = 0;
      if (CheckFields(x, T::kEngine, config_).ok()) return x;
    }
  }
  void Add(Instruction instruction, Engine engine) {
    if (last_ != kAnyEngine && last_ != engine) {
      HeaderOf(streams_[last_].back()).signal |= 1U << engine;
      HeaderOf(instruction).wait |= 1U << last_;
    }
    streams_[engine].push_back(std::move(instruction));
    last_ = engine;
  }

  const HardwareConfig& config_;
  RandomInstruction random_;
  std::shared_ptr<std::vector<uint8_t>> weights_;
  Buffers buffers_;
  std::array<std::vector<Instruction>, kEngines> streams_;
  std::array<std::vector<InstructionWord>, kEngines> words_;
  Engine last_ = kAnyEngine;
};

}  // namespace xrun::test

#endif  // XRUN_TESTS_OVERLAY_HW_RANDOM_PROGRAM_H_
