#include "tools/common/format.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace xrun::tools {
namespace {

// Three significant digits of a number from 1 to below 1000 (999.5 and above is the caller's: it becomes "1000").
std::string ThreeDigits(double value) {
  const double magnitude = std::fabs(value);
  const int decimals = magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0;
  char text[48];
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return text;
}

std::string TwoUnits(int64_t large, const char* large_unit, int64_t small, const char* small_unit) {
  char text[64];
  std::snprintf(text, sizeof(text), "%lld %s %02lld %s", static_cast<long long>(large), large_unit,
                static_cast<long long>(small), small_unit);
  return text;
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return ThreeDigits(value) + " " + kUnits[unit];
}

std::string FormatDuration(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  if (seconds < 0) return std::string("-").append(FormatDuration(-seconds));
  if (seconds == 0) return "0 s";
  if (seconds >= 3599.5) {
    const auto minutes = static_cast<int64_t>(std::llround(seconds / 60));
    return TwoUnits(minutes / 60, "h", minutes % 60, "min");
  }
  if (seconds >= 99.95) {
    const auto whole = static_cast<int64_t>(std::llround(seconds));
    return TwoUnits(whole / 60, "min", whole % 60, "s");
  }
  constexpr std::array kUnits = {"s", "ms", "us", "ns"};
  size_t unit = 0;
  while (seconds < 0.9995 && unit + 1 < kUnits.size()) {
    seconds *= 1000;
    ++unit;
  }
  return ThreeDigits(seconds) + " " + kUnits[unit];
}

std::string FormatSi(double value, std::string_view unit) {
  if (!std::isfinite(value)) return "unknown";
  constexpr std::array kPrefixes = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  double scaled = value;
  while (std::fabs(scaled) >= 999.5 && prefix + 1 < kPrefixes.size()) {
    scaled /= 1000;
    ++prefix;
  }
  const bool whole = prefix == 0 && scaled == std::floor(scaled);
  std::string text = whole ? std::to_string(static_cast<int64_t>(scaled)) : ThreeDigits(scaled);
  return text + " " + kPrefixes[prefix] + std::string(unit);
}

std::string FormatPercent(double fraction, int decimals) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.*f %%", decimals, fraction * 100);
  return text;
}

std::string FormatCount(int64_t count) {
  std::string text = std::to_string(count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t at = text.size(); at > first + 3;) text.insert(at -= 3, 1, ',');
  return text;
}

}  // namespace xrun::tools
