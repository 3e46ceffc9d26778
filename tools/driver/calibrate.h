#ifndef XRUN_TOOLS_DRIVER_CALIBRATE_H_
#define XRUN_TOOLS_DRIVER_CALIBRATE_H_

#include <functional>

#include "compiler/quantize/calibrate.h"
#include "runtime/io/dataset.h"
#include "tools/common/progress.h"

namespace xrun::tools {

/// Inputs of a graph as data sources need to know them.
std::vector<io::InputSpec> InputSpecsOf(const compiler::Graph& graph);

/// Feeds every run of `data` through the float graph, with `jobs` threads that each have an executor of their own. The
/// result does not depend on `jobs`. The failure is that of the earliest sample.
Result<compiler::Calibration> Calibrate(const compiler::Graph& graph, const io::Dataset& data, int jobs,
                                        Progress& progress);

/// Feeds `count` evenly spread runs of `data` (all of them, if there are fewer) to `add`, one after the other.
Status FeedSome(const io::Dataset& data, const compiler::Graph& graph, int64_t count, Progress& progress,
                const std::function<Status(std::span<const std::span<const float>>)>& add);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_CALIBRATE_H_
