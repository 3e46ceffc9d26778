#ifndef XRUN_TESTS_STAND_IN_BOARD_XCLBIN_WRITER_H_
#define XRUN_TESTS_STAND_IN_BOARD_XCLBIN_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "isa/hardware_config.h"
#include "isa/result.h"

namespace xrun {

/// What an xclbin of the overlay says: the kernel of isa/README.md, section 7, with its registers, its units, the
/// memory banks and which of them the units reach. Without a bitstream it is one for the stand-in board; with one (from
/// Vivado's write_bitstream, or a partial image) it is what XRT loads.
struct XclbinOptions {
  HardwareConfig config;                ///< written as JSON into the section USER_METADATA
  uint32_t units = 1;                   ///< 1…32
  uint32_t banks = 1;                   ///< of memory, 1…16
  uint64_t bank_bytes = 1ULL << 30;     ///< of each bank
  std::vector<uint32_t> reached = {0};  ///< banks that every unit's gmem0 reaches
  std::string platform = "xrun_stand_in_1";
  std::vector<uint8_t> bitstream;
};

/// The file's bytes: the same options, the same bytes; the uuid is a hash of the content.
Result<std::vector<uint8_t>> BuildXclbin(const XclbinOptions& options);
Status WriteXclbin(const XclbinOptions& options, const std::filesystem::path& path);

}  // namespace xrun

#endif  // XRUN_TESTS_STAND_IN_BOARD_XCLBIN_WRITER_H_
