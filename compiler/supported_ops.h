#ifndef XRUN_COMPILER_SUPPORTED_OPS_H_
#define XRUN_COMPILER_SUPPORTED_OPS_H_

#include <string>

namespace xrun::compiler {

/// compiler/SUPPORTED_OPS.md: the importer's table and notes, and for where an operator runs the answers of the rules
/// that quantizer and Lower follow.
std::string SupportedOpsMarkdown();

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_SUPPORTED_OPS_H_
