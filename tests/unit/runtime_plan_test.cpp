#include <gtest/gtest.h>

#include "runtime/plan.h"
#include "tests/unit/runtime_test_program.h"

namespace xrun::runtime {
namespace {

std::shared_ptr<const Plan> PlanOf(Program program) {
  auto plan = MakePlan(std::make_shared<const Program>(std::move(program)));
  EXPECT_TRUE(plan.ok()) << plan.failure().ToString();
  return *plan;
}

TEST(Plan, TensorsBetweenOverlayStepsStayInTheOverlaysLayout) {
  const auto plan = PlanOf(test::MixedProgram());
  EXPECT_TRUE(plan->tensors[0].on_host);
  EXPECT_FALSE(plan->tensors[1].on_host) << "mid is nobody's but the overlay's";
  EXPECT_EQ(plan->overlay[0].pack.size(), 1U);
  EXPECT_TRUE(plan->overlay[0].unpack.empty());
  EXPECT_TRUE(plan->overlay[1].pack.empty());
  EXPECT_EQ(plan->overlay[1].unpack.size(), 1U);
  EXPECT_EQ(plan->overlay[0].registers[kBaseOutput0].offset, plan->overlay[1].registers[kBaseInput0].offset);
  EXPECT_EQ(plan->packed.size(), 3U);
}

TEST(Plan, AnIntermediateTensorThatIsAnOutputIsUnpacked) {
  Program program = test::MixedProgram();
  program.outputs.push_back(1);
  const auto plan = PlanOf(std::move(program));
  EXPECT_TRUE(plan->tensors[1].on_host);
  EXPECT_EQ(plan->overlay[0].unpack.size(), 1U);
  EXPECT_TRUE(plan->overlay[1].pack.empty());
}

TEST(Plan, HostMemoryIsSharedByTensorsThatDoNotMeet) {
  // A chain of unary steps on the CPU: only two of the inner tensors are alive at a time.
  Program p = test::EmptyProgram();
  constexpr int kSteps = 9;
  for (int i = 0; i <= kSteps; ++i) {
    p.tensors.push_back({"t" + std::to_string(i), ElementType::kFloat32, {1, 1000}, 0.0F, 0});
  }
  p.inputs = {0};
  p.outputs = {kSteps};
  p.nodes = {{"abs", "Abs", "cpu", "", 0}};
  for (int i = 0; i < kSteps; ++i) {
    p.cpu_steps.push_back(test::CpuStepOf(Op::kUnary, UnaryAttrs{{{UnaryKind::kAbs, 0, 0}}}, {i}, {i + 1}, 0));
    p.steps.push_back({Step::Kind::kCpu, static_cast<uint32_t>(i)});
  }
  const auto plan = PlanOf(std::move(p));
  EXPECT_LE(plan->host_bytes, 4 * 4032U);
  const auto disjoint = [&](size_t a, size_t b) {
    const auto &x = plan->tensors[a], &y = plan->tensors[b];
    return x.host_offset + x.bytes <= y.host_offset || y.host_offset + y.bytes <= x.host_offset;
  };
  for (size_t i = 0; i < kSteps; ++i) {
    EXPECT_TRUE(disjoint(i, i + 1)) << i;
    EXPECT_TRUE(i == 0 || disjoint(0, i)) << "the input keeps its contents";
    EXPECT_TRUE(disjoint(i, kSteps)) << "the output is the caller's";
    EXPECT_EQ(plan->tensors[i].host_offset % 64, 0U);
  }
}

TEST(Plan, ACpuStepThatCannotRunIsNamed) {
  Program p = test::MixedProgram();
  p.tensors[4].shape = {1, 12, 4, 5};
  auto plan = MakePlan(std::make_shared<const Program>(std::move(p)));
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(plan.failure().message.find("node 'softmax' (Softmax)"), std::string::npos) << plan.failure().message;
}

}  // namespace
}  // namespace xrun::runtime
