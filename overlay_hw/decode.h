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
inline uint32_t LateOf(const InstructionWord& word) { return Bits<kLateBit, 1>(word); }
static_assert(kHeaderBits == 17, "opcode 8, wait 4, signal 4, mark 1");

/// A part of the word without the header's last bit.
inline uint64_t WithoutLate(const InstructionWord& word, int part) {
  return part == kLateBit / 64 ? word.part[part] & ((uint64_t{1} << kLateBit % 64) - 1) : word.part[part];
}

/// Whether all bits from `first` to the header's last are 0.
template <int kFirst>
inline bool RestIsZero(const InstructionWord& word) {
  uint64_t rest = WithoutLate(word, kFirst / 64) >> kFirst % 64;
  HW_UNROLL
  for (int i = 0; i < kInstructionWords; ++i) {
    HW_VITIS(unroll)
    if (i > kFirst / 64) rest |= WithoutLate(word, i);
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
  x.late = LateOf(word);                  \
  return RestIsZero<Layout::kBits>(word); \
  }
#include "isa/isa.def"

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_DECODE_H_
