#include "tools/driver/tiling_flag.h"

#include <charconv>
#include <sstream>

#include "runtime/io/suggest.h"

namespace xrun::tools {

Result<compiler::TilingLimits> ParseTiling(const std::string& text) {
  compiler::TilingLimits limits;
  const struct {
    const char* name;
    uint32_t* value;
  } numbers[] = {{"rows", &limits.rows},
                 {"cols", &limits.cols},
                 {"out-groups", &limits.out_groups},
                 {"in-groups", &limits.in_groups},
                 {"kernel-rows", &limits.kernel_rows},
                 {"stagger", &limits.stagger},
                 {"share", &limits.share}};
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    if (part == "single-buffer") {
      limits.single_buffer = true;
      continue;
    }
    if (part == "no-on-chip") {
      limits.keep_on_chip = false;
      continue;
    }
    const size_t equals = part.find('=');
    const std::string name = part.substr(0, equals);
    bool known = false;
    for (const auto& number : numbers) {
      if (name != number.name) continue;
      known = true;
      const char* begin = part.data() + name.size() + 1;
      const char* end = part.data() + part.size();
      const bool valued = equals != std::string::npos && begin < end;
      const auto parsed = valued ? std::from_chars(begin, end, *number.value) : std::from_chars_result{};
      if (!valued || parsed.ec != std::errc() || parsed.ptr != end || *number.value == 0) {
        return Failure{"'" + part + "' should be " + name + "=N with N at least 1", ""};
      }
    }
    if (!known) {
      return Failure{"unknown limit '" + part + "'",
                     io::DidYouMean(name, {"rows", "cols", "out-groups", "in-groups", "kernel-rows", "stagger", "share",
                                           "single-buffer", "no-on-chip"})};
    }
  }
  return limits;
}

}  // namespace xrun::tools
