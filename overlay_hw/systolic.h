#ifndef XRUN_OVERLAY_HW_SYSTOLIC_H_
#define XRUN_OVERLAY_HW_SYSTOLIC_H_

// The array: a chain of PP processing elements, one a pixel lane, output-stationary. A weight block (CP output channels
// by CP input channels) enters at element 0 and moves on to the next with every step, so that no net of weights is
// longer than from one element to its neighbour; the word of lane l is held back l steps to meet it. An element has
// CP dot products of CP bytes and CP + 1 accumulators (the last is the sum of x); with the last step of a pixel group
// its accumulators go to its result FIFO. The results of a pixel group are complete when the last element has its own.

#include "overlay_hw/memory.h"
#include "overlay_hw/requant.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// What enters the chain in a step.
struct Feed {
  bool valid;        ///< false: a bubble, to move what is under way
  bool first, last;  ///< of a pixel group
  Word x[kPP];
  Block weights;
};

struct ElementResult {
  Accumulators acc;
  int32_t sum;
};

struct Chain {
  Block weights[kPP];
  bool valid[kPP], first[kPP], last[kPP];
  Word held_back[kPP][kPP];  ///< lane l uses the first l
  ElementResult sums[kPP];
  ElementResult done[kPP]
                    [kPP];  ///< result FIFO of each element, oldest first: element l is at most PP - 1 groups ahead
  uint32_t done_count[kPP];
};

inline void StartChain(Chain& chain) {
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    chain.valid[l] = chain.first[l] = chain.last[l] = false;
    chain.done_count[l] = 0;
  }
}

/// One element's step.
inline void Multiply(const Word& x, const Block& weights, bool first, ElementResult& sums) {
  int32_t sum = 0;
  HW_UNROLL
  for (uint32_t ic = 0; ic < kCP; ++ic) {
    HW_VITIS(unroll)
    sum += x.lane[ic];
  }
  sums.sum = first ? sum : WrapAdd(sums.sum, HW_MUTATE(12, sum, 0));
  HW_UNROLL
  for (uint32_t oc = 0; oc < kCP; ++oc) {
    HW_VITIS(unroll)
    int32_t dot = 0;
    HW_UNROLL
    for (uint32_t ic = 0; ic < kCP; ++ic) {
      HW_VITIS(unroll)
      dot += static_cast<int32_t>(x.lane[ic]) * static_cast<int32_t>(weights.word[oc].lane[ic]);
    }
    sums.acc.lane[oc] = first ? dot : WrapAdd(sums.acc.lane[oc], dot);
  }
}

inline void Step(Chain& chain, const Feed& feed) {
  HW_UNROLL
  for (uint32_t i = 0; i < kPP; ++i) {
    HW_VITIS(unroll)
    const uint32_t l = kPP - 1 - i;  // from the end, so that each element sees what its neighbour held before
    const Word x = l == 0 ? feed.x[0] : chain.held_back[l][l == 0 ? 0 : l - 1];
    if (l == 0) {
      chain.valid[0] = feed.valid;
      chain.first[0] = feed.first;
      chain.last[0] = feed.last;
      chain.weights[0] = feed.weights;
    } else {
      chain.valid[l] = chain.valid[l - 1];
      chain.first[l] = chain.first[l - 1];
      chain.last[l] = chain.last[l - 1];
      chain.weights[l] = chain.weights[HW_MUTATE(13, l - 1, l)];
      for (uint32_t d = l - 1; d > 0; --d) {
        HW_VITIS(unroll)
        chain.held_back[l][d] = chain.held_back[l][d - 1];
      }
      chain.held_back[l][0] = feed.x[l];
    }
    if (!chain.valid[l]) continue;
    Multiply(x, chain.weights[l], chain.first[l], chain.sums[l]);
    if (chain.last[l]) {
      chain.done[l][chain.done_count[l]] = chain.sums[l];
      ++chain.done_count[l];
    }
  }
}

/// A pixel group whose results are complete waits.
inline bool HasResults(const Chain& chain) { return chain.done_count[kPP - 1] != 0; }

inline void TakeResults(Chain& chain, PartialEntry& to) {
  HW_UNROLL
  for (uint32_t l = 0; l < kPP; ++l) {
    HW_VITIS(unroll)
    to.pixel[l] = chain.done[l][0].acc;
    to.sum[l] = chain.done[l][0].sum;
    for (uint32_t i = 0; i + 1 < kPP; ++i) {
      HW_VITIS(unroll)
      if (i + 1 < chain.done_count[l]) chain.done[l][i] = chain.done[l][i + 1];
    }
    --chain.done_count[l];
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_SYSTOLIC_H_
