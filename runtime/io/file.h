#ifndef XRUN_RUNTIME_IO_FILE_H_
#define XRUN_RUNTIME_IO_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isa/result.h"

namespace xrun::io {

/// Bytes read from first to last, whose number is known beforehand. Parsers of hostile data take one of these, so that
/// the same code reads files, zip entries and the buffers of tests.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Bytes left. Comes from a directory or a file system: what arrives can still be less, and Read() says so.
  virtual uint64_t remaining() const = 0;
  /// Exactly `size` bytes, or a failure that says how many there were.
  virtual Status Read(void* to, size_t size) = 0;
};

class MemoryStream final : public ByteStream {
 public:
  /// `bytes` must outlive the stream.
  explicit MemoryStream(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  uint64_t remaining() const override { return bytes_.size(); }
  Status Read(void* to, size_t size) override;

 private:
  std::span<const uint8_t> bytes_;
};

/// A regular file opened for reading.
class FileStream final : public ByteStream {
 public:
  /// Refuses what is absent, unreadable, or not a regular file (a pipe has no size to check against).
  static Result<FileStream> Open(const std::string& path);
  FileStream(FileStream&& other) noexcept;
  FileStream& operator=(FileStream&&) = delete;
  ~FileStream() override;
  uint64_t remaining() const override { return remaining_; }
  Status Read(void* to, size_t size) override;

 private:
  FileStream(int fd, uint64_t size) : fd_(fd), remaining_(size) {}
  int fd_;
  uint64_t remaining_;
};

/// The whole of a regular file. Refused, naming the file, when it is larger than `limit` bytes.
Result<std::vector<uint8_t>> ReadFile(const std::string& path, uint64_t limit = uint64_t{1} << 40);

/// A file that appears under its name complete or not at all: bytes go to a temporary file in the same directory, which
/// Commit() flushes to the disk and renames. Without Commit() the temporary is removed on destruction, and by
/// RemoveTemporaries() when a signal ends the process. A symbolic link keeps pointing where it points; an existing file
/// keeps its permissions. Devices and pipes (/dev/stdout) are written directly, as there is nothing to rename.
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

Status WriteFileAtomic(const std::string& path, std::span<const uint8_t> bytes);
Status WriteFileAtomic(const std::string& path, std::string_view text);

/// Unlinks the temporary files of every AtomicFile in flight. Async-signal-safe: meant for handlers of SIGINT and
/// SIGTERM that end the process.
void RemoveTemporaries() noexcept;

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_FILE_H_
