#ifndef XRUN_TOOLS_DRIVER_FOLDER_H_
#define XRUN_TOOLS_DRIVER_FOLDER_H_

#include <string>

#include "isa/result.h"

namespace xrun::tools {

/// Makes a folder for output files, its parents too.
Status MakeFolder(const std::string& folder);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_FOLDER_H_
