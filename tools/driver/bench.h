#ifndef XRUN_TOOLS_DRIVER_BENCH_H_
#define XRUN_TOOLS_DRIVER_BENCH_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/result.h"
#include "tools/common/progress.h"
#include "xrun/device.h"
#include "xrun/program.h"

namespace xrun::tools {

struct BenchOptions {
  unsigned threads = 1;
  unsigned in_flight = 4;  ///< of each thread
  unsigned requests_per_launch = 8;
  std::chrono::nanoseconds duration = std::chrono::seconds(10);
  uint64_t requests = 0;  ///< when given, so many instead of `duration`
  unsigned warmup = 10;   ///< requests of each thread that are not counted
  bool verify = false;    ///< every output is compared with the simulator's
};

struct BenchResult {
  uint64_t requests = 0;
  double seconds = 0;
  std::vector<double> latencies;  ///< microseconds from submit to completion, ascending
  uint64_t verified = 0, wrong = 0;
  std::string first_wrong;  ///< output, element, both values

  double Percentile(double percent) const;
  double PerSecond() const { return static_cast<double>(requests) / seconds; }
};

/// Throughput and latency of host and device together: inputs are filled once, random and always the same.
Result<BenchResult> Bench(const api::Device& device, const api::Program& program, const BenchOptions& options,
                          ProgressMode progress);

/// What a request costs beside the network: a program without an instruction, one request at a time.
struct OverheadResult {
  double xrun_us = 0;       ///< median, submit to completion by Request
  double run_us = 0;        ///< median of Session::run, on the caller's thread
  double plain_xrt_us = 0;  ///< median of XRT's own start and wait for the same launch; 0: no XRT device
};
Result<OverheadResult> MeasureOverhead(const api::Device& device, const std::string& name, unsigned requests);

/// One request, layer by layer, from the time marks.
struct LayerTime {
  std::string node, op;
  size_t launch = 0;
  uint64_t end = 0;     ///< cycle of the launch at which the node's last instruction was done
  uint64_t cycles = 0;  ///< since the node before it in order of `end`
};
Result<std::vector<LayerTime>> TimeLayers(const api::Device& device, const api::Program& program);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_BENCH_H_
