#ifndef XRUN_TOOLS_COMMON_TOOL_H_
#define XRUN_TOOLS_COMMON_TOOL_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "isa/result.h"
#include "tools/common/progress.h"

namespace xrun::tools {

enum ExitCode : int { kExitOk = 0, kExitUserError = 1, kExitUsage = 2, kExitInternal = 3 };

/// The project's version, "0.1.0".
const char* Version();

/// What -v -q --json --progress say.
struct CommonOptions {
  int verbosity = 0;  ///< number of -v
  bool quiet = false;
  std::optional<std::string> json;  ///< "-" is stdout
  ProgressMode progress = ProgressMode::kAuto;

  /// Whether a text summary belongs on stdout: not with -q, and not where JSON goes.
  bool text() const { return !quiet && (!json || *json != "-"); }
  /// Progress lines never mix with -q.
  ProgressMode progress_mode() const { return quiet ? ProgressMode::kOff : progress; }
};

/// One command line tool: the flags common to all, and the way from main() to the exit code.
///
///     int main(int argc, char** argv) {
///       xrun::tools::Tool tool("xcompile", "Compiles a network for an overlay.");
///       tool.app().add_option("MODEL", ...);
///       return tool.Run(argc, argv, [&]() -> xrun::Status { ... });
///     }
///
/// Run parses, sets logging up, and calls `body`. Its Failure is printed as "xcompile: error: ..." with the hint below,
/// exit code 1. Wrong usage is 2; UsageError() from anywhere within parsing callbacks or body is that too. Exceptions
/// end as one line: lack of memory 1, all others 3. SIGINT and SIGTERM remove the temporary files of unfinished writes,
/// say so in one line, and then end the process as they would have (a shell sees 130 and 143); SIGPIPE is left alone,
/// SIGXFSZ becomes a write error.
class Tool {
 public:
  Tool(const std::string& name, const std::string& description);

  CLI::App& app() { return app_; }
  const CommonOptions& common() const { return common_; }

  int Run(int argc, const char* const* argv, const std::function<Status()>& body);

  /// A line on stderr, "xcompile: warning: ...", unless -q.
  void Warn(const std::string& message) const;

  /// Writes `document` with "schema": 1 in front to where --json says; nothing without --json. A file appears whole or
  /// not at all.
  Status WriteJson(const nlohmann::ordered_json& document) const;

 private:
  int Parse(int argc, const char* const* argv, bool& finished);
  int ReportUsage(const std::string& message, const std::string& hint) const;

  std::string name_;
  CLI::App app_;
  CommonOptions common_;
};

/// Wrong usage found beyond parsing ("--input-range only without --calib"): ends the tool with exit code 2.
[[noreturn]] void UsageError(const std::string& message, const std::string& hint = "");

/// Ends as a usage error when `status` has a failure: for texts of flags parsed by library functions.
void CheckUsage(const std::string& flag, const Status& status);

/// A document of ours: `document` with "schema": 1 in front, indented, a line break at the end.
std::string JsonText(const nlohmann::ordered_json& document);
/// JsonText on stdout.
Status PrintJson(const nlohmann::ordered_json& document);

/// Flushes stdout; a full disk or closed pipe behind it is a failure, not a silent loss.
Status FlushStdout();

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_COMMON_TOOL_H_
