#ifndef XRUN_ISA_ATOMIC_FILE_H_
#define XRUN_ISA_ATOMIC_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "isa/result.h"

namespace xrun {

/// A file that appears under its name complete or not at all: bytes go to a temporary file in the same directory, which
/// Commit() flushes to the disk and renames. Without Commit() the temporary is removed on destruction, and by
/// RemoveTemporaries() when a signal ends the process. A symbolic link keeps pointing where it points; an existing file
/// keeps its permissions. Devices and pipes (/dev/stdout) are written directly, as there is nothing to rename. Only a
/// process that is killed outright (SIGKILL) while it writes leaves its temporary, `.xrun-PID-N.tmp`, behind.
class AtomicFile {
 public:
  static Result<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  /// Appends. Failures (disk full, quota) name the file and the system's reason.
  Status Write(const void* data, size_t size);
  Status Commit();

 private:
  AtomicFile() = default;
  std::string path_;       // as the user wrote it, for messages
  std::string target_;     // links resolved
  std::string temporary_;  // empty when written directly
  void* registration_ = nullptr;
  int fd_ = -1;
  uint64_t written_ = 0;
};

/// Create, Write and Commit in one.
Status WriteFileAtomically(const std::string& path, std::span<const uint8_t> bytes);
Status WriteFileAtomically(const std::string& path, std::string_view text);

/// Unlinks the temporary files of every AtomicFile in flight. Async-signal-safe: meant for handlers of SIGINT and
/// SIGTERM that end the process.
void RemoveTemporaries() noexcept;

}  // namespace xrun

#endif  // XRUN_ISA_ATOMIC_FILE_H_
