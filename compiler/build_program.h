#ifndef XRUN_COMPILER_BUILD_PROGRAM_H_
#define XRUN_COMPILER_BUILD_PROGRAM_H_

#include <vector>

#include "compiler/graph.h"
#include "compiler/lower.h"
#include "compiler/schedule.h"
#include "isa/program.h"

namespace xrun::compiler {

/// One partition, scheduled and synchronized.
struct ScheduledPartition {
  Partition partition;
  Schedule schedule;
  uint64_t workspace_bytes = 0;
};

/// Encodes instructions and puts together the program: tensors that cross borders, steps, CPU operators with their
/// attributes, constants, node table. The weight image moves into the program.
Result<Program> BuildProgram(const Graph& graph, const LoweredModel& model, std::vector<ScheduledPartition> partitions,
                             WeightImage weights, const HardwareConfig& config);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_BUILD_PROGRAM_H_
