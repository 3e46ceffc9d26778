#ifndef XRUN_TESTS_OVERLAY_HW_EXTREMES_H_
#define XRUN_TESTS_OVERLAY_HW_EXTREMES_H_

// Instructions pushed to the ends of their fields: some stay legal, most do not.

#include <string>

#include "tests/overlay_hw/lockstep.h"

namespace xrun::test {

/// A legal instruction with a few fields set to their ends or to anything, and now and then any bit flipped.
template <typename T>
InstructionWord Extreme(uint64_t seed, const HardwareConfig& config) {
  RandomInstruction random(seed, config);
  T x = random.Draw<T>();
  int fields = 0;
  VisitFields(x, [&](const char*, auto&, int, bool, const char*) { ++fields; });
  for (int64_t changes = random.Range(1, 3); changes > 0 && fields != 0; --changes) {
    const int64_t which = random.Range(0, fields - 1);
    int64_t at = 0;
    VisitFields(x, [&](const char*, auto& field, int bits, bool is_signed, const char*) {
      if (at++ != which) return;
      const int64_t lo = FieldMin(bits, is_signed), hi = FieldMax(bits, is_signed), here = field;
      const int64_t choices[] = {lo, hi, 0, 1, here + 1, here - 1, here * 2, random.Range(lo, hi)};
      const int64_t value = choices[random.Range(0, 7)];
      field = static_cast<std::decay_t<decltype(field)>>(std::clamp(value, lo, hi));
    });
  }
  x.wait = random.U(0, 15);
  x.signal = random.U(0, 15);
  if (random.Chance(90)) {
    x.wait &= ~(1U << T::kEngine);
    x.signal &= ~(1U << T::kEngine);
  }
  InstructionWord word = *Encode(x);
  if (random.Chance(5)) word[random.U(0, 7)] ^= uint64_t{1} << random.U(0, 63);
  return word;
}

/// What the overlay must say of a word before it executes it. A destination that meets an operand is for the verifier
/// to find, not for the hardware (overlay_hw/checks.h).
Trap ExpectedTrap(const InstructionWord& word, Engine engine, const HardwareConfig& config, bool& overlaps);

/// Judges a word on both sides, and executes it on both where it is legal and not too long. Empty where they agree.
std::string CompareWord(Lockstep& lockstep, const InstructionWord& word, Engine engine, bool& executed);

}  // namespace xrun::test

#endif  // XRUN_TESTS_OVERLAY_HW_EXTREMES_H_
