// The form an open HLS tool takes: plain arrays, one m_axi pointer, one function. The same networks, the same bytes.

#include <gtest/gtest.h>

#include "overlay_hw/sequential.h"
#include "tests/overlay_hw/launch.h"
#include "tests/overlay_hw/lockstep.h"
#include "tests/overlay_hw/networks.h"

extern "C" void xrun_overlay_sequential(xrun::hw::XRUN_HW_CONFIG::Beat* dram, uint64_t program, uint64_t weights,
                                        uint64_t requests, uint64_t status, uint32_t request_count);

namespace xrun::test {
namespace {

namespace overlay = hw::XRUN_HW_CONFIG;

/// The bench's DRAM is regions; this one is one array, as the tool's test bench has it.
class FlatDram {
 public:
  explicit FlatDram(size_t bytes) : beats_(bytes / overlay::kBusBytes) {}
  void Write(uint64_t at, const std::vector<uint8_t>& bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) Range(at + i) = bytes[i];
  }
  std::vector<uint8_t> Read(uint64_t at, size_t count) {
    std::vector<uint8_t> bytes(count);
    for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(static_cast<uint64_t>(Range(at + i)));
    return bytes;
  }
  overlay::Beat* data() { return beats_.data(); }

 private:
  overlay::Beat::Range Range(uint64_t at) {
    const auto bit = static_cast<int>(at % overlay::kBusBytes * 8);
    return beats_.at(at / overlay::kBusBytes).range(bit + 7, bit);
  }
  std::vector<overlay::Beat> beats_;
};

TEST(BareSequentialTop, SameBytesAsTheSimulator) {
  for (const char* model : {"fmnist_cnn", "fmnist_resnet", "fmnist_mobile"}) {
    SCOPED_TRACE(model);
    const HardwareConfig config = HardwareOf(XRUN_HW_STRING(XRUN_HW_CONFIG));
    const auto program = CompiledNetwork(model, config);
    ASSERT_TRUE(program.ok()) << program.failure().ToString();
    simulator::Machine machine(config);
    for (const OverlayStep& step : program->overlay_steps) {
      std::vector<RequestBuffers> reference = RandomBuffers(*program, step, 2, 3);
      FlatLaunch launch(*program, step, reference);
      FlatDram dram(launch.bytes());
      for (const auto& [at, bytes] : launch.parts()) dram.Write(at, bytes);
      xrun_overlay_sequential(dram.data(), launch.program(), launch.weights(), launch.requests(), launch.status(), 2);
      ASSERT_TRUE(machine.Run(*simulator::Prepare(*program, step), SimulatorRequests(reference)).ok());
      for (size_t r = 0; r < reference.size(); ++r) {
        for (size_t i = 0; i < kBaseRegisters; ++i) {
          ASSERT_EQ(dram.Read(launch.BufferAt(r, i), reference[r][i].size()), reference[r][i]) << r << ' ' << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace xrun::test
