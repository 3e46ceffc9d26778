#ifndef XRUN_OVERLAY_HW_QUEUE_H_
#define XRUN_OVERLAY_HW_QUEUE_H_

// What stands between the stages of an engine that step side by side, an iteration of one loop a clock cycle.

#include <cstdint>

#include "overlay_hw/config.h"
#include "overlay_hw/pragmas.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// A queue of two or a few, oldest first.
template <typename T, uint32_t kDepth>
struct Queue {
  uint32_t count = 0;
  T item[kDepth];
};
template <typename T, uint32_t kDepth>
inline bool Full(const Queue<T, kDepth>& queue) {
  return queue.count == kDepth;
}
template <typename T, uint32_t kDepth>
inline void Push(Queue<T, kDepth>& queue, const T& item) {
  queue.item[queue.count] = item;
  ++queue.count;
}
template <typename T, uint32_t kDepth>
inline void Pop(Queue<T, kDepth>& queue) {
  HW_UNROLL
  for (uint32_t i = 0; i + 1 < kDepth; ++i) {
    HW_VITIS(unroll)
    if (i + 1 < queue.count) queue.item[i] = queue.item[i + 1];
  }
  --queue.count;
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_QUEUE_H_
