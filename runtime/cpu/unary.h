#ifndef XRUN_RUNTIME_CPU_UNARY_H_
#define XRUN_RUNTIME_CPU_UNARY_H_

#include <array>
#include <cstdint>
#include <span>

#include "runtime/cpu/op.h"

namespace xrun {

/// f(x) in IEEE double, the formula of isa/README.md section 6.
double EvaluateUnary(const UnaryFunction& function, double x);

/// The functions applied first to last, double between them.
double EvaluateChain(std::span<const UnaryFunction> chain, double x);

/// The table of a quantized unary chain: entry q + 128 is saturate(zy + rhe(f(double(sx)·(q − zx)) / double(sy))).
/// A result that is not a number becomes zy.
std::array<int8_t, 256> UnaryTable(std::span<const UnaryFunction> chain, float input_scale, int32_t input_zero,
                                   float output_scale, int32_t output_zero);

}  // namespace xrun

#endif  // XRUN_RUNTIME_CPU_UNARY_H_
