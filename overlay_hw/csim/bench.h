#ifndef XRUN_OVERLAY_HW_CSIM_BENCH_H_
#define XRUN_OVERLAY_HW_CSIM_BENCH_H_

// One overlay's engines and memories behind an interface without the configuration in its types, so that tests and
// tools can hold several. Made by hw::<configuration>::MakeBench (bench.cpp), one for each compiled configuration.

#include <cstdint>
#include <memory>
#include <vector>

#include "isa/isa.h"
#include "overlay_hw/csim/counts.h"
#include "overlay_hw/csim/dram.h"

namespace xrun {
namespace hw {
namespace csim {

/// The memories' contents, words in address order.
struct Contents {
  std::vector<int8_t> activations;      ///< words × CP
  std::vector<int8_t> ring;             ///< rows × CP²
  std::vector<int8_t> vector;           ///< rows × CP
  std::vector<int32_t> partial;         ///< entries × PP × CP
  std::vector<int32_t> partial_sum;     ///< entries × PP
  std::vector<int32_t> vector_partial;  ///< entries × CP
};

/// Memory ports in the order of the counters below.
enum BenchPort : int {
  kPortConvSource,
  kPortConvResult,
  kPortConvResidual,
  kPortVectorRead0,
  kPortVectorRead1,
  kPortVectorRead2,
  kPortVectorResult,
  kPortLoadResult,
  kPortSaveSource,
  kPortRingRead,
  kPortRingWrite,
  kPortPartialRead,
  kPortPartialWrite,
  kPortVectorMemoryRead,
  kPortVectorMemoryWrite,
  kPortVectorPartialRead,
  kPortVectorPartialWrite,
  kBenchPorts
};

/// What an instruction did.
struct BenchResult {
  Trap trap = Trap::kNone;
  uint64_t cycles = 0;      ///< loop iterations, without fixed fill and drain; stages of a unit count as side by side
  uint64_t iterations = 0;  ///< of all loops, as the source has them: Conv's cycles
  uint64_t overhang = 0;    ///< LoopCounts
  uint64_t violations = 0;  ///< accesses a memory port cannot do
  uint64_t beats = 0;       ///< read from and written to DRAM, of the engines' width
  std::vector<PortAccess> accesses[kBenchPorts];
};

/// A launch on the sequential top.
struct BenchLaunch {
  uint64_t program = 0, weights = 0, requests = 0, status = 0;  ///< DRAM addresses
  uint32_t request_count = 0;
};

class Bench {
 public:
  virtual ~Bench() = default;
  virtual const char* name() const = 0;
  virtual void Put(const Contents& contents) = 0;
  virtual void Get(Contents& contents) = 0;
  /// Decode and checks only.
  virtual Trap Judge(Engine engine, const uint64_t* word) = 0;
  /// Checks and, if there is no trap, executes. Registers: address and limit of each.
  virtual BenchResult Execute(Engine engine, const uint64_t* word, const uint64_t* address, const uint64_t* limit) = 0;
  /// How long DRAM takes from now on.
  virtual void SetPace(const DramPace& pace) = 0;
  /// The sequential top (sequential.h); the status page is written to DRAM.
  virtual void Launch(const BenchLaunch& launch) = 0;

  Dram dram;
};

}  // namespace csim
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CSIM_BENCH_H_
