#ifndef XRUN_TOOLS_DRIVER_EXPLAIN_TEXT_H_
#define XRUN_TOOLS_DRIVER_EXPLAIN_TEXT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/explain.h"
#include "compiler/import/import_onnx.h"

namespace xrun::tools {

// The forms of xcompile --explain and of its --report.

/// A line a node, then the totals.
std::string Text(const compiler::Explanation& explanation);
nlohmann::ordered_json ToJson(const compiler::Explanation& explanation);
/// Graphviz: the ONNX nodes and the tensors between them, coloured by place.
std::string Dot(const compiler::Explanation& explanation, const std::string& model_name);

/// A line a node that cannot be imported, and its JSON: what --explain says of a model that has such.
std::string Text(const std::vector<compiler::RefusedNode>& refused);
nlohmann::ordered_json ToJson(const std::vector<compiler::RefusedNode>& refused);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_EXPLAIN_TEXT_H_
