#include "compiler/quantize/choose_range.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/cpu/unary.h"

namespace xrun::compiler {

namespace {

constexpr std::array kMethodNames = {"minmax", "percentile", "entropy", "mse", "auto"};

/// Smaller scales are not used: products of two, times 2^8, must stay normal float32 numbers.
constexpr double kSmallestScale = 0x1p-60;

/// Evaluates candidate ranges against what was seen of one value.
class Candidates {
 public:
  Candidates(const ActivationStats& stats, std::span<const UnaryFunction> chain) : bins_(stats.Bins()), chain_(chain) {
    through_.reserve(bins_.size());
    for (const auto& bin : bins_) {
      through_.push_back(EvaluateChain(chain_, bin.center));
      total_ += bin.count;
    }
  }

  double SquaredError(const QuantParams& params) const {
    std::array<double, 256> levels;
    const auto scale = static_cast<double>(params.scale[0]);
    const int32_t zero = params.zero_point[0];
    for (int q = -128; q < 128; ++q) levels[static_cast<size_t>(q + 128)] = EvaluateChain(chain_, scale * (q - zero));
    double sum = 0;
    for (size_t i = 0; i < bins_.size(); ++i) {
      const double error = through_[i] - levels[Level(bins_[i].center, scale, zero)];
      if (!std::isnan(error)) sum += bins_[i].count * error * error;
    }
    return total_ == 0 ? 0 : sum / total_;
  }

  /// KL(seen ‖ quantized), the quantized mass of a level spread evenly over the seen bins that fall on it. Mass outside
  /// the range is what the last levels must answer for.
  double Divergence(const QuantParams& params) const {
    const auto scale = static_cast<double>(params.scale[0]);
    const int32_t zero = params.zero_point[0];
    const double lo = scale * (-128.5 - zero);
    const double hi = scale * (127.5 - zero);
    std::array<double, 256> mass{};
    std::array<double, 256> bins{};
    double inside = 0;
    for (const auto& bin : bins_) {
      if (bin.center < lo || bin.center > hi) continue;
      const size_t level = Level(bin.center, scale, zero);
      mass[level] += bin.count;
      bins[level] += 1;
      inside += bin.count;
    }
    if (inside == 0) return std::numeric_limits<double>::infinity();
    double divergence = 0;
    double outside_low = 0;
    double outside_high = 0;
    for (const auto& bin : bins_) {
      if (bin.center < lo) outside_low += bin.count;
      if (bin.center > hi) outside_high += bin.count;
    }
    bool first = true;
    size_t last_inside = bins_.size();
    for (size_t i = 0; i < bins_.size(); ++i) {
      if (bins_[i].center >= lo && bins_[i].center <= hi) last_inside = i;
    }
    for (size_t i = 0; i < bins_.size(); ++i) {
      const auto& bin = bins_[i];
      if (bin.center < lo || bin.center > hi) continue;
      const size_t level = Level(bin.center, scale, zero);
      double seen = bin.count;
      if (first) seen += outside_low;
      if (i == last_inside) seen += outside_high;
      first = false;
      divergence += seen / total_ * std::log(seen / total_ / (mass[level] / bins[level] / inside));
    }
    return divergence;
  }

  float Quantile(double fraction) const {
    double sum = 0;
    for (const auto& bin : bins_) {
      sum += bin.count;
      if (sum >= fraction * total_) return static_cast<float>(bin.center);
    }
    return bins_.empty() ? 0.0F : static_cast<float>(bins_.back().center);
  }

 private:
  static size_t Level(double value, double scale, int32_t zero) {
    const double q = std::nearbyint(std::clamp(value / scale, -512.0, 512.0)) + zero;
    return static_cast<size_t>(std::clamp(static_cast<int>(q), -128, 127) + 128);
  }

  std::vector<ActivationStats::Bin> bins_;
  std::span<const UnaryFunction> chain_;
  std::vector<double> through_;
  double total_ = 0;
};

/// Shrinks one end after the other, keeping what costs least; the whole range wins when equal.
template <typename Cost>
Range Search(Range full, const Cost& cost) {
  constexpr int kSteps = 48;
  constexpr float kSmallestFraction = 0.04F;
  Range best = full;
  double least = cost(best);
  const auto try_range = [&](Range candidate) {
    const double c = cost(candidate);
    if (c < least) least = c, best = candidate;
  };
  const bool two_sided = full.lo < 0 && full.hi > 0;
  for (int round = 0; round < (two_sided ? 3 : 1); ++round) {
    const Range before = best;
    for (int step = 1; step <= kSteps && full.hi > 0; ++step) {
      const float f = 1.0F - static_cast<float>(step) / kSteps * (1.0F - kSmallestFraction);
      try_range({best.lo, full.hi * f});
    }
    for (int step = 1; step <= kSteps && full.lo < 0; ++step) {
      const float f = 1.0F - static_cast<float>(step) / kSteps * (1.0F - kSmallestFraction);
      try_range({full.lo * f, best.hi});
    }
    if (two_sided) {
      for (int step = 1; step <= kSteps; ++step) {
        const float f = 1.0F - static_cast<float>(step) / kSteps * (1.0F - kSmallestFraction);
        try_range({before.lo * f, before.hi * f});
      }
    }
    if (best == before) break;
  }
  return best;
}

}  // namespace

std::string_view Name(CalibrationMethod method) { return kMethodNames[static_cast<size_t>(method)]; }

std::optional<CalibrationMethod> ParseCalibrationMethod(std::string_view name) {
  for (size_t i = 0; i < kMethodNames.size(); ++i) {
    if (name == kMethodNames[i]) return static_cast<CalibrationMethod>(i);
  }
  return std::nullopt;
}

QuantParams MakeParams(Range range) {
  // In double: the difference of two floats can exceed the largest one.
  auto lo = static_cast<double>(range.lo);
  auto hi = static_cast<double>(range.hi);
  if (hi - lo < 255 * kSmallestScale) {
    lo = range.lo < 0 ? -1 : 0;
    hi = range.hi > 0 || range.lo == 0 ? 1 : 0;
  }
  const auto scale = static_cast<float>((hi - lo) / 255);
  const double zero = std::nearbyint(-128 - lo / static_cast<double>(scale));
  return {{scale}, {static_cast<int32_t>(std::clamp(zero, -128.0, 127.0))}, -1};
}

double QuantizationError(const ActivationStats& stats, const QuantParams& params,
                         std::span<const UnaryFunction> chain) {
  return Candidates(stats, chain).SquaredError(params);
}

Range ChooseRange(const ActivationStats& stats, CalibrationMethod method, double percentile,
                  std::span<const UnaryFunction> chain) {
  const Range full{stats.min(), stats.max()};
  if (method == CalibrationMethod::kMinMax || full.lo == full.hi) return full;
  const Candidates candidates(stats, chain);
  switch (method) {
    case CalibrationMethod::kPercentile: {
      const double outside = 1 - percentile / 100;
      return {std::clamp(candidates.Quantile(outside), full.lo, 0.0F),
              std::clamp(candidates.Quantile(1 - outside), 0.0F, full.hi)};
    }
    case CalibrationMethod::kEntropy:
      return Search(full, [&](Range range) { return candidates.Divergence(MakeParams(range)); });
    case CalibrationMethod::kMse:
      return Search(full, [&](Range range) { return candidates.SquaredError(MakeParams(range)); });
    default: {
      Range best = full;
      double least = candidates.SquaredError(MakeParams(full));
      for (CalibrationMethod each :
           {CalibrationMethod::kPercentile, CalibrationMethod::kEntropy, CalibrationMethod::kMse}) {
        const Range range = ChooseRange(stats, each, percentile, chain);
        const double error = candidates.SquaredError(MakeParams(range));
        if (error < least) least = error, best = range;
      }
      return best;
    }
  }
}

}  // namespace xrun::compiler
