#ifndef XRUN_TESTS_UNIT_IO_TEST_UTIL_H_
#define XRUN_TESTS_UNIT_IO_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "isa/result.h"
#include "runtime/io/image.h"

namespace xrun::io::testing {

/// A directory of its own, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "xrun-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  size_t entries() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::string path_;
};

inline void Put(const std::string& path, std::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

inline std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// 64-bit FNV-1a, to record a picture in one number.
inline uint64_t Hash(const std::vector<uint8_t>& bytes) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3U;
  return hash;
}

/// The picture that every recorded expectation is about: pixel i = ((i * 2654435761) >> 13) & 255, i counting over
/// rows, columns and channels.
inline Image Pattern(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  image.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels));
  for (uint32_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>((i * 2654435761U) >> 13);
  return image;
}

template <typename T>
void ExpectFailure(const Result<T>& result, const std::vector<std::string>& mentions) {
  ASSERT_FALSE(result.ok()) << "expected a failure that mentions " << mentions.front();
  for (const std::string& mention : mentions) {
    EXPECT_NE(result.failure().ToString().find(mention), std::string::npos)
        << "'" << mention << "' is missing from: " << result.failure().ToString();
  }
}

#define ASSERT_RESULT_OK(result) ASSERT_TRUE((result).ok()) << (result).failure().ToString()

}  // namespace xrun::io::testing

#endif  // XRUN_TESTS_UNIT_IO_TEST_UTIL_H_
