#ifndef XRUN_RUNTIME_IO_PREPROCESS_APPLY_H_
#define XRUN_RUNTIME_IO_PREPROCESS_APPLY_H_

#include <array>
#include <cstdint>

#include "isa/result.h"
#include "runtime/io/image.h"
#include "runtime/io/preprocess.h"

namespace xrun::io {

/// The steps up to the pixel arithmetic: gray, resize, crop, channel order. The result has `channels` (1 or 3) channels
/// in the output's order; it is what a program with u8-image input takes. Fails, with the flag that helps, when the
/// crop exceeds the picture or a colour picture meets one channel without channel order gray. `preprocess` must be
/// valid (asserted).
Result<Image> PreparePixels(const Preprocess& preprocess, const Image& image, int channels);

/// x of every pixel value in output channel `channel`: the arithmetic of Preprocess, each operation rounded to float32.
std::array<float, 256> PixelTable(const Preprocess& preprocess, int channel);

enum class Layout : uint8_t { kChw, kHwc };

/// PreparePixels' result as floats: image.channels · height · width of them, in `layout`, to `out`.
void NormalizePixels(const Preprocess& preprocess, const Image& image, Layout layout, float* out);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_PREPROCESS_APPLY_H_
