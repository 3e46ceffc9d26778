#ifndef XRUN_OVERLAY_HW_CONTROL_H_
#define XRUN_OVERLAY_HW_CONTROL_H_

// The launch control: the only IP that the host sees. Writes the status page, starts the fetches, watches cycle limit,
// abort and the engines' reports, collects time marks (isa/README.md, section 7).

#include "overlay_hw/engines.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

/// Control → fetch: what to begin with. One a launch.
typedef hls::stream<LaunchArguments> StartStream;
constexpr uint32_t kStartDepth = 2;
constexpr uint32_t kAccumulatorBits = 32;

/// What the host may change and what goes on by itself while a launch runs.
#ifdef XRUN_HW_BARE
struct LaunchWires {
  volatile uint32_t* flags;  ///< register 0x54
  volatile uint64_t* clock;  ///< cycles since the launch began
};
inline uint32_t ReadFlags(const LaunchWires& wires) { return *wires.flags; }
inline uint64_t ReadClock(const LaunchWires& wires) { return *wires.clock; }
inline uint32_t ReadReport(EngineReport& report, ReportField field) { return report[field]; }
inline void SetStop(StopSignal& stop, bool value) { *stop = value; }
#else
struct LaunchWires {
  const std::atomic<uint32_t>* flags;
  const std::atomic<uint64_t>* clock;
};
inline uint32_t ReadFlags(const LaunchWires& wires) { return wires.flags->load(std::memory_order_relaxed); }
inline uint64_t ReadClock(const LaunchWires& wires) { return wires.clock->load(std::memory_order_acquire); }
inline uint32_t ReadReport(EngineReport& report, ReportField field) {
  return report.field[field].load(std::memory_order_acquire);
}
inline void SetStop(StopSignal& stop, bool value) { stop->store(value, std::memory_order_release); }
#endif

/// A launch as the kernel's registers have it.
struct Launch {
  LaunchArguments arguments;
  uint64_t cycle_limit;
  LaunchWires wires;
};

/// One launch. `stop` goes to all engines; `ring_end` to the ring once Load and Conv have left. `judged[e]` gets a
/// token from each fetch: enum Judgement.
void ControlEngine(const Launch& launch, DramReadPort& dram_in, DramWritePort& dram_out, StartStream (&start)[kEngines],
                   TokenStream (&judged)[kEngines], StopSignal& stop, StopSignal& ring_end,
                   EngineReport (&reports)[kEngines], TokenStream (&marks)[kEngines]);

/// FetchEngine as a process: takes its arguments, and says how the image was judged.
void FetchProcess(uint32_t engine, StartStream& start, TokenStream& judged, DramReadPort& dram, PacketStream& packets,
                  StopSignal& stop);

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CONTROL_H_
