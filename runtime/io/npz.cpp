#include <zip.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "isa/atomic_file.h"
#include "runtime/io/npy.h"

namespace xrun::io {
namespace {

// No deflate stream expands by more than this (zlib's documentation: 1032:1); a directory that claims more lies, and is
// refused before memory is asked for.
constexpr uint64_t kMaxDeflateRatio = 1040;

struct DiscardArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
struct FreeSource {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, DiscardArchive>;

class EntryStream final : public ByteStream {
 public:
  EntryStream(zip_file_t* entry, uint64_t size) : entry_(entry), remaining_(size) {}
  uint64_t remaining() const override { return remaining_; }
  Status Read(void* to, size_t size) override {
    auto* out = static_cast<uint8_t*>(to);
    for (size_t done = 0; done < size;) {
      const zip_int64_t n = zip_fread(entry_, out + done, std::min<size_t>(size - done, 1U << 30));
      if (n < 0) return Failure{std::string("cannot be unpacked: ") + zip_file_strerror(entry_), ""};
      if (n == 0) return Failure{"truncated: the archive's directory promises more than unpacks", ""};
      done += static_cast<size_t>(n);
      remaining_ -= std::min(remaining_, static_cast<uint64_t>(n));
    }
    return {};
  }
  /// Reads past the end, which is where libzip compares the checksum.
  Status Finish() {
    char extra = 0;
    const zip_int64_t n = zip_fread(entry_, &extra, 1);
    if (n < 0) return Failure{std::string("cannot be unpacked: ") + zip_file_strerror(entry_), ""};
    if (n > 0) return Failure{"unpacks to more than the archive's directory promises", ""};
    return {};
  }

 private:
  zip_file_t* entry_;
  uint64_t remaining_;
};

Result<Array> LoadEntry(zip_t* archive, zip_uint64_t index, const zip_stat_t& info) {
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if ((info.valid & kNeeded) != kNeeded) return Failure{"the archive's directory lacks its size", ""};
  if ((info.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && info.encryption_method != ZIP_EM_NONE) {
    return Failure{"is encrypted", ""};
  }
  if (info.comp_method != ZIP_CM_STORE && info.comp_method != ZIP_CM_DEFLATE) {
    return Failure{"is compressed with method " + std::to_string(info.comp_method) + "; stored and deflated are known",
                   "numpy.savez and numpy.savez_compressed write those"};
  }
  if (info.size / kMaxDeflateRatio > info.comp_size) {
    return Failure{"claims to unpack from " + std::to_string(info.comp_size) + " to " + std::to_string(info.size) +
                       " bytes, which no deflate stream can",
                   ""};
  }
  const std::unique_ptr<zip_file_t, CloseEntry> entry(zip_fopen_index(archive, index, 0));
  if (entry == nullptr) return Failure{std::string("cannot be unpacked: ") + zip_strerror(archive), ""};
  EntryStream stream(entry.get(), info.size);
  XRUN_ASSIGN_OR_RETURN(Array array, ParseNpy(stream));
  XRUN_RETURN_IF_ERROR(stream.Finish());
  return array;
}

std::string ErrorText(zip_error_t* error) {
  std::string text = zip_error_strerror(error);
  zip_error_fini(error);
  return text;
}

}  // namespace

Result<NamedArrays> LoadNpz(const std::string& path) {
  XRUN_RETURN_IF_ERROR(FileStream::Open(path));  // the plain reasons, in our words
  int code = 0;
  const Archive archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    return Failure{path + ": not a usable .npz archive: " + ErrorText(&error), ""};
  }
  NamedArrays arrays;
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < entries; ++i) {
    zip_stat_t info;
    if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), 0, &info) != 0 ||
        (info.valid & ZIP_STAT_NAME) == 0) {
      return Failure{path + ": entry " + std::to_string(i) + " of the archive has no readable description", ""};
    }
    std::string name = info.name;
    const std::string where = path + ": entry '" + name + "'";
    if (!name.ends_with(".npy")) return Failure{where + " is not a .npy file", ""};
    name.resize(name.size() - 4);
    auto array = LoadEntry(archive.get(), static_cast<zip_uint64_t>(i), info);
    if (!array.ok()) return std::move(array).failure().In(where);
    if (!arrays.emplace(name, std::move(array).value()).second) return Failure{where + " occurs twice", ""};
  }
  return arrays;
}

Status SaveNpz(const std::string& path, const NamedArrays& arrays, bool compress) {
  // libzip would write a temporary of its own, which a signal could leave behind: the archive is made in memory.
  zip_error_t error;
  zip_error_init(&error);
  std::unique_ptr<zip_source_t, FreeSource> memory(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (memory == nullptr) return Failure{path + ": cannot be packed: " + ErrorText(&error), ""};
  Archive archive(zip_open_from_source(memory.get(), ZIP_CREATE | ZIP_TRUNCATE, &error));
  if (archive == nullptr) return Failure{path + ": cannot be packed: " + ErrorText(&error), ""};
  zip_source_keep(memory.get());  // the archive owns one reference, `memory` keeps the other

  const auto fail = [&] { return Failure{path + ": cannot be packed: " + zip_strerror(archive.get()), ""}; };
  std::vector<std::vector<uint8_t>> entries;  // libzip reads them in zip_close
  entries.reserve(arrays.size());
  for (const auto& [name, array] : arrays) {
    const std::string header = NpyHeader(array);
    auto& entry = entries.emplace_back(header.begin(), header.end());
    entry.insert(entry.end(), array.bytes.begin(), array.bytes.end());
    std::unique_ptr<zip_source_t, FreeSource> source(zip_source_buffer(archive.get(), entry.data(), entry.size(), 0));
    if (source == nullptr) return fail();
    const std::string entry_name = name + ".npy";
    const zip_int64_t index = zip_file_add(archive.get(), entry_name.c_str(), source.get(), ZIP_FL_ENC_UTF_8);
    if (index < 0) return fail();
    (void)source.release();  // zip_file_add took it
    const auto at = static_cast<zip_uint64_t>(index);
    constexpr zip_uint16_t kFirstDosDate = 0x21;  // 1980-01-01, as numpy writes it
    if (zip_set_file_compression(archive.get(), at, compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive.get(), at, 0, kFirstDosDate, 0) != 0) {
      return fail();
    }
  }
  if (arrays.empty()) return Failure{path + ": an archive of no arrays cannot be written", ""};
  if (zip_close(archive.get()) != 0) return fail();
  (void)archive.release();

  if (zip_source_open(memory.get()) != 0) return Failure{path + ": cannot be packed: the archive was lost", ""};
  zip_stat_t info;
  zip_stat_init(&info);
  zip_source_stat(memory.get(), &info);
  std::vector<uint8_t> bytes(info.size);
  const zip_int64_t got = zip_source_read(memory.get(), bytes.data(), bytes.size());
  zip_source_close(memory.get());
  if (got != static_cast<zip_int64_t>(bytes.size())) {
    return Failure{path + ": cannot be packed: the archive was cut short", ""};
  }
  return WriteFileAtomically(path, bytes);
}

}  // namespace xrun::io
