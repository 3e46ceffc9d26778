// Quantized operators on the CPU: what a program file may say of their integers, and Resize by hand. That they give the
// overlay's bytes is the differential tests' matter.
#include <gtest/gtest.h>

#include <functional>

#include "isa/result.h"
#include "runtime/cpu/integer.h"

namespace xrun::cpu {
namespace {

/// Resize of one plane 1 x 2 to 1 x 4, linear, half-pixel: weights are quarters.
class CpuIntegerResize : public ::testing::Test {
 protected:
  CpuIntegerResize() {
    attrs_.mode = ResizeMode::kLinear;
    attrs_.scales = {1, 1, 1, 2};
    form_.in_zero = {0};
    form_.counts = {1, 4};
    form_.multiplier = {1 << 23};
    form_.shift = {25};  // a quarter
  }

  Status Run() {
    const Attributes attrs = attrs_;
    Tensor in[1] = {{DType::kInt8, in_shape_, in_}};
    Tensor out[1] = {{DType::kInt8, out_shape_, out_}};
    OpCall call;
    call.op = Op::kResize;
    call.attrs = &attrs;
    call.inputs = in;
    call.outputs = out;
    call.integer = &form_;
    XRUN_RETURN_IF_ERROR(CheckOp(call));
    Workers workers(2);
    RunOp(call, {}, workers);
    return {};
  }

  ResizeAttrs attrs_;
  IntegerForm form_;
  std::vector<int64_t> in_shape_{1, 1, 1, 2}, out_shape_{1, 1, 1, 4};
  int8_t in_[2] = {10, 16};
  int8_t out_[4] = {};
};

TEST_F(CpuIntegerResize, RoundsOnceHalvesToEven) {
  ASSERT_TRUE(Run().ok());
  // 10, 11.5, 14.5, 16
  EXPECT_EQ(std::vector<int>(out_, out_ + 4), (std::vector<int>{10, 12, 14, 16}));
}

TEST_F(CpuIntegerResize, RefusesWhatNoCompilerWrites) {
  const IntegerForm good = form_;
  const std::function<void(IntegerForm&)> changes[] = {
      [](IntegerForm& f) { f.counts.clear(); },
      [](IntegerForm& f) { f.counts = {4}; },
      [](IntegerForm& f) {
        f.counts = {1, 0};
      },
      [](IntegerForm& f) {
        f.counts = {-1, 4};
      },
      [](IntegerForm& f) {
        f.counts = {1, int64_t{1} << 40};
      },
      [](IntegerForm& f) { f.multiplier.clear(); },
      [](IntegerForm& f) { f.multiplier = {1 << 24}; },
      [](IntegerForm& f) { f.shift = {64}; },
      [](IntegerForm& f) { f.in_zero.clear(); },
      [](IntegerForm& f) { f.in_zero = {128}; },
      [](IntegerForm& f) { f.table.assign(256, 0); },
      [](IntegerForm& f) { std::swap(f.lo, f.hi); },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    form_ = good;
    changes[i](form_);
    EXPECT_FALSE(Run().ok()) << "change " << i;
  }
  form_ = good;
  attrs_.mode = ResizeMode::kCubic;
  EXPECT_FALSE(Run().ok());
  attrs_.mode = ResizeMode::kLinear;
  attrs_.scales = {2, 1, 1, 1};
  in_shape_ = {1, 1, 1, 2};
  out_shape_ = {2, 1, 1, 2};
  EXPECT_FALSE(Run().ok()) << "more samples";
}

}  // namespace
}  // namespace xrun::cpu
