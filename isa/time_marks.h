#ifndef XRUN_ISA_TIME_MARKS_H_
#define XRUN_ISA_TIME_MARKS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "isa/program.h"

namespace xrun {

/// The time marks of a step (isa/README.md, section 7): which instructions of the bodies make one, in the order in
/// which they lie in memory: engine by engine, within an engine in program order.
struct TimeMarks {
  struct Mark {
    Engine engine = kLoad;
    uint32_t instruction = 0;  ///< index in the engine's body
  };
  std::vector<Mark> marks;
  /// Index into `marks` of each engine's first.
  std::array<uint32_t, kEngines> first{};
  /// Byte offset of an engine's marks from the status page, and the bytes of status page and marks together.
  uint32_t OffsetOf(Engine engine) const;
  uint32_t StatusBytes() const;
};
TimeMarks TimeMarksOf(const OverlayStep& step);

}  // namespace xrun

#endif  // XRUN_ISA_TIME_MARKS_H_
