#ifndef XRUN_TESTS_UNIT_RUNTIME_TEST_PROGRAM_H_
#define XRUN_TESTS_UNIT_RUNTIME_TEST_PROGRAM_H_

// Small programs for the runtime's tests, for the insides of libxrun (isa/program.h's Program).

#include <memory>
#include <stdexcept>
#include <string>

#include "isa/program.h"
#include "runtime/cpu/attributes.h"

namespace xrun::test {

/// B512 (words of 8 channels): q = max(q, 0) of 12 channels in two groups of 4 x 4, from register 2 to register 8.
inline constexpr const char* kReluStreams = R"(
.stream load body
Load wait=vector signal=vector base=2 planes=2 rows=1 cols=16 plane_stride=128 addr=0 plane_pitch=16
.stream vector prologue
Sync signal=load
.stream vector body
Elementwise wait=load,save signal=load,save kind=0 planes=2 rows=1 cols=16 a=0 a_plane_pitch=16 dst=64 dst_plane_pitch=16 clamp_lo=0 clamp_hi=127
.stream save prologue
Sync signal=vector
.stream save body
Save wait=vector signal=vector base=8 planes=2 rows=1 cols=16 plane_stride=128 addr=64 plane_pitch=16
)";

inline constexpr int64_t kReluElements = 12 * 4 * 4;

inline OverlayStep ReluStep(Program& program, uint32_t input, uint32_t output, uint32_t node) {
  auto assembled = AssembleProgram(kReluStreams);
  if (!assembled.ok()) throw std::runtime_error(assembled.failure().ToString());
  auto words = std::make_shared<Streams>(*std::move(assembled));
  program.storage.push_back(words);
  OverlayStep step;
  for (size_t e = 0; e < kEngines; ++e) {
    step.prologue[e] = words->engines[e].prologue;
    step.body[e] = words->engines[e].body;
  }
  const BufferLayout layout{1, 12, 4, 4, 2, {}};
  step.inputs = {{input, kBaseInput0, layout}};
  step.outputs = {{output, kBaseOutput0, layout}};
  step.ranges = {{node, kVector, 0, 1}};
  return step;
}

inline TensorDesc Int8Tensor(const std::string& name, float scale, int32_t zero_point) {
  return {name, ElementType::kInt8, {1, 12, 4, 4}, scale, zero_point};
}

inline Program EmptyProgram() {
  Program p;
  p.model_name = "relu";
  p.config = BuiltInConfigs().front();
  p.capabilities = 1;
  return p;
}

/// x (int8, scale 0.5, zero point 0) → overlay: max(q, 0) → y (int8, scale 0.25).
inline Program ReluProgram() {
  Program p = EmptyProgram();
  p.tensors = {Int8Tensor("x", 0.5F, 0), Int8Tensor("y", 0.25F, 0)};
  p.inputs = {0};
  p.outputs = {1};
  p.nodes = {{"relu_0", "Relu", "overlay", "", 0}};
  p.overlay_steps.push_back(ReluStep(p, 0, 1, 0));
  p.steps = {{Step::Kind::kOverlay, 0}};
  return p;
}

inline CpuStep CpuStepOf(Op op, const Attributes& attributes, std::vector<int32_t> in, std::vector<int32_t> out,
                         uint32_t node) {
  CpuStep step;
  step.op = std::string(Name(op));
  step.attributes = AttributesToFile(attributes, {});
  step.inputs = std::move(in);
  step.outputs = std::move(out);
  step.node = node;
  return step;
}

/// As ReluProgram, twice in a row on the overlay, then float on the CPU: softmax over channels of y · 0.25; outputs
/// "p" (float) and "y".
inline Program MixedProgram() {
  Program p = EmptyProgram();
  p.tensors = {Int8Tensor("x", 0.5F, 0),
               Int8Tensor("mid", 0.25F, 0),
               Int8Tensor("y", 0.25F, 0),
               {"real", ElementType::kFloat32, {1, 12, 4, 4}, 0.0F, 0},
               {"p", ElementType::kFloat32, {1, 12, 4, 4}, 0.0F, 0}};
  p.inputs = {0};
  p.outputs = {4, 2};
  p.nodes = {{"relu_0", "Relu", "overlay", "", 0},
             {"relu_1", "Relu", "overlay", "", 0},
             {"dequantize", "Dequantize", "cpu", "", 0},
             {"softmax", "Softmax", "cpu", "", 0}};
  p.overlay_steps.push_back(ReluStep(p, 0, 1, 0));
  p.overlay_steps.push_back(ReluStep(p, 1, 2, 1));
  p.cpu_steps.push_back(CpuStepOf(Op::kDequantize, NoAttrs{}, {2}, {3}, 2));
  p.cpu_steps.push_back(CpuStepOf(Op::kSoftmax, AxisAttrs{1}, {3}, {4}, 3));
  p.steps = {{Step::Kind::kOverlay, 0}, {Step::Kind::kOverlay, 1}, {Step::Kind::kCpu, 0}, {Step::Kind::kCpu, 1}};
  return p;
}

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_RUNTIME_TEST_PROGRAM_H_
