#include "runtime/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <system_error>

namespace xrun::io {
namespace {

std::string SystemReason(int error) { return std::generic_category().message(error); }

Failure CannotOpen(const std::string& path, int error) {
  return {path + ": cannot be opened: " + SystemReason(error), ""};
}

}  // namespace

Status MemoryStream::Read(void* to, size_t size) {
  if (size > bytes_.size()) {
    return Failure{"truncated: " + std::to_string(size) + " bytes expected, " + std::to_string(bytes_.size()) + " left",
                   ""};
  }
  if (size > 0) std::memcpy(to, bytes_.data(), size);
  bytes_ = bytes_.subspan(size);
  return {};
}

Result<FileStream> FileStream::Open(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return CannotOpen(path, errno);
  if (S_ISDIR(info.st_mode)) return Failure{path + ": is a directory, not a file", ""};
  if (!S_ISREG(info.st_mode)) return Failure{path + ": is not a regular file", "copy the data into a file first"};
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return CannotOpen(path, errno);
  return FileStream(fd, static_cast<uint64_t>(info.st_size));
}

FileStream::FileStream(FileStream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), remaining_(std::exchange(other.remaining_, 0)) {}

FileStream::~FileStream() {
  if (fd_ >= 0) close(fd_);
}

Status FileStream::Read(void* to, size_t size) {
  auto* out = static_cast<uint8_t*>(to);
  size_t done = 0;
  while (done < size) {
    const ssize_t n = read(fd_, out + done, std::min<size_t>(size - done, 1U << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failure{"cannot be read: " + SystemReason(errno), ""};
    if (n == 0) {
      return Failure{"truncated: " + std::to_string(size) + " bytes expected, " + std::to_string(done) + " left", ""};
    }
    done += static_cast<size_t>(n);
  }
  remaining_ -= std::min<uint64_t>(remaining_, size);
  return {};
}

Result<std::vector<uint8_t>> ReadFile(const std::string& path, uint64_t limit) {
  XRUN_ASSIGN_OR_RETURN(FileStream file, FileStream::Open(path));
  if (file.remaining() > limit) {
    return Failure{path + ": " + std::to_string(file.remaining()) + " bytes are more than the limit of " +
                       std::to_string(limit) + " for this kind of file",
                   ""};
  }
  std::vector<uint8_t> bytes;
  try {
    bytes.resize(file.remaining());
  } catch (const std::exception&) {  // bad_alloc or length_error
    return Failure{path + ": not enough memory for its " + std::to_string(file.remaining()) + " bytes", ""};
  }
  if (auto status = file.Read(bytes.data(), bytes.size()); !status.ok()) return std::move(status).failure().In(path);
  return bytes;
}

}  // namespace xrun::io
