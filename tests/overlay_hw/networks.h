#ifndef XRUN_TESTS_OVERLAY_HW_NETWORKS_H_
#define XRUN_TESTS_OVERLAY_HW_NETWORKS_H_

#include <string>

#include "isa/program.h"

namespace xrun::test {

/// A network of tests/models compiled for a configuration; calibrated without data, which is all that equality needs.
Result<Program> CompiledNetwork(const std::string& model, const HardwareConfig& config);

}  // namespace xrun::test

#endif  // XRUN_TESTS_OVERLAY_HW_NETWORKS_H_
