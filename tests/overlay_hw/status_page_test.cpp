// The status page's head as control writes it: the simulator's bytes, in about the time that its beats take.

#include "overlay_hw/status_page.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "isa/hardware_config.h"
#include "simulator/status_page.h"

namespace xrun::hw::XRUN_HW_CONFIG {
namespace {

TEST(StatusHead, IsOneRunOfBeats) {
  const HardwareConfig config = *FindConfig(kConfig.name);
  constexpr uint64_t kAt = 0x10000;
  for (const bool running : {false, true}) {
    std::vector<uint8_t> page(launch::kStatusPageBytes, 0xFF), expected(page.size());
    csim::Dram memory;
    memory.AddRegion(kAt, page.data(), page.size());
    std::array<csim::DramMaster, kDramPorts> masters;
    for (uint32_t i = 0; i < kDramPorts; ++i) masters[i].Join(memory, i, kDramPorts, kDramBurstBytes);
    csim::DramWriter writer;
    writer.Join(masters, kDramBurstBytes, kBusBytes, 2);
    // A port takes as many cycles for an engine's beat as there are ports.
    writer.set_pace({config.dram_write_response, kDramPorts});
    csim::Counts().iteration = 0;
    DramWritePort port = &writer;
    WriteStatusHead(port, kAt, running);

    simulator::WriteStatusHead(expected, config);
    if (running) launch::Put<uint32_t>(expected, launch::kStatusState, static_cast<uint32_t>(launch::State::kRunning));
    EXPECT_EQ(page, expected);
    EXPECT_EQ(writer.under_way(), 0U);
    const uint64_t beats = launch::kStatusPageBytes / kBusBytes;
    EXPECT_EQ(memory.beats_written, beats);
    EXPECT_GE(csim::Counts().iteration, beats);
    // The last burst goes out at its port's pace, half of control's.
    const uint64_t burst = kDramBurstBytes / kBusBytes;
    EXPECT_LE(csim::Counts().iteration, beats + burst + config.dram_write_response + 4);
  }
}

}  // namespace
}  // namespace xrun::hw::XRUN_HW_CONFIG
