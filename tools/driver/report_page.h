#ifndef XRUN_TOOLS_DRIVER_REPORT_PAGE_H_
#define XRUN_TOOLS_DRIVER_REPORT_PAGE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/explain.h"
#include "isa/program.h"
#include "isa/result.h"
#include "tools/driver/dump.h"

namespace xrun::tools {

struct PageParts {
  const Program& program;
  const compiler::Explanation& explanation;
  const nlohmann::ordered_json& summary;  ///< summary.json's
  const std::vector<LayerProfile>& layers;
  std::vector<std::string> timelines;  ///< SVG, one a launch
  std::string memory;                  ///< SVG
};

/// index.html of --report: one file that needs no network and no script.
std::string ReportPage(const PageParts& parts);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_REPORT_PAGE_H_
