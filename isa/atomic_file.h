#ifndef XRUN_ISA_ATOMIC_FILE_H_
#define XRUN_ISA_ATOMIC_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "isa/result.h"

namespace xrun {

/// A file that appears under its name complete or not at all. Bytes go to a file without a name in the same directory,
/// which Commit() flushes to the disk and gives its name, by way of a temporary name and a rename where it replaces a
/// file; whatever ends the process before leaves nothing behind. File systems without nameless files (O_TMPFILE) get
/// the temporary name from the start: without Commit() it is removed on destruction, and by RemoveTemporaries() when a
/// signal ends the process; only SIGKILL leaves it there, `.xrun-PID-N.tmp`. A symbolic link keeps pointing where it
/// points; an existing file keeps its permissions. Devices and pipes (/dev/stdout) are written directly.
class AtomicFile {
 public:
  /// `nameless` false: as where the file system has no nameless files.
  static Result<AtomicFile> Create(const std::string& path, bool nameless = true);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  /// Appends. Failures (disk full, quota) name the file and the system's reason.
  Status Write(const void* data, size_t size);
  Status Commit();

 private:
  AtomicFile() = default;
  template <typename Make>
  int TakeName(Make&& make);
  int OpenTemporary();
  int GiveName();
  std::string path_;       // as the user wrote it, for messages
  std::string target_;     // links resolved
  std::string temporary_;  // empty while the file has no name, and when written directly
  void* registration_ = nullptr;
  bool nameless_ = false;  // given its name by Commit()
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
