#include <utility>

#include "compiler/import/importer.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

/// The flag to paste: known dimensions filled in, batch as 1, the others by their symbol or as "?".
std::string FilledInFlag(const DeclaredInput& input) {
  std::string shape;
  for (size_t d = 0; d < input.dims.size(); ++d) {
    std::string dim = input.dims[d] > 0 ? std::to_string(input.dims[d]) : d == 0 ? "1" : "?";
    if (dim == "?" && !input.symbols[d].empty()) dim = "<" + input.symbols[d] + ">";
    shape += (d == 0 ? "" : "x") + dim;
  }
  return "--input-shape " + input.name + ":" + (input.has_shape ? shape : "1x3x...");
}

}  // namespace

Result<Shape> ResolveInputShape(const DeclaredInput& input, const ImportOptions& options, bool only_input,
                                bool* batch_set) {
  *batch_set = false;
  auto given = options.input_shapes.find(input.name);
  if (given == options.input_shapes.end() && only_input) given = options.input_shapes.find("");
  if (given != options.input_shapes.end()) {
    const Shape& shape = given->second;
    bool fits = !input.has_shape || shape.size() == input.dims.size();
    for (size_t d = 0; fits && d < input.dims.size(); ++d) fits = input.dims[d] < 0 || input.dims[d] == shape[d];
    if (!fits) {
      return Failure{"input '" + input.name + "' cannot have shape " + ShapeText(shape),
                     "the model fixes some dimensions: " + FilledInFlag(input)};
    }
    return shape;
  }
  if (!input.has_shape) {
    return Failure{"input '" + input.name + "' has no shape in the model", "give it: " + FilledInFlag(input)};
  }
  Shape shape = input.dims;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] > 0) continue;
    if (d != 0) {
      const std::string symbol = input.symbols[d].empty() ? "" : " '" + input.symbols[d] + "'";
      return Failure{
          "input '" + input.name + "': dimension " + std::to_string(d) + symbol + " is not fixed in the model",
          "give the shape to compile for: " + FilledInFlag(input)};
    }
    shape[d] = 1;
    *batch_set = true;
  }
  return shape;
}

Result<std::pair<std::string, Shape>> ParseInputShape(const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string name = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string dims = colon == std::string::npos ? text : text.substr(colon + 1);
  const Failure bad{"--input-shape " + text + " is not NAME:1x3x224x224", ""};
  Shape shape;
  int64_t value = -1;
  for (size_t i = 0; i <= dims.size(); ++i) {
    if (i < dims.size() && dims[i] >= '0' && dims[i] <= '9') {
      value = (value < 0 ? 0 : value) * 10 + (dims[i] - '0');
      if (value > kMaxElements) return bad;
    } else if (i == dims.size() || dims[i] == 'x') {
      if (value <= 0) return bad;
      shape.push_back(value);
      value = -1;
    } else {
      return bad;
    }
  }
  if (auto count = CheckedElements(shape); !count.ok()) return Failure(count.failure()).In("--input-shape " + text);
  return std::pair{name, shape};
}

}  // namespace xrun::compiler
