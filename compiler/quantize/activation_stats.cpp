#include "compiler/quantize/activation_stats.h"

#include <algorithm>
#include <cmath>

namespace xrun::compiler {

int64_t ActivationStats::IndexOf(double value) const {
  return static_cast<int64_t>(std::floor(std::ldexp(value, -exponent_)));
}

double ActivationStats::bin_width() const { return std::ldexp(1.0, exponent_); }

void ActivationStats::Widen(float lo, float hi) {
  min_ = std::min(min_, lo);
  max_ = std::max(max_, hi);
  int exponent = exponent_;
  const auto bins = [&] {
    return std::floor(std::ldexp(static_cast<double>(max_), -exponent)) -
           std::floor(std::ldexp(static_cast<double>(min_), -exponent)) + 1;
  };
  while (bins() > static_cast<double>(kBins)) ++exponent;
  const int shift = exponent - exponent_;
  exponent_ = exponent;
  const int64_t first = IndexOf(static_cast<double>(min_));
  const int64_t last = IndexOf(static_cast<double>(max_));
  if (!counts_.empty() && shift == 0 && first == first_ && last + 1 == first_ + static_cast<int64_t>(counts_.size())) {
    return;
  }
  std::vector<uint64_t> counts(static_cast<size_t>(last - first + 1), 0);
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const int64_t old_bin = first_ + static_cast<int64_t>(i);
    const int64_t bin = shift >= 62 ? (old_bin < 0 ? -1 : 0) : old_bin >> shift;
    counts[static_cast<size_t>(bin - first)] += counts_[i];
  }
  counts_ = std::move(counts);
  first_ = first;
}

void ActivationStats::Add(std::span<const float> values) {
  float lo = 0;
  float hi = 0;
  uint64_t not_finite = 0;
  for (const float v : values) {
    if (!std::isfinite(v)) {
      ++not_finite;
      continue;
    }
    lo = std::min(lo, v);
    hi = std::max(hi, v);
  }
  not_finite_ += not_finite;
  count_ += values.size() - not_finite;
  if (counts_.empty() || lo < min_ || hi > max_) Widen(lo, hi);
  // A power of two, and |v|·inverse < kBins: exact up to underflow, which only concerns values far below one bin.
  const double inverse = std::ldexp(1.0, -exponent_);
  uint64_t zeros = 0;
  for (const float v : values) {
    if (v == 0) {
      ++zeros;
      continue;
    }
    if (not_finite != 0 && !std::isfinite(v)) continue;
    const double scaled = static_cast<double>(v) * inverse;
    auto bin = static_cast<int64_t>(scaled);
    bin -= scaled < static_cast<double>(bin) ? 1 : 0;
    ++counts_[static_cast<size_t>(bin - first_)];
  }
  zeros_ += zeros;
}

void ActivationStats::Merge(const ActivationStats& other) {
  if (other.counts_.empty()) {
    not_finite_ += other.not_finite_;
    return;
  }
  Widen(other.min_, other.max_);
  ActivationStats aligned = other;
  aligned.Widen(min_, max_);
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += aligned.counts_[i];
  count_ += other.count_;
  zeros_ += other.zeros_;
  not_finite_ += other.not_finite_;
}

std::vector<ActivationStats::Bin> ActivationStats::Bins() const {
  std::vector<Bin> bins;
  const double width = bin_width();
  bool zeros_done = zeros_ == 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    const int64_t bin = first_ + static_cast<int64_t>(i);
    if (bin >= 0 && !zeros_done) {
      bins.push_back({0.0, static_cast<double>(zeros_)});
      zeros_done = true;
    }
    if (counts_[i] != 0) bins.push_back({(static_cast<double>(bin) + 0.5) * width, static_cast<double>(counts_[i])});
  }
  return bins;
}

}  // namespace xrun::compiler
