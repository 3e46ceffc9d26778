#include "tools/common/calibration_flags.h"

#include <algorithm>
#include <array>

#include "runtime/io/preprocess_text.h"
#include "tools/common/tool.h"

namespace xrun::tools {
namespace {

struct Flag {
  const char* name;
  const char* type;
  const char* help;
  Status (*parse)(std::string_view, io::Preprocess&);
};

constexpr std::array<Flag, 7> kFlags = {{
    {"--resize", "WxH[:MODE]", "MODE: stretch, shortest or letterbox[=114] [stretch]", io::ParseResize},
    {"--resize-filter", "FILTER", "pil-bilinear or cv-linear [pil-bilinear]", io::ParseResizeFilter},
    {"--crop", "WxH", "Cut out the centre", io::ParseCrop},
    {"--scale", "S", "x = (pixel * scale - mean) / std [1/255]", io::ParseScale},
    {"--mean", "M[,M,M]", "Mean, one or per channel [0]", io::ParseMean},
    {"--std", "S[,S,S]", "Standard deviation, one or per channel [1]", io::ParseStd},
    {"--channel-order", "ORDER", "rgb, bgr or gray [rgb]", io::ParseChannelOrder},
}};

}  // namespace

void PreprocessFlags::AddTo(CLI::App& app) {
  const std::string group = "Preprocessing of pictures";
  texts_.assign(kFlags.size(), "");
  CLI::Option* file = app.add_option("--preprocess", file_, "Read all of this from a JSON file instead")
                          ->type_name("FILE.json")
                          ->group(group);
  for (size_t i = 0; i < kFlags.size(); ++i) {
    app.add_option(kFlags[i].name, texts_[i], kFlags[i].help)->type_name(kFlags[i].type)->group(group)->excludes(file);
  }
}

bool PreprocessFlags::given() const {
  return !file_.empty() || std::any_of(texts_.begin(), texts_.end(), [](const auto& text) { return !text.empty(); });
}

Result<io::Preprocess> PreprocessFlags::Get() const {
  if (!file_.empty()) return io::LoadPreprocess(file_);
  io::Preprocess result;
  for (size_t i = 0; i < texts_.size(); ++i) {
    if (!texts_[i].empty()) CheckUsage(kFlags[i].name, kFlags[i].parse(texts_[i], result));
  }
  return result;
}

void AddCalibrationFlags(CLI::App& app, CalibrationOptions& options, const std::vector<std::string>& methods,
                         const std::string& default_method) {
  const std::string group = "Calibration";
  options.method = default_method;
  std::string choices;
  for (const std::string& method : methods) choices += (choices.empty() ? "" : "|") + method;
  CLI::Option* calib =
      app.add_option("--calib", options.sources, "Directory, list.txt, .npy, .npz, IDX or IDX.gz; once per input")
          ->type_name("[NAME=]PATH")
          ->allow_extra_args(false)
          ->group(group);
  app.add_option("--calib-samples", options.samples, "Samples to use, evenly spread [all]")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs(calib)
      ->group(group);
  app.add_option("--calib-method", options.method, choices + " [" + default_method + "]")
      ->type_name("METHOD")
      ->check(CLI::IsMember(methods))
      ->group(group);
  app.add_option("--equalization", options.equalization,
                 "on or off: even out the reach of channels between convolutions [on]")
      ->type_name("WHETHER")
      ->check(CLI::IsMember({"on", "off"}))
      ->needs(calib)
      ->group(group);
  app.add_option_function<std::string>(
         "--channel-copies",
         [&options](const std::string& text) {
           const auto percent = io::ParseNumber(text);
           if (text == "on" || text == "off") {
             options.channel_copies = text == "on" ? CalibrationOptions().channel_copies : 0;
           } else if (percent.ok() && *percent >= 0 && *percent <= 1000) {
             options.channel_copies = *percent;
           } else {
             UsageError("--channel-copies: '" + text + "' is not on, off or a percentage up to 1000", "");
           }
         },
         "More than 8 bits where rounding activations harms most, for so many % of MACs at most; on (200) or off [on]")
      ->type_name("PERCENT")
      ->needs(calib)
      ->group(group);
  app.add_option("--weight-rounding", options.weight_rounding,
                 "data (what keeps results on the calibration data closest) or nearest [data]")
      ->type_name("HOW")
      ->check(CLI::IsMember({"data", "nearest"}))
      ->needs(calib)
      ->group(group);
  app.add_option("--bias-correction", options.bias_correction,
                 "on or off: keep each channel's mean on the calibration data [on]")
      ->type_name("WHETHER")
      ->check(CLI::IsMember({"on", "off"}))
      ->needs(calib)
      ->group(group);
  app.add_option_function<std::string>(
         "--input-range",
         [&options](const std::string& text) {
           const size_t comma = text.find(',');
           const auto lo = io::ParseNumber(text.substr(0, comma));
           const auto hi = comma == std::string::npos ? lo : io::ParseNumber(text.substr(comma + 1));
           if (comma == std::string::npos || !lo.ok() || !hi.ok() || !(*lo < *hi)) {
             UsageError("--input-range: '" + text + "' is not two numbers, the smaller first", "for example -2.5,2.5");
           }
           options.input_range = {static_cast<float>(*lo), static_cast<float>(*hi)};
           options.input_range_given = true;
         },
         "Range of the inputs, when there is no data [-2.5,2.5]")
      ->type_name("LO,HI")
      ->excludes(calib)
      ->group(group);
}

}  // namespace xrun::tools
