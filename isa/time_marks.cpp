#include "isa/time_marks.h"

#include "isa/launch.h"

namespace xrun {
namespace {

constexpr uint32_t kMarkBytes = sizeof(uint64_t);

}  // namespace

uint32_t TimeMarks::OffsetOf(Engine engine) const { return launch::kStatusPageBytes + kMarkBytes * first[engine]; }

uint32_t TimeMarks::StatusBytes() const {
  return launch::kStatusPageBytes + kMarkBytes * static_cast<uint32_t>(marks.size());
}

TimeMarks TimeMarksOf(const OverlayStep& step) {
  TimeMarks result;
  for (uint8_t e = 0; e < kEngines; ++e) {
    result.first[e] = static_cast<uint32_t>(result.marks.size());
    for (uint32_t i = 0; i < step.body[e].size(); ++i) {
      const auto instruction = Decode(step.body[e][i], static_cast<Engine>(e));
      if (instruction.ok() && HeaderOf(*instruction).mark != 0) {
        result.marks.push_back({static_cast<Engine>(e), i});
      }
    }
  }
  return result;
}

}  // namespace xrun
