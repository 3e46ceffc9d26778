#include "runtime/io/image.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <new>

#include "runtime/io/file.h"

namespace xrun::io {

namespace internal {

Result<Image> MakeImage(int64_t width, int64_t height, int channels) {
  if (width < 1 || height < 1 || width > kMaxImageSide || height > kMaxImageSide) {
    return Failure{"an image of " + std::to_string(width) + "x" + std::to_string(height) + " pixels; 1x1 to " +
                       std::to_string(kMaxImageSide) + "x" + std::to_string(kMaxImageSide) + " are allowed",
                   ""};
  }
  Image image;
  image.width = static_cast<int>(width);
  image.height = static_cast<int>(height);
  image.channels = channels;
  try {
    image.pixels.resize(static_cast<size_t>(width * height * channels));
  } catch (const std::bad_alloc&) {
    return Failure{"not enough memory for an image of " + std::to_string(width) + "x" + std::to_string(height), ""};
  }
  return image;
}

}  // namespace internal

Result<Image> DecodeImage(std::span<const uint8_t> bytes) {
  constexpr uint8_t kJpeg[] = {0xFF, 0xD8, 0xFF};
  constexpr uint8_t kPng[] = {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A};
  if (bytes.size() >= sizeof(kJpeg) && std::memcmp(bytes.data(), kJpeg, sizeof(kJpeg)) == 0) {
    return internal::DecodeJpeg(bytes);
  }
  if (bytes.size() >= sizeof(kPng) && std::memcmp(bytes.data(), kPng, sizeof(kPng)) == 0) {
    return internal::DecodePng(bytes);
  }
  return Failure{bytes.empty() ? "is empty" : "is neither a JPEG nor a PNG file", ""};
}

Result<Image> LoadImage(const std::string& path) {
  XRUN_ASSIGN_OR_RETURN(const auto bytes, ReadFile(path, uint64_t{1} << 30));
  auto image = DecodeImage(bytes);
  if (!image.ok()) return std::move(image).failure().In(path);
  return image;
}

bool HasImageExtension(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos) return false;
  std::string extension = path.substr(dot);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

Image ToGray(const Image& image) {
  if (image.channels == 1) return image;
  assert(image.channels == 3);
  Image gray;
  gray.width = image.width;
  gray.height = image.height;
  gray.channels = 1;
  gray.pixels.resize(image.pixels.size() / 3);
  for (size_t i = 0; i < gray.pixels.size(); ++i) {
    const uint8_t* p = &image.pixels[3 * i];
    gray.pixels[i] = static_cast<uint8_t>((p[0] * 19595U + p[1] * 38470U + p[2] * 7471U + 0x8000U) >> 16);
  }
  return gray;
}

}  // namespace xrun::io
