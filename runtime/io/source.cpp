#include "runtime/io/source.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "runtime/io/file.h"
#include "runtime/io/image.h"

namespace xrun::io {
namespace {

namespace fs = std::filesystem;

// Deep enough for any class tree; ends loops of symbolic links.
constexpr int kMaxDepth = 8;

bool IsSample(const std::string& path) { return HasImageExtension(path) || path.ends_with(".npy"); }

Status Walk(const fs::path& directory, int depth, FileList& list) {
  std::error_code error;
  fs::directory_iterator at(directory, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code type_error;
    if (at->is_directory(type_error)) {
      if (depth + 1 > kMaxDepth) {
        return Failure{at->path().string() + ": is nested more than " + std::to_string(kMaxDepth) + " directories deep",
                       ""};
      }
      XRUN_RETURN_IF_ERROR(Walk(at->path(), depth + 1, list));
    } else if (IsSample(name)) {
      list.paths.push_back(at->path().string());
    } else {
      ++list.skipped;
    }
  }
  if (error) return Failure{directory.string() + ": cannot be listed: " + error.message(), ""};
  return {};
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\v\f";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

Result<SourceKind> DetectSource(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return SourceKind::kDirectory;
  XRUN_ASSIGN_OR_RETURN(FileStream file, FileStream::Open(path));
  if (path.ends_with(".npy")) return SourceKind::kNpy;
  if (path.ends_with(".npz")) return SourceKind::kNpz;
  if (path.ends_with(".txt") || path.ends_with(".lst")) return SourceKind::kList;
  if (HasImageExtension(path)) return SourceKind::kImage;
  unsigned char head[8] = {};
  const auto got = static_cast<size_t>(std::min<uint64_t>(file.remaining(), sizeof(head)));
  if (auto status = file.Read(head, got); !status.ok()) return std::move(status).failure().In(path);
  const auto starts = [&](const char* magic, size_t size) {
    return got >= size && std::memcmp(head, magic, size) == 0;
  };
  if (starts("\x1F\x8B", 2)) return SourceKind::kIdx;
  if (got >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= 0x08 && head[2] <= 0x0E) return SourceKind::kIdx;
  if (starts("\x93NUMPY", 6)) return SourceKind::kNpy;
  if (starts("PK\x03\x04", 4)) return SourceKind::kNpz;
  if (starts("\xFF\xD8\xFF", 3) || starts("\x89PNG", 4)) return SourceKind::kImage;
  return Failure{path + ": " + (got == 0 ? "is empty" : "is of no known kind"),
                 "known: a directory, list.txt, .jpg, .png, .npy, .npz, IDX and IDX.gz"};
}

Result<FileList> ListDirectory(const std::string& path) {
  FileList list;
  XRUN_RETURN_IF_ERROR(Walk(path, 0, list));
  std::sort(list.paths.begin(), list.paths.end());
  if (list.paths.empty()) {
    return Failure{path + ": holds no .jpg, .png or .npy file (" + std::to_string(list.skipped) + " others)", ""};
  }
  std::vector<std::string> tops;
  for (const std::string& file : list.paths) {
    const fs::path relative = fs::path(file).lexically_relative(path);
    if (std::distance(relative.begin(), relative.end()) < 2) return list;  // a file outside any class
    tops.push_back(relative.begin()->string());
  }
  list.class_names = tops;
  std::sort(list.class_names.begin(), list.class_names.end());
  list.class_names.erase(std::unique(list.class_names.begin(), list.class_names.end()), list.class_names.end());
  for (const std::string& top : tops) {
    list.classes.push_back(std::lower_bound(list.class_names.begin(), list.class_names.end(), top) -
                           list.class_names.begin());
  }
  return list;
}

Result<std::vector<Line>> ReadLines(const std::string& path) {
  XRUN_ASSIGN_OR_RETURN(const auto bytes, ReadFile(path, uint64_t{1} << 28));
  std::vector<Line> lines;
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.find('\0') != std::string_view::npos) return Failure{path + ": is not a text file", ""};
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    if (!line.empty()) lines.push_back({number, std::string(line)});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

Result<FileList> ReadListFile(const std::string& path) {
  XRUN_ASSIGN_OR_RETURN(const std::vector<Line> lines, ReadLines(path));
  const fs::path base = fs::path(path).parent_path();
  FileList list;
  for (const Line& line : lines) {
    const std::string where = path + ":" + std::to_string(line.number);
    std::string name = line.text;
    int64_t label = 0;
    bool labelled = false;
    if (const size_t blank = name.find_last_of(" \t"); blank != std::string::npos) {
      const char* last = name.data() + name.size();
      const auto [end, error] = std::from_chars(name.data() + blank + 1, last, label);
      labelled = error == std::errc() && end == last;
      if (labelled) name = std::string(Trim(std::string_view(name).substr(0, blank)));
    }
    if (!list.paths.empty() && labelled == list.labels.empty()) {
      return Failure{
          where + ": " +
              (labelled ? "has a label, the lines before it have none" : "has no label, the lines before it have"),
          ""};
    }
    const std::string file = (fs::path(name).is_absolute() ? fs::path(name) : base / name).string();
    std::error_code error;
    if (!fs::is_regular_file(file, error)) {
      return Failure{where + ": " + file + ": " + (error ? error.message() : "is not a file"), ""};
    }
    if (!IsSample(file)) return Failure{where + ": " + file + ": is not a .jpg, .png or .npy file", ""};
    list.paths.push_back(file);
    if (labelled) list.labels.push_back(label);
  }
  if (list.paths.empty()) return Failure{path + ": lists no file", ""};
  return list;
}

}  // namespace xrun::io
