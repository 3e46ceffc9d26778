#ifndef XRUN_TOOLS_DRIVER_TILING_FLAG_H_
#define XRUN_TOOLS_DRIVER_TILING_FLAG_H_

#include <string>

#include "compiler/schedule.h"
#include "isa/result.h"

namespace xrun::tools {

/// The hidden flag --tiling of xcompile, with which tests force every path of the tiler:
/// "rows=2,cols=3,out-groups=1,in-groups=1,kernel-rows=1,single-buffer,no-on-chip", any of them. Results never change.
Result<compiler::TilingLimits> ParseTiling(const std::string& text);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_TILING_FLAG_H_
