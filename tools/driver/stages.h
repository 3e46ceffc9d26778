#ifndef XRUN_TOOLS_DRIVER_STAGES_H_
#define XRUN_TOOLS_DRIVER_STAGES_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "isa/result.h"

namespace xrun::tools {

/// Names of the stages from model to program, in order: what --dump-after takes and --list-stages prints.
std::vector<std::string> StageNames();

/// --dump-after: writes what a stage made to its file or to stdout. A stage that runs more than once (a pass) is dumped
/// each time, one text after the other.
class StageDumper {
 public:
  /// "STAGE" or "STAGE:FILE"; an unknown stage is a failure with "did you mean".
  Status Add(const std::string& text);

  /// Matches compiler::StageObserver. A dump that cannot be written is remembered for Finish().
  void operator()(const std::string& stage, const std::function<std::string()>& text);

  /// Whether any dump goes to stdout.
  bool UsesStdout() const;
  /// Stages that were asked for and did not run.
  std::vector<std::string> Missed() const;
  /// The first dump that could not be written.
  const Status& status() const { return status_; }

 private:
  struct Request {
    std::string file;  ///< empty: stdout
    std::string text;
    bool seen = false;
  };
  std::map<std::string, Request> requests_;
  Status status_;
};

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_STAGES_H_
