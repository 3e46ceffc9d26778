#ifndef XRUN_TOOLS_DRIVER_REPORT_H_
#define XRUN_TOOLS_DRIVER_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>

#include "compiler/explain.h"
#include "isa/program.h"
#include "isa/result.h"

namespace xrun::tools {

/// Per layer and modelled: a line for each node of `quantized`, in the program's order. Both belong together: node i of
/// one is node i of the other.
Result<std::string> LayersCsv(const compiler::Graph& quantized, const Program& program);

/// xcompile --report: writes summary.json (`summary` with "schema": 1), layers.csv, placement.dot and trace.json into
/// `folder`, which is made when it is missing. Each file appears whole or not at all; summary.json comes last.
Status WriteReport(const std::string& folder, const compiler::Graph& quantized, const Program& program,
                   const compiler::Explanation& explanation, const nlohmann::ordered_json& summary);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_REPORT_H_
