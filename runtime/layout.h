#ifndef XRUN_RUNTIME_LAYOUT_H_
#define XRUN_RUNTIME_LAYOUT_H_

#include <cstdint>

#include "isa/program.h"

namespace xrun::runtime {

/// Rearranges an int8 tensor from the model's layout, [batch, channels, height, width] row-major, to the overlay's
/// (isa/README.md, section 3), with words of `word` channels. Bytes of physical channels without a logical one are left
/// as they are: their values are meaningless but must be defined, so `packed` is zeroed once when it is allocated.
void Pack(const BufferLayout& layout, uint32_t word, const int8_t* model, uint8_t* packed);

/// The reverse: every logical channel, and nothing else, from `packed` to `model`.
void Unpack(const BufferLayout& layout, uint32_t word, const uint8_t* packed, int8_t* model);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_LAYOUT_H_
