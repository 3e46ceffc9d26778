#ifndef XRUN_TOOLS_DRIVER_TRACE_FILE_H_
#define XRUN_TOOLS_DRIVER_TRACE_FILE_H_

#include <cstddef>
#include <string>

#include "isa/result.h"
#include "simulator/simulator.h"
#include "simulator/timing_model.h"

namespace xrun::tools {

/// How far apart a trace's DRAM counters are sampled, in cycles.
constexpr uint64_t kTraceSampleCycles = 256;

/// Writes the modelled run of overlay step `step` of `steps` as Chrome/Perfetto JSON. A trace holds one launch: of
/// several steps each goes to a file of its own, numbered before the ending of `path`.
Status WriteTraceFile(const simulator::PreparedStep& prepared, const simulator::TimingReport& report, std::string path,
                      size_t step, size_t steps);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_TRACE_FILE_H_
