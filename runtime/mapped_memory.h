#ifndef XRUN_RUNTIME_MAPPED_MEMORY_H_
#define XRUN_RUNTIME_MAPPED_MEMORY_H_

#include <cstdint>
#include <memory>
#include <span>

#include "isa/result.h"

namespace xrun::runtime {

/// Memory behind a file descriptor that can be handed to other drivers and processes: a memfd of our own, or another's
/// dma-buf, mapped shared.
class MappedMemory {
 public:
  /// Zeroed.
  static Result<std::unique_ptr<MappedMemory>> Create(uint64_t bytes);
  /// The first `bytes` bytes of `fd`, which stays the caller's. Fails when it is smaller or cannot be mapped.
  static Result<std::unique_ptr<MappedMemory>> Map(int fd, uint64_t bytes);

  MappedMemory(const MappedMemory&) = delete;
  ~MappedMemory();

  std::span<uint8_t> bytes() const { return bytes_; }  ///< aligned to 4096
  /// A new descriptor, the caller's to close.
  Result<int> Duplicate() const;

 private:
  MappedMemory(int fd, std::span<uint8_t> bytes) : fd_(fd), bytes_(bytes) {}

  int fd_;
  std::span<uint8_t> bytes_;
};

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_MAPPED_MEMORY_H_
