#ifndef XRUN_COMPILER_IMPORT_OPERATOR_NOTES_H_
#define XRUN_COMPILER_IMPORT_OPERATOR_NOTES_H_

#include <string_view>
#include <vector>

#include "runtime/cpu/op.h"

namespace xrun::compiler {

/// What users should know of an operator beside its row in operators.cpp. Every operator that is lowered has one
/// (tested); compiler/SUPPORTED_OPS.md is made of both.
struct OperatorNote {
  std::string_view name;
  std::vector<Op> becomes;  ///< graph operators, the usual one first; none: it leaves no node
  std::string_view limits;  ///< what is refused, or runs elsewhere; empty: nothing
};

/// Sorted by name, as the operators are.
const std::vector<OperatorNote>& OperatorNotes();

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_IMPORT_OPERATOR_NOTES_H_
