#include "isa/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>

namespace xrun {
namespace {

constexpr mode_t kMode = 0666;  // the umask takes its share

Failure SystemFailure(const std::filesystem::path& path, const char* what, int error) {
  return Failure{path.string() + ": " + what + ": " + std::system_category().message(error), ""};
}

/// An open descriptor, closed once.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }
  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Close() {
    const int result = valid() ? ::close(fd_) : 0;
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

/// A name in use until released; removed otherwise.
class TemporaryName {
 public:
  explicit TemporaryName(std::string name) : name_(std::move(name)) {}
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName() {
    if (exists_) ::unlink(name_.c_str());
  }
  void Created() { exists_ = true; }
  void Release() { exists_ = false; }
  const char* c_str() const { return name_.c_str(); }

 private:
  std::string name_;
  bool exists_ = false;
};

/// 0, or the error. What is no disk file (a pipe) has nothing to sync.
int WriteAll(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return ::fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

}  // namespace

Status WriteFileAtomically(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  if (kind == std::filesystem::file_type::directory) return Failure{path.string() + ": is a directory", ""};
  if (path.filename().empty()) return Failure{path.string() + ": not a file name", ""};
  if (kind != std::filesystem::file_type::regular && kind != std::filesystem::file_type::not_found &&
      kind != std::filesystem::file_type::none) {
    // A device or a pipe is written to, never replaced by a file of its name.
    Descriptor special(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!special.valid()) return SystemFailure(path, "cannot be opened", errno);
    if (const int error = WriteAll(special.get(), bytes); error != 0) {
      return SystemFailure(path, "cannot be written", error);
    }
    return {};
  }
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");

  static std::atomic<uint64_t> counter{0};
  TemporaryName temporary((folder / ("." + path.filename().string() + "." + std::to_string(::getpid()) + "." +
                                     std::to_string(counter.fetch_add(1)) + ".part"))
                              .string());
  int fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kMode);
  const bool unnamed = fd >= 0;
  if (!unnamed) {
    fd = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kMode);
    if (fd >= 0) temporary.Created();
  }
  Descriptor file(fd);
  if (!file.valid()) return SystemFailure(path, "cannot be created", errno);
  if (const int error = WriteAll(file.get(), bytes); error != 0) return SystemFailure(path, "cannot be written", error);
  if (unnamed) {
    const std::string self = "/proc/self/fd/" + std::to_string(file.get());
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return SystemFailure(path, "cannot be named", errno);
    }
    temporary.Created();
  }
  if (file.Close() != 0) return SystemFailure(path, "cannot be written", errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return SystemFailure(path, "cannot be replaced", errno);
  temporary.Release();
  return {};
}

}  // namespace xrun
