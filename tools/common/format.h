#ifndef XRUN_TOOLS_COMMON_FORMAT_H_
#define XRUN_TOOLS_COMMON_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace xrun::tools {

/// Numbers as people read them: three significant digits, a unit, a space between.
std::string FormatBytes(uint64_t bytes);     ///< "0 B", "999 B", "1.50 KiB", "3.20 MiB"
std::string FormatDuration(double seconds);  ///< "820 ns", "1.23 ms", "12.3 s", "2 min 05 s", "1 h 02 min"
std::string FormatSi(double value, std::string_view unit);     ///< "1.21 GMAC/s", "320 images/s", "4.10 MMAC"
std::string FormatPercent(double fraction, int decimals = 2);  ///< 0.9123 -> "91.23 %"
std::string FormatCount(int64_t count);                        ///< "10,000"

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_COMMON_FORMAT_H_
