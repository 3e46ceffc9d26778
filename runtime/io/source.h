#ifndef XRUN_RUNTIME_IO_SOURCE_H_
#define XRUN_RUNTIME_IO_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "isa/result.h"
#include "runtime/io/array.h"

namespace xrun::io {

/// What a path given as data holds.
enum class SourceKind : uint8_t { kDirectory, kList, kImage, kNpy, kNpz, kIdx };

/// By ending where it is telling, else by the first bytes; what is neither is refused with the list of what is known.
Result<SourceKind> DetectSource(const std::string& path);

/// Files that are one sample each.
struct FileList {
  std::vector<std::string> paths;
  std::vector<int64_t> labels;           ///< from the list file: empty or one per path
  std::vector<std::string> class_names;  ///< sorted top directories
  std::vector<int64_t> classes;          ///< index into class_names per path; empty without class directories
  int64_t skipped = 0;                   ///< files in the directory that are no samples
};

Result<FileList> ListDirectory(const std::string& path);
Result<FileList> ReadListFile(const std::string& path);

/// Non-empty lines of a text file with their numbers (from 1); carriage returns and surrounding blanks removed.
struct Line {
  int64_t number;
  std::string text;
};
Result<std::vector<Line>> ReadLines(const std::string& path);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_SOURCE_H_
