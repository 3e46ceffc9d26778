// A model file: imported and canonicalized, or refused with a reason.
#include "compiler/import/import_onnx.h"
#include "compiler/passes/canonicalize.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xrun;
  compiler::ImportOptions options;
  options.max_constant_bytes = int64_t{16} << 20;
  auto graph = compiler::ImportOnnx(std::span(data, size), "model", options);
  if (!graph.ok()) {
    fuzz::Require(!graph.failure().message.empty(), "a refusal has a reason");
    return 0;
  }
  const Status done = compiler::Canonicalize(*graph);
  fuzz::Require(done.ok() || done.failure().message.find("internal error") == std::string::npos,
                "what imports never becomes an inconsistent graph");
  return 0;
}
