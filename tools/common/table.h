#ifndef XRUN_TOOLS_COMMON_TABLE_H_
#define XRUN_TOOLS_COMMON_TABLE_H_

#include <string>
#include <vector>

namespace xrun::tools {

/// A table of aligned columns for terminals and logs: a header line, rows, two spaces between, no trailing blanks.
/// Widths count characters of UTF-8, not bytes.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell per column (asserted).
  void AddRow(std::vector<std::string> cells);
  /// A line of dashes, before totals.
  void AddRule();
  /// `indent` blanks before each line; every line ends in a newline.
  std::string ToString(int indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_COMMON_TABLE_H_
