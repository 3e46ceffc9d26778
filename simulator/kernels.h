#ifndef XRUN_SIMULATOR_KERNELS_H_
#define XRUN_SIMULATOR_KERNELS_H_

// The vectorised inner loops of fast.cpp. kernels.inc is compiled once for the baseline (SSE2, NEON or plain C++) and,
// on x86-64, once for AVX2; Active() chooses by processor. What is compiled twice includes nothing but plain C headers:
// an inline function of a library, compiled for AVX2 in one of two copies, could be the copy the linker keeps.

#include <stddef.h>
#include <stdint.h>

namespace xrun::simulator {

constexpr uint32_t kMaxLanes = 32;

/// A tile of at most kTilePixels pixels, all taps, for one output group.
struct ConvTile {
  const int16_t* activations;
  const int32_t* offsets;  ///< [tap][kTilePixels]: element offset of the tap's word of group 0, or `fill_offset`
  int32_t fill_offset;     ///< of the word that stands for every group of a tap outside the tile
  uint32_t taps, ic_groups;
  ptrdiff_t plane_step;    ///< elements from a group to the next
  const int16_t* weights;  ///< the expanded ring
  uint32_t row_size, first_row, ring_rows;
  uint32_t pairs, out_lanes, lanes;
  int32_t* acc;  ///< [kTilePixels][lanes], in and out
};

/// The parameters of one output group, channel after channel. Lanes past the last channel: all 0.
struct RequantParams {
  int32_t bias[kMaxLanes], m[kMaxLanes], shift[kMaxLanes], m2[kMaxLanes], shift2[kMaxLanes], zero[kMaxLanes];
  bool regular;  ///< all shifts in 1…60, for the vector code; what a compiler writes is in 16…55
};

struct OutputStage {
  uint32_t channels, lanes;
  int32_t zero_point, lo, hi;
  bool prelu, weight_zero;
  const int8_t* table;  ///< 256 entries, or null
  int32_t m_main, m_res, main_zero, res_zero, zero_point2, lo2, hi2;
  uint32_t add_shift;
  const int8_t* table2;  ///< after the residual; 256 entries, or null
};

struct ElementwiseRow {
  uint32_t kind, channels, lanes, shift;
  int32_t m_a, m_b, a_zero, b_zero, zero_point, lo, hi;
  const int8_t* table;
  bool b_lane0;
  ptrdiff_t b_step;  ///< elements
};

struct Kernels {
  const char* name;
  void (*conv)(const ConvTile& tile, uint32_t pixels);
  /// Σ of all lanes of all taps of each pixel.
  void (*tap_sums)(const ConvTile& tile, uint32_t pixels, int32_t* sums);
  /// One pixel: accumulators to int8 in `to` (lanes past the channels become 0). `residual` may be null.
  void (*requantize)(const int32_t* acc, const RequantParams& params, const OutputStage& stage, int32_t sum,
                     const int16_t* residual, int16_t* to);
  /// One ring row: [oc][ic] bytes to [ic pair][oc lane][2].
  void (*expand)(const uint8_t* row, uint32_t channels, uint32_t pairs, uint32_t out_lanes, int16_t* to);
  void (*widen)(const uint8_t* from, uint32_t channels, uint32_t lanes, uint64_t words, int16_t* to);
  void (*narrow)(const int16_t* from, uint32_t channels, uint32_t lanes, uint64_t words, uint8_t* to);
  /// Turns weights [tap][lanes] (an even number of taps, the last maybe 0) into the order `depthwise` wants.
  void (*depthwise_prepare)(int16_t* weights, uint32_t tap_pairs, uint32_t lanes);
  /// acc[lane] += Σ over 2 · tap_pairs taps; `offsets` has as many entries.
  void (*depthwise)(const int16_t* activations, const int32_t* offsets, int32_t fill_offset, ptrdiff_t plane,
                    const int16_t* weights, uint32_t tap_pairs, uint32_t lanes, int32_t* acc);
  /// acc[lane] = max(acc, words) and acc[lane] += words, over `count` words `step` elements apart.
  void (*max_words)(const int16_t* words, uint64_t count, ptrdiff_t step, uint32_t lanes, int32_t* acc);
  void (*add_words)(const int16_t* words, uint64_t count, ptrdiff_t step, uint32_t lanes, int32_t* acc);
  void (*elementwise)(const ElementwiseRow& row, const int16_t* a, const int16_t* b, int16_t* to, uint64_t words);
};

const Kernels& GenericKernels();
#if defined(__x86_64__)
const Kernels& Avx2Kernels();
#endif

/// The best this processor runs.
const Kernels& ActiveKernels();

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_KERNELS_H_
