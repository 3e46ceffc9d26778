#ifndef XRUN_OVERLAY_HW_CSIM_COUNT_MACROS_H_
#define XRUN_OVERLAY_HW_CSIM_COUNT_MACROS_H_

// What engines say to C-sim's counters and mutation tests; nothing at all in hardware.

#ifdef XRUN_HW_BARE
#define HW_ITERATION(s) static_cast<void>(0)
#define HW_FIXED() static_cast<void>(0)
#define HW_END_UNIT() static_cast<void>(0)
#define HW_CLOCK() static_cast<void>(0)
#define HW_COUNT(statement) static_cast<void>(0)
#else
#include "overlay_hw/csim/counts.h"
/// An iteration of a stage's loop: one cycle.
#define HW_ITERATION(s) ::xrun::hw::csim::Counts().Iterate(s)
/// An iteration that the instruction's fixed cycles contain.
#define HW_FIXED() ++::xrun::hw::csim::Counts().iteration
#define HW_END_UNIT() ::xrun::hw::csim::Counts().EndUnit()
/// A clock cycle of an engine whose stages step side by side.
#define HW_CLOCK() ++::xrun::hw::csim::Counts().iteration
#define HW_COUNT(statement)                                            \
  {                                                                    \
    ::xrun::hw::csim::LoopCounts& counts = ::xrun::hw::csim::Counts(); \
    statement;                                                         \
  }
#endif

#ifdef XRUN_HW_MUTATIONS
#define HW_MUTATE(n, right, wrong) (::xrun::hw::csim::Mutation() == (n) ? (wrong) : (right))
#elif defined(XRUN_HW_MUTATION)  // one of them for good: for tools that make RTL
#define HW_MUTATE(n, right, wrong) ((n) == XRUN_HW_MUTATION ? (wrong) : (right))
#else
#define HW_MUTATE(n, right, wrong) (right)
#endif

#endif  // XRUN_OVERLAY_HW_CSIM_COUNT_MACROS_H_
