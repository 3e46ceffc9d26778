#ifndef XRUN_TESTS_OVERLAY_HW_LAUNCH_IMAGE_H_
#define XRUN_TESTS_OVERLAY_HW_LAUNCH_IMAGE_H_

// A launch as the overlay sees it in DRAM: program image, weights, request table, buffers, status page.

#include <array>
#include <cstdint>
#include <vector>

#include "isa/program.h"
#include "overlay_hw/csim/bench.h"
#include "simulator/simulator.h"

namespace xrun::test {

/// The base registers' buffers of one request.
using RequestBuffers = std::array<std::vector<uint8_t>, kBaseRegisters>;

class LaunchImage {
 public:
  /// Lays everything out; `requests` must outlive this and are what the overlay reads and writes.
  LaunchImage(const Program& program, const OverlayStep& step, std::vector<RequestBuffers>& requests);

  /// Runs it on the sequential top and returns the status page.
  const std::vector<uint8_t>& Run(hw::csim::Bench& bench);
  /// Beats the bench moved.
  uint64_t beats() const { return beats_; }

 private:
  std::vector<uint8_t> image_, weights_, table_, status_;
  std::vector<RequestBuffers>& requests_;
  uint64_t beats_ = 0;
};

/// Buffers of `requests` requests with random bytes in every register that a step binds.
std::vector<RequestBuffers> RandomBuffers(const Program& program, const OverlayStep& step, size_t requests,
                                          uint64_t seed);
/// The same launch for the simulator.
std::vector<simulator::LaunchRequest> SimulatorRequests(std::vector<RequestBuffers>& buffers);

}  // namespace xrun::test

#endif  // XRUN_TESTS_OVERLAY_HW_LAUNCH_IMAGE_H_
