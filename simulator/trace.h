#ifndef XRUN_SIMULATOR_TRACE_H_
#define XRUN_SIMULATOR_TRACE_H_

#include <ostream>

#include "simulator/simulator.h"
#include "simulator/timing_model.h"

namespace xrun::simulator {

/// Writes a timed run as Chrome/Perfetto JSON (ui.perfetto.dev, chrome://tracing): a thread for each engine with its
/// instructions and what it waited for, arrows for tokens, counters for DRAM. One microsecond of the trace is one of
/// the configured clock. `report` must have been recorded (TimingOptions::record); counters need `sample_cycles`.
/// Written as a stream: the size of the trace is no matter for memory. The caller checks the stream.
void WriteTrace(std::ostream& out, const PreparedStep& step, const TimingReport& report);

}  // namespace xrun::simulator

#endif  // XRUN_SIMULATOR_TRACE_H_
