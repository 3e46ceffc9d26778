#ifndef XRUN_ISA_ATOMIC_FILE_H_
#define XRUN_ISA_ATOMIC_FILE_H_

#include <cstdint>
#include <filesystem>
#include <span>

#include "isa/result.h"

namespace xrun {

/// Writes a file so that `path` holds either all of `bytes` or what it held before: the data go to an unnamed file (or,
/// where the file system has none, a temporary one beside `path`) that takes the name when complete and synced. A
/// failure names the path and the system's reason; nothing is left behind, also when the process is killed while it
/// writes. A path that is a device or a pipe (/dev/stdout, /dev/full) is written to as it is.
Status WriteFileAtomically(const std::filesystem::path& path, std::span<const uint8_t> bytes);

}  // namespace xrun

#endif  // XRUN_ISA_ATOMIC_FILE_H_
