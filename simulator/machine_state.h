#ifndef XRUN_SIMULATOR_MACHINE_STATE_H_
#define XRUN_SIMULATOR_MACHINE_STATE_H_

// The on-chip memories. Both implementations of the instructions (reference.cpp, fast.cpp) work on this one state.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "isa/hardware_config.h"
#include "isa/isa.h"

namespace xrun::simulator {

/// A zeroed array on a cache line border. Fixed size, never copied.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t size) : size_(size) {
    const size_t bytes = (size * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    data_.reset(static_cast<T*>(::operator new (bytes, std::align_val_t{kAlignment})));
    std::uninitialized_value_construct_n(data_.get(), size);
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  static constexpr size_t kAlignment = 64;
  struct Delete {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T[], Delete> data_;
  size_t size_ = 0;
};

/// Pixels of a tile of the fast Conv path: as many accumulators as fit 16 vector registers.
constexpr uint32_t kTilePixels = 6;

struct MachineState {
  explicit MachineState(const HardwareConfig& c);

  HardwareConfig config;

  /// Lanes in memory of an activation word: 16 or 32, so that a word is one or two vectors whatever CP is. Activations
  /// are kept as int16, widened by Load, ready for the multiply-add of int16 pairs. Lanes past CP are always 0.
  uint32_t lanes;
  /// Pairs of input channels and vector lanes (multiple of 8) of output channels in an expanded weight row.
  uint32_t pairs, out_lanes;

  AlignedArray<int16_t> activations;     ///< activation_words (+ one word that holds `fill`) × lanes
  AlignedArray<uint8_t> ring;            ///< weight_rows × CP²
  AlignedArray<int16_t> expanded;        ///< weight_rows × [pairs][out_lanes][2], where `is_expanded`
  AlignedArray<uint8_t> is_expanded;     ///< of each ring row; LoadWeights clears it
  AlignedArray<int32_t> partial;         ///< partial_entries × PP × lanes
  AlignedArray<int32_t> partial_sum;     ///< partial_entries × PP: Σx
  AlignedArray<uint8_t> vector;          ///< vector_rows × CP
  AlignedArray<int32_t> vector_partial;  ///< vector_partial_entries × lanes

  // Scratch of the fast path.
  AlignedArray<int32_t> taps;         ///< offsets of tap words, for as many pixels as fit
  AlignedArray<int32_t> tap_sums;     ///< Σx of the pixels in `taps`
  AlignedArray<int16_t> tap_weights;  ///< a Depthwise group's weights minus zero point, in pairs of taps

  int16_t* Word(uint64_t address) { return activations.data() + address * lanes; }
  const uint8_t* RingRow(uint64_t row) const {
    return ring.data() + (row & (config.weight_rows - 1)) * config.weight_row_bytes();
  }
  const uint8_t* VectorRow(uint64_t row) const { return vector.data() + row * config.channels; }
  uint32_t ExpandedRowSize() const { return pairs * out_lanes * 2; }
  uint32_t FillWord() const { return config.activation_words(); }
};

/// Parameters of one output channel: the 16-byte record of isa/README.md section 5, "Conv".
struct ChannelRecord {
  int32_t bias = 0;
  uint32_t m = 0, shift = 0, m2 = 0, shift2 = 0;
  int32_t zero = 0;
  static constexpr uint64_t kBytes = 16;
};
ChannelRecord ReadRecord(const uint8_t* bytes);

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_MACHINE_STATE_H_
