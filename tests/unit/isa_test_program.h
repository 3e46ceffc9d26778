#ifndef XRUN_TESTS_UNIT_ISA_TEST_PROGRAM_H_
#define XRUN_TESTS_UNIT_ISA_TEST_PROGRAM_H_

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "isa/program.h"

namespace xrun::test {

/// B512: 4 pixels, 8 channels, 16384 activation words, ring of 2048 rows of 64 bytes.
inline const HardwareConfig& SmallConfig() { return BuiltInConfigs().front(); }

/// Input of 1 x 8 x 1 x 4 in register 2, output of the same shape in register 8, 192 bytes of weights (one 1x1 Conv
/// with its parameters) and one request after another in order: Load, Conv, Save.
inline constexpr const char* kPlainProgram = R"(
.stream load body
LoadWeights rows=3 acquire=2048
Load wait=conv signal=conv base=2 planes=1 rows=1 cols=4
.stream conv prologue
Sync signal=load
.stream conv body
Conv wait=load,save signal=load,save in_w=4 in_h=1 dst=8 dst_step=1 out_w=4 out_h=1 ic_groups=1 oc_groups=1 kernel_h=1 kernel_w=1 stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 release=2048 clamp_lo=-128 clamp_hi=127
.stream save prologue
Sync signal=conv
.stream save body
Save wait=conv signal=conv base=8 planes=1 rows=1 cols=4 addr=8
)";

/// A program of one overlay step between model input and output, both int8 of shape [1, 8, 1, 4], around `streams`. The
/// text must assemble.
inline Program MakeProgram(const std::string& text, uint64_t weight_bytes = 192, uint64_t workspace_bytes = 0) {
  auto streams = AssembleProgram(text);
  if (!streams.ok()) throw std::runtime_error(streams.failure().ToString());
  auto words = std::make_shared<Streams>(*std::move(streams));
  auto weights = std::make_shared<std::vector<uint8_t>>(weight_bytes, uint8_t{1});
  Program p;
  p.model_name = "small";
  p.config = SmallConfig();
  p.capabilities = 1;
  p.tensors = {{"x", ElementType::kInt8, {1, 8, 1, 4}, 0.5F, 3}, {"y", ElementType::kInt8, {1, 8, 1, 4}, 0.25F, -7}};
  p.inputs = {0};
  p.outputs = {1};
  p.nodes = {{"conv_0", "Conv", "overlay", "", 256}};
  OverlayStep step;
  for (size_t e = 0; e < kEngines; ++e) {
    step.prologue[e] = words->engines[e].prologue;
    step.body[e] = words->engines[e].body;
  }
  const BufferLayout layout{1, 8, 1, 4, 1, {}};
  step.inputs = {{0, kBaseInput0, layout}};
  step.outputs = {{1, kBaseOutput0, layout}};
  step.workspace_bytes = workspace_bytes;
  if (!step.body[kConv].empty()) step.ranges = {{0, kConv, 0, 1}};
  p.overlay_steps = {step};
  p.steps = {{Step::Kind::kOverlay, 0}};
  p.weights = *weights;
  p.info = {{"compiler", "test"}};
  p.storage = {words, weights};
  return p;
}

/// `text` with the first `from` replaced by `to`; throws when it is not there, so that tests cannot go stale silently.
inline std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("not in the program: " + from);
  return text.replace(at, from.size(), to);
}

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_ISA_TEST_PROGRAM_H_
