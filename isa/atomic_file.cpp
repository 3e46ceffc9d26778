#include "isa/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

namespace xrun {
namespace {

std::string SystemReason(int error) { return std::generic_category().message(error); }

// Names of temporary files, readable from a signal handler. Nodes are never freed, so that a handler can walk the list
// at any moment; a node out of use is taken again by the next file.
struct Temporary {
  std::atomic<bool> used{false};
  std::atomic<bool> armed{false};  // `path` is complete
  char path[PATH_MAX] = {};
  Temporary* next = nullptr;
};
std::atomic<Temporary*> temporaries{nullptr};

Temporary* Register(const std::string& path) {
  if (path.size() >= PATH_MAX) return nullptr;
  Temporary* node = temporaries.load();
  for (; node != nullptr; node = node->next) {
    bool expected = false;
    if (node->used.compare_exchange_strong(expected, true)) break;
  }
  if (node == nullptr) {
    node = new Temporary;
    node->used = true;
    node->next = temporaries.load();
    while (!temporaries.compare_exchange_weak(node->next, node)) {
    }
  }
  std::memcpy(node->path, path.c_str(), path.size() + 1);
  node->armed = true;
  return node;
}

void Unregister(void* registration) {
  if (registration == nullptr) return;
  auto* node = static_cast<Temporary*>(registration);
  node->armed = false;
  node->used = false;
}

}  // namespace

void RemoveTemporaries() noexcept {
  for (Temporary* node = temporaries.load(); node != nullptr; node = node->next) {
    if (node->armed) unlink(node->path);
  }
}

Result<AtomicFile> AtomicFile::Create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  if (path.empty()) return Failure{"the name of the file to write is empty", ""};
  struct stat info {};
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return Failure{path + ": is a directory; a file name is needed", ""};
  if (exists && !S_ISREG(info.st_mode)) {
    file.fd_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.fd_ < 0) return Failure{path + ": cannot be written: " + SystemReason(errno), ""};
    return file;
  }
  if (exists && access(path.c_str(), W_OK) != 0) {
    // The rename below would succeed, but a file made read-only is meant to stay.
    return Failure{path + ": cannot be written: " + SystemReason(errno), ""};
  }
  file.target_ = path;
  if (exists) {
    if (char* resolved = realpath(path.c_str(), nullptr); resolved != nullptr) {
      file.target_ = resolved;
      free(resolved);
    }
  }
  const size_t slash = file.target_.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : file.target_.substr(0, slash + 1);
  static std::atomic<uint32_t> counter{0};
  int error = EEXIST;
  for (int attempt = 0; attempt < 100 && error == EEXIST; ++attempt) {
    // Short and independent of the target's name, which may already be as long as the file system allows.
    file.temporary_ = directory + ".xrun-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".tmp";
    file.registration_ = Register(file.temporary_);
    file.fd_ = open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    error = file.fd_ < 0 ? errno : 0;
    if (file.fd_ < 0) {
      Unregister(std::exchange(file.registration_, nullptr));
      file.temporary_.clear();
    }
  }
  if (error != 0) {
    return Failure{path + ": cannot be written: " + SystemReason(error),
                   error == ENOENT ? "the directory must exist" : ""};
  }
  if (exists && fchmod(file.fd_, info.st_mode & 07777) != 0) {
    return Failure{path + ": its permissions cannot be kept: " + SystemReason(errno), ""};
  }
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      registration_(std::exchange(other.registration_, nullptr)),
      fd_(std::exchange(other.fd_, -1)),
      written_(other.written_) {}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
  Unregister(registration_);
}

Status AtomicFile::Write(const void* data, size_t size) {
  assert(fd_ >= 0);
  const auto* from = static_cast<const uint8_t*>(data);
  while (size > 0) {
    const ssize_t n = write(fd_, from, std::min<size_t>(size, 1U << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return Failure{path_ + ": writing failed after " + std::to_string(written_) +
                         " bytes: " + SystemReason(n < 0 ? errno : ENOSPC),
                     temporary_.empty() ? "" : "nothing was left behind; an older file of this name is unchanged"};
    }
    from += n;
    size -= static_cast<size_t>(n);
    written_ += static_cast<uint64_t>(n);
  }
  return {};
}

Status AtomicFile::Commit() {
  assert(fd_ >= 0);
  // Errors of delayed allocation (quota, network file systems) surface in fsync and close.
  bool failed = !temporary_.empty() && fsync(fd_) != 0 && errno != EINVAL;  // EINVAL: nothing to flush there
  int error = errno;
  if (close(std::exchange(fd_, -1)) != 0 && !failed) {
    failed = true;
    error = errno;
  }
  if (!failed && !temporary_.empty() && rename(temporary_.c_str(), target_.c_str()) != 0) {
    failed = true;
    error = errno;
  }
  if (failed) return Failure{path_ + ": cannot be written: " + SystemReason(error), ""};
  temporary_.clear();
  Unregister(std::exchange(registration_, nullptr));
  return {};
}

Status WriteFileAtomically(const std::string& path, std::span<const uint8_t> bytes) {
  XRUN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  XRUN_RETURN_IF_ERROR(file.Write(bytes.data(), bytes.size()));
  return file.Commit();
}

Status WriteFileAtomically(const std::string& path, std::string_view text) {
  return WriteFileAtomically(path, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

}  // namespace xrun
