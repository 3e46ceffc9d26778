#ifndef XRUN_RUNTIME_IO_PREPROCESS_H_
#define XRUN_RUNTIME_IO_PREPROCESS_H_

#include <cstdint>
#include <vector>

namespace xrun::io {

enum class ResizeMode : uint8_t {
  kStretch,    ///< to exactly WxH
  kShortest,   ///< to the smallest size that covers WxH at the picture's proportions; the longer side is rounded down
               ///< (torchvision.transforms.Resize for W = H)
  kLetterbox,  ///< to the largest size that fits into WxH at the picture's proportions, centred on a filled WxH
               ///< (YOLOv5's letterbox, rounding included)
};

enum class ResizeFilter : uint8_t { kPilBilinear, kCvLinear };  ///< see resize.h

enum class ChannelOrder : uint8_t { kRgb, kBgr, kGray };

/// How a picture becomes a tensor; one specification for calibration, xinfer, xeval, C++ and Python, stored in the
/// program. Steps, in this order: gray if asked for (ToGray of image.h), resize, centre crop (offsets rounded half to
/// even, as torchvision), channel order, then per pixel, in float32,
///     x = (pixel · scale − mean[c]) / std[c]
/// where c counts channels in the output's order. The default scales to 0…1 and does nothing else.
/// A picture of one channel meets a model of three by repetition; a model of one channel takes it whatever
/// `channel_order` says, as one channel has no order.
struct Preprocess {
  int resize_width = 0, resize_height = 0;  ///< 0, 0: no resize
  ResizeMode resize_mode = ResizeMode::kStretch;
  uint8_t letterbox_fill = 114;  ///< pixel value, before scaling, in every channel
  ResizeFilter resize_filter = ResizeFilter::kPilBilinear;
  int crop_width = 0, crop_height = 0;  ///< 0, 0: no crop
  float scale = 1.0F / 255.0F;
  std::vector<float> mean{0.0F};  ///< one value for all channels, or one per channel
  std::vector<float> std{1.0F};   ///< likewise; never 0
  ChannelOrder channel_order = ChannelOrder::kRgb;

  bool operator==(const Preprocess&) const = default;
};

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_PREPROCESS_H_
