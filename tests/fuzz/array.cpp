// A .npy or .npz file, told apart by the first bytes.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "runtime/io/npy.h"
#include "tests/fuzz/target.h"

namespace {

/// libzip reads files only by name, so the bytes become a file in memory.
void LoadArchive(const uint8_t* data, size_t size) {
  const int fd = memfd_create("npz", 0);
  xrun::fuzz::Require(fd >= 0 && write(fd, data, size) == static_cast<ssize_t>(size), "the input becomes a file");
  const auto arrays = xrun::io::LoadNpz("/proc/self/fd/" + std::to_string(fd));
  close(fd);
  xrun::fuzz::Require(arrays.ok() || !arrays.failure().message.empty(), "a refusal has a reason");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xrun;
  if (size >= 2 && data[0] == 'P' && data[1] == 'K') {
    LoadArchive(data, size);
    return 0;
  }
  io::MemoryStream stream(std::span(data, size));
  const auto array = io::ParseNpy(stream);
  fuzz::Require(array.ok() || !array.failure().message.empty(), "a refusal has a reason");
  return 0;
}
