#ifndef XRUN_OVERLAY_HW_DECODE_H_
#define XRUN_OVERLAY_HW_DECODE_H_

// The hardware's decoder, derived from isa/isa.def: a field's place in the word is an enumerator that counts up, its
// value a fixed set of wires.

#include "overlay_hw/engines.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {

template <int kAt, int kBits>
inline uint32_t Bits(const InstructionWord& word) {
  static_assert(kBits >= 1 && kBits <= 32 && kAt + kBits <= kInstructionBits, "a field of the word");
  const int kShift = kAt % 64;
  uint64_t v = word.part[kAt / 64] >> kShift;
  if (kShift + kBits > 64) v |= word.part[(kAt / 64 + 1) % kInstructionWords] << ((64 - kShift) % 64);
  return static_cast<uint32_t>(v & ((uint64_t{1} << kBits) - 1));
}
template <int kAt, int kBits>
inline int32_t SignedBits(const InstructionWord& word) {
  return static_cast<int32_t>(Bits<kAt, kBits>(word) << (32 - kBits)) >> (32 - kBits);
}

#define XRUN_INSTRUCTION(Name, opcode, engine, brief) \
  struct Name##Layout {                               \
    enum : int { kBefore = kHeaderBits - 1,
#define XRUN_U(name, bits, brief) name##_at, name##_last = name##_at + (bits)-1,
#define XRUN_S(name, bits, brief) name##_at, name##_last = name##_at + (bits)-1,
#define XRUN_END(Name) \
  kBits                \
  }                    \
  ;                    \
  }                    \
  ;
#include "isa/isa.def"

inline uint32_t OpcodeOf(const InstructionWord& word) { return Bits<0, 8>(word); }
inline uint32_t WaitOf(const InstructionWord& word) { return Bits<8, 4>(word); }
inline uint32_t SignalOf(const InstructionWord& word) { return Bits<12, 4>(word); }
inline uint32_t MarkOf(const InstructionWord& word) { return Bits<16, 1>(word); }
static_assert(kHeaderBits == 17, "opcode 8, wait 4, signal 4, mark 1");

/// Whether all bits from `first` on are 0.
template <int kFirst>
inline bool RestIsZero(const InstructionWord& word) {
  uint64_t rest = kFirst % 64 == 0 && kFirst < kInstructionBits ? word.part[kFirst / 64 % kInstructionWords]
                  : kFirst < kInstructionBits ? word.part[kFirst / 64 % kInstructionWords] >> kFirst % 64
                                              : 0;
  HW_UNROLL
  for (int i = 0; i < kInstructionWords; ++i) {
    HW_VITIS(unroll)
    if (i > kFirst / 64) rest |= word.part[i];
  }
  return rest == 0;
}

// `Decode(word, x)`: the fields of an instruction whose opcode has been looked at; false where unused bits are set.
#define XRUN_INSTRUCTION(Name, opcode, engine, brief)                \
  inline bool Decode(const InstructionWord& word, ::xrun::Name& x) { \
    typedef Name##Layout Layout;                                     \
    x.wait = WaitOf(word);                                           \
    x.signal = SignalOf(word);                                       \
    x.mark = MarkOf(word);
#define XRUN_U(name, bits, brief) x.name = Bits<Layout::name##_at, (bits)>(word);
#define XRUN_S(name, bits, brief) x.name = SignedBits<Layout::name##_at, (bits)>(word);
#define XRUN_END(Name)                    \
  return RestIsZero<Layout::kBits>(word); \
  }
#include "isa/isa.def"

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_DECODE_H_
