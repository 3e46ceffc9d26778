#ifndef XRUN_TESTS_STRUCTURES_VERIFY_H_
#define XRUN_TESTS_STRUCTURES_VERIFY_H_

#include <string>

#include "isa/hardware_config.h"
#include "run_both.h"
#include "structures.h"

namespace xrun::structures {

/// A structure quantized once, with an input and the oracle's bytes for it: every configuration is compared with them.
struct Quantized {
  compiler::Graph graph;
  testing::Tensors input, want;
  std::string oracle_error;                         ///< why `want` is empty
  double quantize_seconds = 0, oracle_seconds = 0;  ///< the first: generating included
};
/// Generates a structure and quantizes it, with ranges from synthetic pictures.
Result<compiler::Graph> QuantizedGraph(const Structure& structure, uint64_t seed, int64_t batch = 1);
Result<Quantized> QuantizeStructure(const Structure& structure, uint64_t seed, int64_t batch = 1);

/// One configuration's part.
struct Outcome {
  double compile_seconds = 0, run_seconds = 0;
  size_t overlay_nodes = 0;
  std::string cpu_nodes;  ///< "2 (Softmax, Transpose)"
  double overlay_macs = 0, all_macs = 0;
  double modelled_fps = 0;  ///< overlay steps only
};
/// Compiles, verifies, runs in the simulator and compares: a failure says what went wrong. With `every_tensor` each
/// int8 tensor is compared, else what overlay steps hand on.
Result<Outcome> VerifyStructure(const Quantized& model, const HardwareConfig& config, bool every_tensor,
                                int optimization = 2);

}  // namespace xrun::structures

#endif  // XRUN_TESTS_STRUCTURES_VERIFY_H_
