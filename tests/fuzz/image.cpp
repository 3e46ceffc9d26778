// A JPEG or PNG picture.
#include "runtime/io/image.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xrun;
  const auto image = io::DecodeImage(std::span(data, size));
  fuzz::Require(image.ok() || !image.failure().message.empty(), "a refusal has a reason");
  return 0;
}
