#ifndef XRUN_OVERLAY_HW_CONFIG_H_
#define XRUN_OVERLAY_HW_CONFIG_H_

// The configuration this translation unit is compiled for, -DXRUN_HW_CONFIG=B4096, as constants. Everything of the
// overlay stands in namespace xrun::hw::<configuration>, so that several can be linked into one program.
// C++14; includes <cstdint> and isa/isa.h only.

#include <cstdint>

#include "isa/isa.h"

#ifndef XRUN_HW_CONFIG
#error "compile with -DXRUN_HW_CONFIG=<a name of overlay_hw/configs.def>"
#endif

// Another file of configurations that has it; the built-in ones and the small ones of tests otherwise.
#ifndef XRUN_HW_CONFIGS_DEF
#define XRUN_HW_CONFIGS_DEF "overlay_hw/configs.def"
#endif

#define XRUN_HW_STRING_(x) #x
#define XRUN_HW_STRING(x) XRUN_HW_STRING_(x)

namespace xrun {
namespace hw {

/// The fields of isa/hardware_config.h, in its order.
struct Configuration {
  const char* name;
  uint64_t fingerprint;
  uint32_t pixels, channels, activation_rows, weight_rows, partial_entries, vector_rows, vector_partial_entries,
      requant_lanes, vector_pixels, clock_mhz, dram_ports, dram_port_bytes, dram_efficiency, dram_burst_bytes,
      dram_outstanding, dram_read_latency, dram_write_response, decode_cycles, token_cycles, launch_cycles;
};

namespace configurations {
#define XRUN_HW_CONFIGURATION(name, ...) constexpr Configuration name = {#name, __VA_ARGS__};
#include XRUN_HW_CONFIGS_DEF
#undef XRUN_HW_CONFIGURATION
}  // namespace configurations

constexpr uint32_t DivideUp(uint32_t a, uint32_t b) { return (a + b - 1) / b; }
constexpr uint32_t PowerOfTwoFrom(uint32_t v) { return v <= 1 ? 1 : 2 * PowerOfTwoFrom((v + 1) / 2); }
constexpr uint32_t Log2(uint32_t v) { return v <= 1 ? 0 : 1 + Log2(v / 2); }
/// The largest divisor of `bytes` that is at most `most`.
constexpr uint32_t PartOf(uint32_t bytes, uint32_t most) { return bytes % most == 0 ? most : PartOf(bytes, most - 1); }

namespace XRUN_HW_CONFIG {

constexpr Configuration kConfig = configurations::XRUN_HW_CONFIG;

constexpr uint32_t kPP = kConfig.pixels, kCP = kConfig.channels, kVP = kConfig.vector_pixels;
constexpr uint32_t kSlots = 8;
constexpr uint32_t kBanks = PowerOfTwoFrom(2 * kPP) < kSlots ? kSlots : PowerOfTwoFrom(2 * kPP);
constexpr uint32_t kLineWords = kBanks / kSlots, kLineShift = Log2(kLineWords), kBankShift = Log2(kBanks);
constexpr uint32_t kActivationRows = kConfig.activation_rows, kActivationWords = kBanks * kActivationRows;
constexpr uint32_t kActivationLines = kActivationWords / kLineWords;
constexpr uint32_t kWeightRows = kConfig.weight_rows, kWeightRowBytes = kCP * kCP;
constexpr uint32_t kPartialEntries = kConfig.partial_entries;
constexpr uint32_t kVectorRows = kConfig.vector_rows, kVectorPartialEntries = kConfig.vector_partial_entries;
constexpr uint32_t kRequantPixels = kConfig.requant_lanes / kCP;  ///< pixels the Conv output stage finishes a cycle
constexpr uint32_t kRecordBytes = 16, kTableEntries = 256;
constexpr uint32_t kRecordRows = DivideUp(kRecordBytes, kCP);              ///< ring rows of a group's records
constexpr uint32_t kTableRows = DivideUp(kTableEntries, kWeightRowBytes);  ///< ring rows of a table
constexpr uint32_t kVectorTableRows = DivideUp(kTableEntries, kCP);        ///< vector memory rows of a table
constexpr uint32_t kDramPorts = kConfig.dram_ports, kDramBurstBytes = kConfig.dram_burst_bytes,
                   kDramOutstanding = kConfig.dram_outstanding;
/// A beat of an engine's DRAM port: one of each port of the kernel, so that a single engine can have them all busy.
constexpr uint32_t kBusBytes = kDramPorts * kConfig.dram_port_bytes, kBusBits = 8 * kBusBytes;

/// Internal words are banked into parts of at most 64 bits: a word of CP bytes is kParts parts of kPartBytes bytes.
constexpr uint32_t kPartBytes = PartOf(kCP, 8), kPartBits = 8 * kPartBytes, kParts = kCP / kPartBytes;

static_assert(kActivationWords <= (1U << 18), "activation addresses have 18 bits");
static_assert((kActivationRows & (kActivationRows - 1)) == 0, "rows of a bank are a power of two");
static_assert((kWeightRows & (kWeightRows - 1)) == 0, "ring rows wrap by masking");
static_assert(kConfig.requant_lanes % kCP == 0 && kRequantPixels <= kLineWords,
              "results of a cycle fit the write slot");
static_assert((kBusBytes & (kBusBytes - 1)) == 0 && kBusBytes >= 8 && kBusBytes <= 128,
              "a bus is 64 to 1024 bits wide");
static_assert(kDramPorts <= 2 && kDramBurstBytes >= kBusBytes, "readers and writers cut bursts between beats");

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CONFIG_H_
