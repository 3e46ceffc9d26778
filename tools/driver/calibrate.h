#ifndef XRUN_TOOLS_DRIVER_CALIBRATE_H_
#define XRUN_TOOLS_DRIVER_CALIBRATE_H_

#include "compiler/quantize/calibrate.h"
#include "compiler/quantize/input_moments.h"
#include "runtime/io/dataset.h"
#include "tools/common/progress.h"

namespace xrun::tools {

/// Inputs of a graph as data sources need to know them.
std::vector<io::InputSpec> InputSpecsOf(const compiler::Graph& graph);

/// Feeds every run of `data` through the float graph, with `jobs` threads that each have an executor of their own. The
/// result does not depend on `jobs`. The failure is that of the earliest sample.
Result<compiler::Calibration> Calibrate(const compiler::Graph& graph, const io::Dataset& data, int jobs,
                                        Progress& progress);

/// Feeds evenly spread runs of `data` through `collector`, one after the other.
Status CollectMoments(const io::Dataset& data, const compiler::Graph& graph, compiler::MomentCollector& collector,
                      Progress& progress);
/// How many runs CollectMoments takes of a data set.
int64_t MomentRuns(const io::Dataset& data);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_CALIBRATE_H_
