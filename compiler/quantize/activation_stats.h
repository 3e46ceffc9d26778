#ifndef XRUN_COMPILER_QUANTIZE_ACTIVATION_STATS_H_
#define XRUN_COMPILER_QUANTIZE_ACTIVATION_STATS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace xrun::compiler {

/// What calibration saw of one activation: extremes and a histogram whose range grows with the data.
///
/// Bins are [i·2^e, (i+1)·2^e) with the smallest e for which the values seen, and 0, span at most kBins of them. As e
/// and the bins depend only on the set of values, neither the order of samples nor the number of jobs changes the
/// result. Exact zeros, which every quantization keeps exact, are counted apart.
class ActivationStats {
 public:
  static constexpr int64_t kBins = 2048;

  void Add(std::span<const float> values);
  /// As if everything added to `other` had been added here.
  void Merge(const ActivationStats& other);

  uint64_t count() const { return count_; }
  uint64_t zeros() const { return zeros_; }
  /// Values that were NaN or infinite; they are in no other figure.
  uint64_t not_finite() const { return not_finite_; }
  /// Extremes of the finite values and 0.
  float min() const { return min_; }
  float max() const { return max_; }

  struct Bin {
    double center;
    double count;
  };
  /// Non-empty bins in ascending order; zeros are a bin of their own with center 0.
  std::vector<Bin> Bins() const;
  double bin_width() const;

 private:
  void Widen(float lo, float hi);
  int64_t IndexOf(double value) const;

  uint64_t count_ = 0, zeros_ = 0, not_finite_ = 0;
  float min_ = 0, max_ = 0;
  int exponent_ = kSmallestExponent;
  int64_t first_ = 0;  ///< bin number of counts_[0]
  std::vector<uint64_t> counts_;

  static constexpr int kSmallestExponent = -126;
};

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_QUANTIZE_ACTIVATION_STATS_H_
