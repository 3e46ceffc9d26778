#include "runtime/io/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "isa/atomic_file.h"

namespace xrun::io {
namespace {

constexpr uint32_t kMaxHeader = 1U << 20;  // numpy itself writes < 300 bytes for plain types
constexpr size_t kMaxRank = 32;            // numpy's limit

struct Header {
  ElementType type = ElementType::kFloat32;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// The header is a Python dictionary literal of three known keys; this reads that much of Python.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Result<Header> Parse() {
    bool have_descr = false, have_order = false, have_shape = false;
    if (!Take('{')) return Bad("does not start with '{'");
    while (!Take('}')) {
      XRUN_ASSIGN_OR_RETURN(const std::string_view key, String());
      if (!Take(':')) return Bad("lacks ':' after a key");
      if (key == "descr" && !have_descr) {
        have_descr = true;
        XRUN_RETURN_IF_ERROR(Descr());
      } else if (key == "fortran_order" && !have_order) {
        have_order = true;
        XRUN_RETURN_IF_ERROR(Order());
      } else if (key == "shape" && !have_shape) {
        have_shape = true;
        XRUN_RETURN_IF_ERROR(Shape());
      } else {
        return Bad("has an unknown or repeated key");
      }
      if (!Take(',') && Peek() != '}') return Bad("lacks ',' between entries");
    }
    if (Peek() != '\0') return Bad("goes on after '}'");
    if (!have_descr || !have_order || !have_shape) return Bad("lacks 'descr', 'fortran_order' or 'shape'");
    return header_;
  }

 private:
  static Failure Bad(const std::string& what) { return {"not a .npy file: its header " + what, ""}; }

  char Peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }

  Result<std::string_view> String() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return Bad("lacks a quoted string where one belongs");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return Bad("has an unterminated string");
    const std::string_view value = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return value;
  }

  Status Descr() {
    if (Peek() == '[') {
      return Failure{"is a structured array (several fields per element)", "save each field as an array of its own"};
    }
    XRUN_ASSIGN_OR_RETURN(const std::string_view descr, String());
    std::string_view code = descr;
    if (!code.empty() && std::string_view("<>=|").find(code[0]) != std::string_view::npos) {
      header_.big_endian = code[0] == '>';
      code.remove_prefix(1);
    }
#define X(e, n, t, c)              \
  if (code == c) {                 \
    header_.type = ElementType::e; \
    return {};                     \
  }
    XRUN_FOR_EACH_ELEMENT_TYPE(X)
#undef X
    return Failure{"holds elements of type '" + std::string(descr.substr(0, 40)) + "', which is not supported",
                   "numpy.ndarray.astype('float32') converts it"};
  }

  Status Order() {
    Peek();
    for (const std::string_view word : {"False", "True"}) {
      if (text_.substr(at_).starts_with(word)) {
        header_.fortran_order = word == "True";
        at_ += word.size();
        return {};
      }
    }
    return Bad("has a 'fortran_order' that is neither True nor False");
  }

  Status Shape() {
    if (!Take('(')) return Bad("has a 'shape' that is not a tuple");
    while (!Take(')')) {
      Peek();
      int64_t dim = 0;
      const char* first = text_.data() + at_;
      const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), dim);
      if (error != std::errc() || dim < 0) return Bad("has a 'shape' with an entry that is no size");
      at_ += static_cast<size_t>(end - first);
      Take('L');  // files written by Python 2
      header_.shape.push_back(dim);
      if (header_.shape.size() > kMaxRank) return Bad("has a 'shape' of more than 32 dimensions");
      if (!Take(',') && Peek() != ')') return Bad("has a 'shape' that is not a tuple");
    }
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
  Header header_;
};

void SwapElements(Array& array) {
  const size_t size = SizeOf(array.type);
  for (size_t i = 0; i + size <= array.bytes.size(); i += size) {
    std::reverse(array.bytes.begin() + static_cast<ptrdiff_t>(i),
                 array.bytes.begin() + static_cast<ptrdiff_t>(i + size));
  }
}

// `array.bytes` holds the elements with the first index fastest.
Result<Array> FromFortranOrder(const Array& array) {
  XRUN_ASSIGN_OR_RETURN(Array result, Array::Create(array.type, array.shape));
  const size_t size = SizeOf(array.type);
  const size_t rank = array.shape.size();
  std::vector<int64_t> stride(rank), index(rank);
  int64_t step = 1;
  for (size_t d = 0; d < rank; ++d) {
    stride[d] = step;
    step *= array.shape[d];
  }
  int64_t from = 0;
  const int64_t count = array.size();
  for (int64_t to = 0; to < count; ++to) {
    std::memcpy(result.bytes.data() + static_cast<size_t>(to) * size,
                array.bytes.data() + static_cast<size_t>(from) * size, size);
    for (size_t d = rank; d-- > 0;) {
      from += stride[d];
      if (++index[d] < array.shape[d]) break;
      from -= stride[d] * array.shape[d];
      index[d] = 0;
    }
  }
  return result;
}

std::string_view TypeCode(ElementType type) {
  switch (type) {
#define X(e, n, t, c)  \
  case ElementType::e: \
    return c;
    XRUN_FOR_EACH_ELEMENT_TYPE(X)
#undef X
  }
  return "?";
}

}  // namespace

Result<Array> ParseNpy(ByteStream& stream) {
  unsigned char magic[8];
  if (stream.remaining() < 10) return Failure{"not a .npy file: shorter than the smallest header", ""};
  XRUN_RETURN_IF_ERROR(stream.Read(magic, sizeof(magic)));
  if (std::memcmp(magic, "\x93NUMPY", 6) != 0) return Failure{"not a .npy file: it does not start with \\x93NUMPY", ""};
  if (magic[6] < 1 || magic[6] > 3) {
    return Failure{"is .npy format version " + std::to_string(magic[6]) + "." + std::to_string(magic[7]) +
                       "; versions 1.0 to 3.0 are known",
                   ""};
  }
  uint32_t header_size = 0;
  XRUN_RETURN_IF_ERROR(stream.Read(&header_size, magic[6] == 1 ? 2 : 4));
  if (header_size > kMaxHeader || header_size > stream.remaining()) {
    return Failure{"not a .npy file: its header claims " + std::to_string(header_size) + " bytes, " +
                       std::to_string(stream.remaining()) + " follow",
                   ""};
  }
  std::string text(header_size, '\0');
  XRUN_RETURN_IF_ERROR(stream.Read(text.data(), text.size()));
  XRUN_ASSIGN_OR_RETURN(const Header header, HeaderParser(text).Parse());

  const auto count = ElementCount(header.shape);
  int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, static_cast<int64_t>(SizeOf(header.type)), &bytes) ||
      static_cast<uint64_t>(bytes) != stream.remaining()) {
    return Failure{"its header promises shape " + ShapeText(header.shape) + " of " + std::string(Name(header.type)) +
                       (count ? ", " + std::to_string(bytes) + " bytes" : "") + ", but " +
                       std::to_string(stream.remaining()) + " bytes of data follow",
                   ""};
  }
  XRUN_ASSIGN_OR_RETURN(Array array, Array::Create(header.type, header.shape));
  XRUN_RETURN_IF_ERROR(stream.Read(array.bytes.data(), array.bytes.size()));
  if (header.big_endian) SwapElements(array);
  if (header.fortran_order && array.shape.size() > 1) return FromFortranOrder(array);
  return array;
}

std::string NpyHeader(const Array& array) {
  const std::string order = SizeOf(array.type) == 1 ? "|" : "<";
  std::string text =
      "{'descr': '" + order + std::string(TypeCode(array.type)) + "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < array.shape.size(); ++i) {
    text += (i > 0 ? " " : "") + std::to_string(array.shape[i]) + (i + 1 < array.shape.size() ? "," : "");
  }
  if (array.shape.size() == 1) text += ',';
  text += "), }";
  const bool wide = text.size() + 64 > 0xFFFF;
  const size_t prefix = wide ? 12 : 10;
  text.append(63 - (prefix + text.size()) % 64, ' ');  // data starts at a multiple of 64, as numpy pads it
  text += '\n';
  std::string header = "\x93NUMPY";
  header += wide ? '\2' : '\1';
  header += '\0';
  for (size_t i = 0; i < prefix - 8; ++i) header += static_cast<char>((text.size() >> (8 * i)) & 0xFF);
  return header + text;
}

Result<Array> LoadNpy(const std::string& path) {
  XRUN_ASSIGN_OR_RETURN(FileStream file, FileStream::Open(path));
  auto array = ParseNpy(file);
  if (!array.ok()) return std::move(array).failure().In(path);
  return array;
}

Status SaveNpy(const std::string& path, const Array& array) {
  XRUN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  const std::string header = NpyHeader(array);
  XRUN_RETURN_IF_ERROR(file.Write(header.data(), header.size()));
  XRUN_RETURN_IF_ERROR(file.Write(array.bytes.data(), array.bytes.size()));
  return file.Commit();
}

}  // namespace xrun::io
