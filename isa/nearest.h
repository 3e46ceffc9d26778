#ifndef XRUN_ISA_NEAREST_H_
#define XRUN_ISA_NEAREST_H_

#include <string>
#include <string_view>
#include <vector>

namespace xrun {

/// The word of `known` with the smallest edit distance to `name`, the first of several; empty if `known` is. For
/// "did you mean".
std::string Nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace xrun

#endif  // XRUN_ISA_NEAREST_H_
