#include "runtime/mapped_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace xrun::runtime {
namespace {

Failure SystemFailure(const std::string& what, const char* hint) { return {what + ": " + std::strerror(errno), hint}; }

Result<std::span<uint8_t>> MapShared(int fd, uint64_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    return SystemFailure("descriptor " + std::to_string(fd) + " cannot be mapped for reading and writing",
                         "it must be a dma-buf or memfd opened read-write");
  }
  return std::span<uint8_t>(static_cast<uint8_t*>(memory), bytes);
}

}  // namespace

Result<std::unique_ptr<MappedMemory>> MappedMemory::Create(uint64_t bytes) {
  const int fd = ::memfd_create("xrun", MFD_CLOEXEC);
  if (fd < 0) return SystemFailure("no descriptor for a buffer of " + std::to_string(bytes) + " bytes", "");
  // posix_fallocate: a full memory is an error here and not a SIGBUS later.
  if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)); error != 0) {
    ::close(fd);
    return Failure{"no memory for a buffer of " + std::to_string(bytes) + " bytes: " + std::strerror(error), ""};
  }
  auto mapped = MapShared(fd, bytes);
  if (!mapped.ok()) {
    ::close(fd);
    return std::move(mapped).failure();
  }
  return std::unique_ptr<MappedMemory>(new MappedMemory(fd, *mapped));
}

Result<std::unique_ptr<MappedMemory>> MappedMemory::Map(int fd, uint64_t bytes) {
  // A dma-buf has no size in stat; its end is found by seeking, as for files.
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size < 0) return SystemFailure("descriptor " + std::to_string(fd) + " is no dma-buf", "");
  if (static_cast<uint64_t>(size) < bytes) {
    return Failure{"descriptor " + std::to_string(fd) + " holds " + std::to_string(size) + " bytes, " +
                       std::to_string(bytes) + " are asked for",
                   ""};
  }
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return SystemFailure("descriptor " + std::to_string(fd) + " cannot be duplicated", "");
  auto mapped = MapShared(copy, bytes);
  if (!mapped.ok()) {
    ::close(copy);
    return std::move(mapped).failure();
  }
  return std::unique_ptr<MappedMemory>(new MappedMemory(copy, *mapped));
}

MappedMemory::~MappedMemory() {
  ::munmap(bytes_.data(), bytes_.size());
  ::close(fd_);
}

Result<int> MappedMemory::Duplicate() const {
  const int fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return SystemFailure("the buffer's descriptor cannot be duplicated", "");
  return fd;
}

}  // namespace xrun::runtime
