#include "npy.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

namespace xrun::oracle {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicSize = 6;

/// The text after `key` in the header's Python dictionary.
std::string After(const std::string& header, const std::string& key, const std::string& path) {
  const size_t at = header.find("'" + key + "'");
  const size_t colon = at == std::string::npos ? at : header.find(':', at);
  if (colon == std::string::npos) throw Error("", "'" + path + "': the .npy header has no " + key);
  return header.substr(colon + 1);
}

Shape ParseShape(const std::string& text) {
  Shape shape;
  const size_t open = text.find('(');
  std::istringstream numbers(text.substr(open + 1, text.find(')') - open - 1));
  for (std::string number; std::getline(numbers, number, ',');)
    if (number.find_first_of("0123456789") != std::string::npos) shape.push_back(std::stoll(number));
  return shape;
}

template <typename T, typename Out>
std::vector<Out> Convert(const std::string& bytes, size_t count, int shift, const std::string& path) {
  if (bytes.size() != count * sizeof(T)) throw Error("", "'" + path + "': the data does not fill the shape");
  std::vector<T> raw(count);
  std::memcpy(raw.data(), bytes.data(), bytes.size());
  std::vector<Out> out;
  for (T x : raw) out.push_back(static_cast<Out>(x - static_cast<T>(shift)));
  return out;
}

template <typename T>
void Write(const std::string& path, const Shape& shape, const std::vector<T>& data, const std::string& type) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : shape) header += std::to_string(extent) + ",";
  header += "), }";
  header.append(63 - (kMagicSize + 4 + header.size()) % 64, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  const auto size = static_cast<uint16_t>(header.size());
  file.write(kMagic, kMagicSize);
  const char version_and_size[] = {1, 0, static_cast<char>(size & 0xFF), static_cast<char>(size >> 8)};
  file.write(version_and_size, sizeof(version_and_size));
  file << header;
  file.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size() * sizeof(T)));
  if (!file.flush()) throw Error("", "'" + path + "' cannot be written");
}

}  // namespace

InputTensor ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("", "'" + path + "' cannot be opened");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const bool wide = bytes.size() > kMagicSize && bytes[kMagicSize] > 1;  // format 2 and later: 32-bit header size
  const size_t start = kMagicSize + (wide ? 6 : 4);
  if (bytes.size() < start || bytes.compare(0, kMagicSize, kMagic) != 0)
    throw Error("", "'" + path + "' is not a .npy file");
  size_t header_size = 0;
  for (size_t i = start; i-- > kMagicSize + 2;) header_size = header_size << 8 | static_cast<unsigned char>(bytes[i]);
  const std::string header = bytes.substr(start, header_size);
  if (After(header, "fortran_order", path).find("True") < 6) throw Error("", "'" + path + "' is in Fortran order");
  InputTensor tensor;
  tensor.shape = ParseShape(After(header, "shape", path));
  size_t count = 1;
  for (int64_t extent : tensor.shape) count *= extent;
  const std::string type = After(header, "descr", path);
  const std::string data = bytes.substr(std::min(bytes.size(), start + header_size));
  const auto is = [&](const char* name) { return type.find(name) < 4; };
  if (is("<f4")) {
    tensor.data = Convert<float, float>(data, count, 0, path);
  } else if (is("<f8")) {
    tensor.data = Convert<double, float>(data, count, 0, path);
  } else if (is("|i1")) {
    tensor.data = Convert<int8_t, int8_t>(data, count, 0, path);
  } else if (is("|u1")) {
    tensor.data = Convert<uint8_t, int8_t>(data, count, 128, path);
  } else {
    throw Error("", "'" + path + "': only float32, float64, int8 and uint8 are supported");
  }
  return tensor;
}

void WriteNpy(const std::string& path, const Shape& shape, const std::vector<float>& data) {
  Write(path, shape, data, "<f4");
}
void WriteNpy(const std::string& path, const Shape& shape, const std::vector<int8_t>& data) {
  Write(path, shape, data, "|i1");
}

}  // namespace xrun::oracle
