#include "runtime/io/idx.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <optional>
#include <system_error>

#include "runtime/io/file.h"

namespace xrun::io {
namespace {

constexpr size_t kMaxRank = 8;
constexpr size_t kChunk = size_t{1} << 20;

struct CloseGz {
  void operator()(gzFile_s* file) const { gzclose_r(file); }
};

std::optional<ElementType> TypeOf(uint8_t code) {
  switch (code) {
    case 0x08:
      return ElementType::kUint8;
    case 0x09:
      return ElementType::kInt8;
    case 0x0B:
      return ElementType::kInt16;
    case 0x0C:
      return ElementType::kInt32;
    case 0x0D:
      return ElementType::kFloat32;
    case 0x0E:
      return ElementType::kFloat64;
    default:
      return std::nullopt;
  }
}

/// Up to `size` bytes; fewer only at the end of the data.
Result<size_t> ReadSome(gzFile file, uint8_t* to, size_t size) {
  size_t done = 0;
  while (done < size) {
    const int n = gzread(file, to + done, static_cast<unsigned>(std::min<size_t>(size - done, kChunk)));
    int code = Z_OK;
    const char* text = gzerror(file, &code);
    if (n < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      if (code == Z_BUF_ERROR) return Failure{"truncated: the compressed data end early", ""};
      if (code == Z_ERRNO) return Failure{"cannot be read: " + std::generic_category().message(errno), ""};
      return Failure{std::string("cannot be unpacked: ") + text, ""};
    }
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Result<Array> ParseIdx(gzFile file) {
  uint8_t head[4 + 4 * kMaxRank];
  XRUN_ASSIGN_OR_RETURN(const size_t got, ReadSome(file, head, 4));
  const auto type = got == 4 && head[0] == 0 && head[1] == 0 ? TypeOf(head[2]) : std::nullopt;
  if (!type || head[3] == 0 || head[3] > kMaxRank) {
    return Failure{"not an IDX file: it does not start with 00 00, a type code (08 to 0e) and 1 to 8 dimensions", ""};
  }
  const size_t rank = head[3];
  XRUN_ASSIGN_OR_RETURN(const size_t got_dims, ReadSome(file, head + 4, 4 * rank));
  if (got_dims != 4 * rank) return Failure{"truncated within the IDX header", ""};
  Array array;
  array.type = *type;
  for (size_t d = 0; d < rank; ++d) {
    const uint8_t* b = head + 4 + 4 * d;
    array.shape.push_back((int64_t{b[0]} << 24) | (b[1] << 16) | (b[2] << 8) | b[3]);
  }
  const auto count = ElementCount(array.shape);
  const size_t element = SizeOf(array.type);
  int64_t expected = 0;
  const bool huge = !count || __builtin_mul_overflow(*count, static_cast<int64_t>(element), &expected);
  uint64_t total = 0;
  while (true) {
    // Ask for one byte more than promised: data that go on are as wrong as data that stop.
    const uint64_t want = huge ? kChunk : std::min<uint64_t>(kChunk, static_cast<uint64_t>(expected) + 1 - total);
    array.bytes.resize(total + want);
    XRUN_ASSIGN_OR_RETURN(const size_t n, ReadSome(file, array.bytes.data() + total, want));
    total += n;
    array.bytes.resize(total);
    if (n < want || (!huge && total > static_cast<uint64_t>(expected))) break;
  }
  if (huge || total != static_cast<uint64_t>(expected)) {
    const bool longer = !huge && total > static_cast<uint64_t>(expected);
    return Failure{"its header promises shape " + ShapeText(array.shape) + " of " + std::string(Name(array.type)) +
                       ", but " + (longer ? "more data follow" : std::to_string(total) + " bytes of data follow"),
                   ""};
  }
  if (element > 1) {
    for (size_t i = 0; i < array.bytes.size(); i += element) {
      std::reverse(array.bytes.begin() + static_cast<ptrdiff_t>(i),
                   array.bytes.begin() + static_cast<ptrdiff_t>(i + element));
    }
  }
  return array;
}

}  // namespace

Result<Array> LoadIdx(const std::string& path) {
  XRUN_RETURN_IF_ERROR(FileStream::Open(path));  // the plain reasons, in our words
  const std::unique_ptr<gzFile_s, CloseGz> file(gzopen(path.c_str(), "rbe"));
  if (file == nullptr) return Failure{path + ": cannot be opened: " + std::generic_category().message(errno), ""};
  gzbuffer(file.get(), 1U << 18);
  try {
    auto array = ParseIdx(file.get());
    if (!array.ok()) return std::move(array).failure().In(path);
    return array;
  } catch (const std::bad_alloc&) {
    return Failure{path + ": not enough memory for its data", ""};
  }
}

}  // namespace xrun::io
