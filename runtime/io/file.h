#ifndef XRUN_RUNTIME_IO_FILE_H_
#define XRUN_RUNTIME_IO_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
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

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_FILE_H_
