#ifndef XRUN_OVERLAY_HW_CSIM_AP_INT_H_
#define XRUN_OVERLAY_HW_CSIM_AP_INT_H_

// Stands in for ap_int.h in C-sim: of ap_uint only what the overlay uses, words that are cut and joined. Ranges are at
// most 64 bits wide.

#include <cstdint>

template <int N>
class ap_uint {
 public:
  ap_uint() = default;
  ap_uint(uint64_t v) {  // NOLINT: implicit, as the original's
    word_[0] = kWords == 1 ? v & Mask(N) : v;
  }

  class Range {
   public:
    Range(ap_uint& word, int hi, int lo) : word_(word), hi_(hi), lo_(lo) {}
    Range(const Range&) = default;
    operator uint64_t() const {  // NOLINT: implicit, as the original's
      const int at = lo_ / 64, shift = lo_ % 64, bits = hi_ - lo_ + 1;
      uint64_t v = word_.word_[at] >> shift;
      if (shift + bits > 64) v |= word_.word_[at + 1] << (64 - shift);
      return v & Mask(bits);
    }
    Range& operator=(uint64_t v) {
      const int at = lo_ / 64, shift = lo_ % 64, bits = hi_ - lo_ + 1;
      v &= Mask(bits);
      word_.word_[at] = (word_.word_[at] & ~(Mask(bits) << shift)) | v << shift;
      if (shift + bits > 64) {
        word_.word_[at + 1] = (word_.word_[at + 1] & ~(Mask(bits) >> (64 - shift))) | v >> (64 - shift);
      }
      return *this;
    }
    Range& operator=(const Range& other) { return *this = static_cast<uint64_t>(other); }

   private:
    ap_uint& word_;
    int hi_, lo_;
  };
  Range range(int hi, int lo) { return Range(*this, hi, lo); }
  uint64_t range(int hi, int lo) const { return Range(const_cast<ap_uint&>(*this), hi, lo); }
  bool operator==(const ap_uint& other) const {
    for (int i = 0; i < kWords; ++i) {
      if (word_[i] != other.word_[i]) return false;
    }
    return true;
  }
  uint64_t to_uint64() const { return word_[0]; }

 private:
  static constexpr int kWords = (N + 63) / 64;
  static constexpr uint64_t Mask(int bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1; }
  uint64_t word_[kWords] = {};
};

#endif  // XRUN_OVERLAY_HW_CSIM_AP_INT_H_
