#include "tools/driver/folder.h"

#include <filesystem>

namespace xrun::tools {

Status MakeFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Failure{folder + ": cannot be made: " + error.message(), ""};
  return {};
}

}  // namespace xrun::tools
