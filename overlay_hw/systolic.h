#ifndef XRUN_OVERLAY_HW_SYSTOLIC_H_
#define XRUN_OVERLAY_HW_SYSTOLIC_H_

// The array: a chain of ⌈PP/2⌉ processing elements, each with two pixel lanes, output-stationary. A weight block (CP
// output channels by CP input channels) enters at element 0 and moves on to the next with every step, so that no net of
// weights is longer than from one element to its neighbour; the words of element e are held back e steps to meet it.
// The two lanes share a multiplication with each weight: a DSP48E2 makes both products. An element has CP dot products
// of CP bytes and CP + 1 accumulators for each lane (the last is the sum of x); with the last step of a pixel group its
// accumulators go to its result FIFO. The results of a pixel group are complete when the last element has its own. With
// an odd PP the last element's second lane stands still. The chain steps every cycle; where nothing enters, a bubble
// does.

#include "overlay_hw/memory.h"
#include "overlay_hw/pair.h"
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

constexpr uint32_t kElements = (kPP + 1) / 2;
/// Pixel groups under way between the chain's entry and the output stage. As many as there are elements let groups of
/// one step follow each other; two more let the array run on while a group takes long to go out.
constexpr uint32_t kResultGroups = kElements + 2;

/// Lanes of element e: its first is 2e.
constexpr uint32_t LanesOf(uint32_t e) { return 2 * e + 1 < kPP ? 2 : 1; }

struct ElementResult {
  Accumulators acc[2];  ///< by lane of the element
  int32_t sum[2];
};

struct Chain {
  Block weights[kElements];
  bool valid[kElements], first[kElements], last[kElements];
  Word held_back[kPP][kElements];  ///< lane l uses the first l / 2
  ElementResult sums[kElements];
  ElementResult done[kElements][kResultGroups];  ///< result FIFO of each element, oldest first
  uint32_t done_count[kElements];
};

inline void StartChain(Chain& chain) {
  HW_UNROLL
  for (uint32_t e = 0; e < kElements; ++e) {
    HW_VITIS(unroll)
    chain.valid[e] = chain.first[e] = chain.last[e] = false;
    chain.done_count[e] = 0;
  }
}

/// Products that a chain of DSPs adds before they are split: 7 · 2^14 < 2^17 (pair.h).
constexpr uint32_t kPairChain = 7;

/// One element's step. `x` and the results are by lane of the element.
inline void Multiply(const Word (&x)[2], const Block& weights, bool first, ElementResult& sums) {
  HW_UNROLL
  for (uint32_t i = 0; i < 2; ++i) {
    HW_VITIS(unroll)
    int32_t sum = 0;
    HW_UNROLL
    for (uint32_t ic = 0; ic < kCP; ++ic) {
      HW_VITIS(unroll)
      sum += x[i].lane[ic];
    }
    sums.sum[i] = first ? sum : WrapAdd(sums.sum[i], HW_MUTATE(12, sum, 0));
  }
  int32_t pair[kCP];
  HW_UNROLL
  for (uint32_t ic = 0; ic < kCP; ++ic) {
    HW_VITIS(unroll)
    pair[ic] = PairOf(x[0].lane[ic], x[1].lane[ic]);
  }
  HW_UNROLL
  for (uint32_t oc = 0; oc < kCP; ++oc) {
    HW_VITIS(unroll)
    int32_t dot[2] = {0, 0};
    HW_UNROLL
    for (uint32_t begin = 0; begin < kCP; begin += kPairChain) {
      HW_VITIS(unroll)
      int64_t sum = 0;
      HW_UNROLL
      for (uint32_t i = 0; i < kPairChain; ++i) {
        HW_VITIS(unroll)
        if (begin + i >= kCP) continue;
        const int64_t product =
            static_cast<int64_t>(pair[begin + i]) * static_cast<int64_t>(weights.word[oc].lane[begin + i]);
        HW_VITIS(bind_op variable = product op = mul impl = dsp)
        sum += product;
      }
      int32_t part[2];
      SplitPair(sum, part[0], part[1]);
      dot[0] += part[0];
      dot[1] += part[1];
    }
    HW_UNROLL
    for (uint32_t i = 0; i < 2; ++i) {
      HW_VITIS(unroll)
      sums.acc[i].lane[oc] = first ? dot[i] : WrapAdd(sums.acc[i].lane[oc], dot[i]);
    }
  }
}

/// The word that lane l of element e works on in this step; the ones behind it move up.
inline void NextWord(Chain& chain, const Feed& feed, uint32_t e, uint32_t l, Word& x) {
  if (e == 0) {
    x = feed.x[l];
    return;
  }
  x = chain.held_back[l][e == 0 ? 0 : e - 1];
  for (uint32_t d = e - 1; d > 0; --d) {
    HW_VITIS(unroll)
    chain.held_back[l][d] = chain.held_back[l][d - 1];
  }
  chain.held_back[l][0] = feed.x[l];
}

inline void Step(Chain& chain, const Feed& feed) {
  HW_UNROLL
  for (uint32_t i = 0; i < kElements; ++i) {
    HW_VITIS(unroll)
    const uint32_t e = kElements - 1 - i;  // from the end, so that each element sees what its neighbour held before
    Word x[2] = {};
    HW_UNROLL
    for (uint32_t k = 0; k < LanesOf(e); ++k) {
      HW_VITIS(unroll)
      NextWord(chain, feed, e, 2 * e + k, x[k]);
    }
    if (e == 0) {
      chain.valid[0] = feed.valid;
      chain.first[0] = feed.first;
      chain.last[0] = feed.last;
      chain.weights[0] = feed.weights;
    } else {
      chain.valid[e] = chain.valid[e - 1];
      chain.first[e] = chain.first[e - 1];
      chain.last[e] = chain.last[e - 1];
      chain.weights[e] = chain.weights[HW_MUTATE(13, e - 1, e)];
    }
    if (!chain.valid[e]) continue;
    Multiply(x, chain.weights[e], chain.first[e], chain.sums[e]);
    if (chain.last[e]) {
      chain.done[e][chain.done_count[e]] = chain.sums[e];
      ++chain.done_count[e];
    }
  }
}

/// A pixel group whose results are complete waits.
inline bool HasResults(const Chain& chain) { return chain.done_count[kElements - 1] != 0; }

inline void TakeResults(Chain& chain, PartialEntry& to) {
  HW_UNROLL
  for (uint32_t e = 0; e < kElements; ++e) {
    HW_VITIS(unroll)
    HW_UNROLL
    for (uint32_t k = 0; k < LanesOf(e); ++k) {
      HW_VITIS(unroll)
      to.pixel[2 * e + k] = chain.done[e][0].acc[k];
      to.sum[2 * e + k] = chain.done[e][0].sum[k];
    }
    for (uint32_t i = 0; i + 1 < kResultGroups; ++i) {
      HW_VITIS(unroll)
      if (i + 1 < chain.done_count[e]) chain.done[e][i] = chain.done[e][i + 1];
    }
    --chain.done_count[e];
  }
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_SYSTOLIC_H_
