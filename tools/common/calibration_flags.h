#ifndef XRUN_TOOLS_COMMON_CALIBRATION_FLAGS_H_
#define XRUN_TOOLS_COMMON_CALIBRATION_FLAGS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isa/result.h"
#include "runtime/io/preprocess.h"

namespace xrun::tools {

/// --preprocess FILE.json, or --resize --resize-filter --crop --scale --mean --std --channel-order. Add to an app,
/// parse, then ask. The object must stay where it is between the two.
class PreprocessFlags {
 public:
  PreprocessFlags() = default;
  PreprocessFlags(const PreprocessFlags&) = delete;
  PreprocessFlags& operator=(const PreprocessFlags&) = delete;

  void AddTo(CLI::App& app);
  /// Whether any of the flags was given.
  bool given() const;
  /// The specification: the file's, the flags', or the default. Wrong texts of flags are usage errors (exit code 2),
  /// thrown; a bad file is a Failure.
  Result<io::Preprocess> Get() const;

 private:
  std::string file_;
  /// Text of each flag, in the order of kFlags (calibration_flags.cpp).
  std::vector<std::string> texts_;
};

/// --calib --calib-samples --calib-method --equalization --channel-copies --weight-rounding --bias-correction
/// --input-range.
struct CalibrationOptions {
  std::vector<std::string> sources;  ///< [NAME=]PATH, see io::Dataset
  int64_t samples = 0;               ///< 0: all
  std::string method;
  std::string equalization = "on", weight_rounding = "data", bias_correction = "on";
  double channel_copies = 200;  ///< percent of the multiply-accumulates that copies may add; 0: none
  std::pair<float, float> input_range{-2.5F, 2.5F};  ///< for calibration without data
  bool input_range_given = false;
};

/// `options` must outlive the parse. `methods` are the accepted names, `default_method` one of them. --input-range
/// together with --calib is a usage error, found while parsing.
void AddCalibrationFlags(CLI::App& app, CalibrationOptions& options, const std::vector<std::string>& methods,
                         const std::string& default_method);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_COMMON_CALIBRATION_FLAGS_H_
