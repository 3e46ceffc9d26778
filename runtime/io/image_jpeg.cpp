// jpeglib.h needs <cstdio> before it, jerror.h needs jpeglib.h.
// clang-format off
#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <string>

#include "runtime/io/image.h"

namespace xrun::io::internal {
namespace {

// libjpeg reports errors by a callback that must not return; setjmp is its documented way out. Nothing with a
// destructor lives in the frames that longjmp leaves: all such state is here, owned by DecodeJpeg.
struct Decoder {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  char message[JMSG_LENGTH_MAX] = {};
  bool invented_pixels = false;  // libjpeg filled in for missing or corrupt data
};

// Scans of a progressive file are cheap to write and dear to decode; real encoders use about ten.
constexpr int kMaxScans = 200;

Decoder& Self(j_common_ptr jpeg) { return *static_cast<Decoder*>(jpeg->client_data); }

[[noreturn]] void OnError(j_common_ptr jpeg) {
  jpeg->err->format_message(jpeg, Self(jpeg).message);
  std::longjmp(Self(jpeg).escape, 1);
}

void OnMessage(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // traces
  switch (jpeg->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:  // before a marker; common in photographs
    case JWRN_JFIF_MAJOR:
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_NOT_SEQUENTIAL:
      break;
    default:
      if (!Self(jpeg).invented_pixels) jpeg->err->format_message(jpeg, Self(jpeg).message);
      Self(jpeg).invented_pixels = true;
  }
}

void OnProgress(j_common_ptr jpeg) {
  if (Self(jpeg).jpeg.input_scan_number > kMaxScans) {
    std::snprintf(Self(jpeg).message, JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
    std::longjmp(Self(jpeg).escape, 1);
  }
}

// Both run under setjmp: only trivially destructible locals.
bool ReadHeader(Decoder& d, std::span<const uint8_t> bytes) {
  if (setjmp(d.escape) != 0) return false;
  jpeg_create_decompress(&d.jpeg);
  d.jpeg.client_data = &d;
  d.jpeg.progress = &d.progress;
  jpeg_mem_src(&d.jpeg, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&d.jpeg, TRUE);
  return true;
}

bool ReadPixels(Decoder& d, uint8_t* pixels, size_t row_bytes) {
  if (setjmp(d.escape) != 0) return false;
  jpeg_start_decompress(&d.jpeg);
  while (d.jpeg.output_scanline < d.jpeg.output_height) {
    JSAMPROW row = pixels + d.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&d.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&d.jpeg);
  return true;
}

// Pillow's conversion, for the inverted values that CMYK files carry in practice (Adobe's convention).
Image CmykToRgb(const Image& cmyk) {
  Image rgb;
  rgb.width = cmyk.width;
  rgb.height = cmyk.height;
  rgb.channels = 3;
  rgb.pixels.resize(cmyk.pixels.size() / 4 * 3);
  for (size_t i = 0; i < cmyk.pixels.size() / 4; ++i) {
    const int paper = cmyk.pixels[4 * i + 3];  // 255 − black
    for (size_t c = 0; c < 3; ++c) {
      const int ink = (255 - cmyk.pixels[4 * i + c]) * paper + 128;
      const int value = paper - (((ink >> 8) + ink) >> 8);  // ink / 255, rounded
      rgb.pixels[3 * i + c] = static_cast<uint8_t>(value < 0 ? 0 : value);
    }
  }
  return rgb;
}

}  // namespace

Result<Image> DecodeJpeg(std::span<const uint8_t> bytes) {
  struct Owner {
    Decoder d;
    ~Owner() { jpeg_destroy_decompress(&d.jpeg); }
  } owner;
  Decoder& d = owner.d;
  d.jpeg.err = jpeg_std_error(&d.errors);
  d.jpeg.client_data = &d;
  d.errors.error_exit = OnError;
  d.errors.emit_message = OnMessage;
  d.progress.progress_monitor = OnProgress;

  const auto corrupt = [&] { return Failure{std::string("corrupt JPEG: ") + d.message, ""}; };
  if (!ReadHeader(d, bytes)) return corrupt();
  const bool gray = d.jpeg.jpeg_color_space == JCS_GRAYSCALE;
  const bool cmyk = d.jpeg.jpeg_color_space == JCS_CMYK || d.jpeg.jpeg_color_space == JCS_YCCK;
  d.jpeg.out_color_space = gray ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
  const int channels = gray ? 1 : cmyk ? 4 : 3;
  XRUN_ASSIGN_OR_RETURN(Image image, MakeImage(d.jpeg.image_width, d.jpeg.image_height, channels));
  const size_t row_bytes = static_cast<size_t>(image.width) * static_cast<size_t>(channels);
  if (!ReadPixels(d, image.pixels.data(), row_bytes) || d.invented_pixels) return corrupt();
  if (cmyk) return CmykToRgb(image);
  return image;
}

}  // namespace xrun::io::internal
