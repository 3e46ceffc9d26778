#ifndef XRUN_TOOLS_DRIVER_REPORT_H_
#define XRUN_TOOLS_DRIVER_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/explain.h"
#include "compiler/memory_map.h"
#include "isa/program.h"
#include "isa/result.h"
#include "tools/driver/dump.h"

namespace xrun::tools {

/// Per layer and modelled: a line for each node of the program. `explanation`: of the same compilation. `layers`:
/// ProfileLayers of the program.
std::string LayersCsv(const compiler::Explanation& explanation, const Program& program,
                      const std::vector<LayerProfile>& layers);

/// xcompile --report: writes summary.json (`summary` with "schema": 1), layers.csv, placement.dot, trace.json,
/// memory.svg and index.html into `folder`, which is made when it is missing. Each file appears whole or not at all;
/// summary.json comes last. `memory`: what Compile told CompileOptions::memory_observer.
Status WriteReport(const std::string& folder, const Program& program, const compiler::Explanation& explanation,
                   const std::vector<compiler::MemoryMap>& memory, const nlohmann::ordered_json& summary);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_REPORT_H_
