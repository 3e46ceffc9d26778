#ifndef XRUN_RUNTIME_IO_RESIZE_H_
#define XRUN_RUNTIME_IO_RESIZE_H_

#include "runtime/io/image.h"

namespace xrun::io {

/// Pillow's Image.resize((width, height), Image.BILINEAR) on 8-bit images, byte for byte: antialiased (the triangle
/// grows with the reduction), 22-bit fixed-point weights, horizontal pass first with its result rounded to 8 bits.
/// Source: libImaging/Resample.c; equal on Pillow 9.4 (Debian 12's) and 12.3. Pillow 13.0 runs the vertical pass first
/// where the height shrinks by more than twice the pixels the width does, which changes some pixels by 1; networks were
/// trained, and their accuracies published, with the order kept here.
/// Sides from 1 to kMaxImageSide (asserted to be positive); throws std::bad_alloc, as do all containers.
Image ResizePillowBilinear(const Image& image, int width, int height);

/// OpenCV's cv::resize(..., INTER_LINEAR) on CV_8U, byte for byte: two taps without antialiasing, 11-bit weights; an
/// exact halving of both sides averages 2x2 pixels, as OpenCV does. Source: modules/imgproc/src/resize.cpp; equal on
/// OpenCV 4.14 and 5.0.
Image ResizeOpenCvLinear(const Image& image, int width, int height);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_RESIZE_H_
