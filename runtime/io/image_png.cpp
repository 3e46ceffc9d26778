#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "runtime/io/image.h"

namespace xrun::io::internal {
namespace {

// As for JPEG: libpng leaves by longjmp, so everything with a destructor belongs to DecodePng.
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const uint8_t* at = nullptr;
  size_t left = 0;
  char message[200] = {};
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  auto* d = static_cast<Decoder*>(png_get_error_ptr(png));
  std::snprintf(d->message, sizeof(d->message), "%s", message);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep to, png_size_t size) {
  auto* d = static_cast<Decoder*>(png_get_io_ptr(png));
  if (size > d->left) png_error(png, "the data end early");
  std::memcpy(to, d->at, size);
  d->at += size;
  d->left -= size;
}

// The next two run under setjmp: only trivially destructible locals.
bool ReadHeader(Decoder& d) {
  if (setjmp(png_jmpbuf(d.png)) != 0) return false;
  png_set_read_fn(d.png, &d, OnRead);
  png_set_user_limits(d.png, kMaxImageSide, kMaxImageSide);
  png_set_chunk_malloc_max(d.png, 16U << 20);  // text and profiles that unpack: a bomb stops here
  png_read_info(d.png, d.info);
  png_set_palette_to_rgb(d.png);
  png_set_expand_gray_1_2_4_to_8(d.png);
  png_set_strip_16(d.png);
  png_set_strip_alpha(d.png);
  png_set_interlace_handling(d.png);
  png_read_update_info(d.png, d.info);
  return true;
}

bool ReadPixels(Decoder& d, png_bytepp rows) {
  if (setjmp(png_jmpbuf(d.png)) != 0) return false;
  png_read_image(d.png, rows);
  png_read_end(d.png, nullptr);
  return true;
}

}  // namespace

Result<Image> DecodePng(std::span<const uint8_t> bytes) {
  struct Owner {
    Decoder d;
    ~Owner() { png_destroy_read_struct(&d.png, &d.info, nullptr); }
  } owner;
  Decoder& d = owner.d;
  d.at = bytes.data();
  d.left = bytes.size();
  d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, OnError, OnWarning);
  if (d.png != nullptr) d.info = png_create_info_struct(d.png);
  if (d.info == nullptr) return Failure{"not enough memory to decode a PNG", ""};

  const auto corrupt = [&] { return Failure{std::string("corrupt PNG: ") + d.message, ""}; };
  if (!ReadHeader(d)) return corrupt();
  const int channels = png_get_channels(d.png, d.info);
  const int64_t width = png_get_image_width(d.png, d.info), height = png_get_image_height(d.png, d.info);
  const size_t row_bytes = static_cast<size_t>(width * channels);
  if ((channels != 1 && channels != 3) || png_get_rowbytes(d.png, d.info) != row_bytes) {
    return Failure{"is a PNG of an unknown pixel type", ""};
  }
  // One packed byte never becomes more than 1032 bytes of rows, which hold at least one bit per pixel.
  if (width * height / (1040 * 8) > static_cast<int64_t>(bytes.size())) {
    return Failure{"corrupt PNG: " + std::to_string(bytes.size()) + " bytes cannot hold " + std::to_string(width) +
                       "x" + std::to_string(height) + " pixels",
                   ""};
  }
  XRUN_ASSIGN_OR_RETURN(Image image, MakeImage(width, height, channels));
  std::vector<png_bytep> rows(static_cast<size_t>(height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = image.pixels.data() + y * row_bytes;
  if (!ReadPixels(d, rows.data())) return corrupt();
  return image;
}

}  // namespace xrun::io::internal
