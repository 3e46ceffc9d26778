#ifndef XRUN_TESTS_OVERLAY_HW_LAUNCH_H_
#define XRUN_TESTS_OVERLAY_HW_LAUNCH_H_

// A launch as the overlay sees it in DRAM: the parts that isa/launch_image.h writes, buffers and status page, each at
// its place.

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

/// The same launch in one array that begins at address 0, as an HLS tool's test bench wants it.
class FlatLaunch {
 public:
  FlatLaunch(const Program& program, const OverlayStep& step, const std::vector<RequestBuffers>& requests);
  /// What stands in DRAM before the launch, by address.
  const std::vector<std::pair<uint64_t, std::vector<uint8_t>>>& parts() const { return parts_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t program() const { return program_; }
  uint64_t weights() const { return weights_; }
  uint64_t requests() const { return requests_; }
  uint64_t status() const { return status_; }
  uint64_t BufferAt(size_t request, size_t reg) const { return buffers_[request * kBaseRegisters + reg]; }

 private:
  uint64_t Place(uint64_t bytes);
  std::vector<std::pair<uint64_t, std::vector<uint8_t>>> parts_;
  std::vector<uint64_t> buffers_;
  uint64_t bytes_ = 0, program_ = 0, weights_ = 0, requests_ = 0, status_ = 0;
};

/// Buffers of `requests` requests with random bytes in every register that a step binds.
std::vector<RequestBuffers> RandomBuffers(const Program& program, const OverlayStep& step, size_t requests,
                                          uint64_t seed);
/// The same launch for the simulator.
std::vector<simulator::LaunchRequest> SimulatorRequests(std::vector<RequestBuffers>& buffers);

}  // namespace xrun::test

#endif  // XRUN_TESTS_OVERLAY_HW_LAUNCH_H_
