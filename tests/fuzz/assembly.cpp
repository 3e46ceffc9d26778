// The text of a program's streams. What assembles prints as text that assembles to the same bits.
#include "isa/assembly.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xrun;
  const auto streams = AssembleProgram(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!streams.ok()) {
    fuzz::Require(!streams.failure().message.empty(), "a refusal has a reason");
    return 0;
  }
  const auto again = AssembleProgram(DisassembleProgram(*streams));
  fuzz::Require(again.ok() && *again == *streams, "disassembled text assembles to the same bits");
  return 0;
}
