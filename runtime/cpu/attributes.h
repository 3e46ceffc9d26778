#ifndef XRUN_RUNTIME_CPU_ATTRIBUTES_H_
#define XRUN_RUNTIME_CPU_ATTRIBUTES_H_

#include <optional>
#include <string_view>
#include <vector>

#include "isa/program.h"
#include "isa/result.h"
#include "runtime/cpu/integer.h"
#include "runtime/cpu/op.h"

namespace xrun {

/// A CPU operator as a program file carries it: name, and attributes as named lists of numbers. The two functions are
/// each other's reverse.
std::vector<CpuAttribute> AttributesToFile(const Attributes& attributes, const std::optional<Clamp>& clamp,
                                           const IntegerForm* integer = nullptr);

struct OpFromFile {
  Op op = Op::kReshape;
  Attributes attributes;
  std::optional<Clamp> clamp;
  std::optional<IntegerForm> integer;
};

/// Unknown operator or attribute, a missing one, a wrong number of values, a value that is not a whole number where one
/// is needed, or one beyond 2^31: a failure that says which.
Result<OpFromFile> OpFromStep(const CpuStep& step);

}  // namespace xrun

#endif  // XRUN_RUNTIME_CPU_ATTRIBUTES_H_
