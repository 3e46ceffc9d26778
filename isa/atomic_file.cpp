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

/// With its slash; empty for the working directory.
std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::string DescriptorPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

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

Result<AtomicFile> AtomicFile::Create(const std::string& path, bool nameless) {
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
  const std::string directory = DirectoryOf(file.target_);
  int error = 0;
  if (nameless) file.fd_ = open(directory.empty() ? "." : directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  file.nameless_ = file.fd_ >= 0 && access(DescriptorPath(file.fd_).c_str(), F_OK) == 0;
  if (!file.nameless_) {
    if (file.fd_ >= 0) close(file.fd_);
    error = file.OpenTemporary();
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

/// Takes a free temporary name in the target's directory, by `make` (0 or an errno); the name is registered first.
template <typename Make>
int AtomicFile::TakeName(Make&& make) {
  static std::atomic<uint32_t> counter{0};
  int error = EEXIST;
  for (int attempt = 0; attempt < 100 && error == EEXIST; ++attempt) {
    // Short and independent of the target's name, which may already be as long as the file system allows.
    temporary_ = DirectoryOf(target_) + ".xrun-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".tmp";
    registration_ = Register(temporary_);
    error = make(temporary_.c_str());
    if (error != 0) {
      Unregister(std::exchange(registration_, nullptr));
      temporary_.clear();
    }
  }
  return error;
}

int AtomicFile::OpenTemporary() {
  return TakeName([this](const char* name) {
    fd_ = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return fd_ < 0 ? errno : 0;
  });
}

/// A nameless file gets its name: the target's if that is free, else a temporary one to be renamed.
int AtomicFile::GiveName() {
  const std::string descriptor = DescriptorPath(fd_);
  const auto link = [&](const char* name) {
    return linkat(AT_FDCWD, descriptor.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW) != 0 ? errno : 0;
  };
  const int error = link(target_.c_str());
  return error == EEXIST ? TakeName(link) : error;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      registration_(std::exchange(other.registration_, nullptr)),
      nameless_(other.nameless_),
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
      return Failure{
          path_ + ": writing failed after " + std::to_string(written_) +
              " bytes: " + SystemReason(n < 0 ? errno : ENOSPC),
          temporary_.empty() && !nameless_ ? "" : "nothing was left behind; an older file of this name is unchanged"};
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
  const bool direct = temporary_.empty() && !nameless_;
  bool failed = !direct && fsync(fd_) != 0 && errno != EINVAL;  // EINVAL: nothing to flush there
  int error = errno;
  if (!failed && nameless_) {
    error = GiveName();
    failed = error != 0;
  }
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
