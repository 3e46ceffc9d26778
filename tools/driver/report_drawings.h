#ifndef XRUN_TOOLS_DRIVER_REPORT_DRAWINGS_H_
#define XRUN_TOOLS_DRIVER_REPORT_DRAWINGS_H_

#include <string>
#include <vector>

#include "compiler/memory_map.h"
#include "isa/program.h"
#include "simulator/timing_model.h"
#include "tools/driver/dump.h"

namespace xrun::tools {

// Drawings of --report as SVG that stands alone and inside HTML alike: no script, no style sheet, nothing fetched.

/// `text` with the five characters that XML reserves replaced.
std::string Escaped(const std::string& text);

/// Activation memory of every partition: address upwards, over time as the timed simulator has it (`layers`, of one
/// request, cold): a group takes the time from the latest end of those before it to its own. Dashed: the lower bound.
std::string MemorySvg(const std::vector<compiler::MemoryMap>& maps, const HardwareConfig& config,
                      const std::vector<LayerProfile>& layers);

/// The four engines of one launch over time, coloured by node.
std::string TimelineSvg(const Program& program, const OverlayStep& step, const simulator::TimingReport& report);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_REPORT_DRAWINGS_H_
