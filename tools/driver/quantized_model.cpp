#include "tools/driver/quantized_model.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>

#include "compiler/import/import_onnx.h"
#include "compiler/macs.h"
#include "compiler/passes/canonicalize.h"
#include "compiler/quantize/absorb_qdq.h"
#include "compiler/quantize/copy_channels.h"
#include "compiler/quantize/equalize.h"
#include "compiler/quantize/select.h"
#include "compiler/quantize/synthetic_inputs.h"
#include "runtime/io/dataset.h"
#include "tools/common/table.h"
#include "tools/driver/calibrate.h"

namespace xrun::tools {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

/// [N, C, H, W] or [N, H, W, C] with one or three channels.
bool TakesPictures(const compiler::Shape& shape) {
  const auto channels = [&](size_t axis) { return shape[axis] == 1 || shape[axis] == 3; };
  return shape.size() == 4 && (channels(1) || channels(3));
}

std::string StatsText(const compiler::Graph& graph, const compiler::Calibration& calibration) {
  Table table({{"value"}, {"shape"}, {"min", Table::Align::kRight}, {"max", Table::Align::kRight}});
  for (size_t i = 0; i < calibration.stats.size(); ++i) {
    const compiler::ActivationStats& stats = calibration.stats[i];
    if (stats.count() == 0) continue;
    table.AddRow(
        {graph.values[i].name, io::ShapeText(graph.values[i].shape), Number(stats.min()), Number(stats.max())});
  }
  return "# " + std::to_string(calibration.samples) + (calibration.synthetic ? " built-in samples\n" : " samples\n") +
         table.ToString();
}

/// Runs that the reach of channels and second-order sums are measured on: more tell little more, since each gives
/// hundreds of positions a layer.
constexpr int64_t kReachRuns = 16, kMomentRuns = 64;

struct Learnt {
  compiler::Calibration calibration;
  std::optional<std::vector<compiler::InputMoments>> moments;
};

compiler::QuantizeOptions OptionsOf(const CalibrationOptions& options) {
  const auto method = compiler::ParseCalibrationMethod(options.method);
  assert(method.has_value());  // the flag takes nothing else
  return {.method = *method,
          .round_by_data = options.weight_rounding == "data",
          .correct_bias = options.bias_correction == "on"};
}

/// Trials that find out where activations need more than 8 bits: samples, and multiply-accumulates in all.
constexpr int64_t kTrialRuns = 4;
constexpr double kTrialMacs = 1e11;

/// Copies stay when the outputs then lose at most this share of what they lost before: they cost speed.
constexpr double kWorthCopying = 0.5;

double AllMacs(const compiler::Graph& graph) {
  double macs = 0;
  for (const compiler::Node& node : graph.nodes) macs += static_cast<double>(compiler::Macs(graph, node));
  return macs;
}

/// Copies channels of the calibrated `graph` where that keeps its outputs closest, and calibrates again. Nothing
/// changes when nothing needs it, or when the outputs of the whole are hardly closer for it. What was done, for people:
/// "" if nothing was tried.
Result<std::string> CopyWhereItHelps(compiler::Graph& graph, compiler::Calibration& calibration,
                                     const compiler::QuantizeOptions& options, const compiler::CopyLimits& limits,
                                     const io::Dataset& data, int jobs, Progress& progress) {
  const auto steps_of = [&](const compiler::Graph& of, const compiler::Calibration& from) {
    return compiler::ChooseActivationParams(of, compiler::SelectQuantized(of), from, options.method,
                                            options.percentile);
  };
  std::vector<compiler::CopyCandidate> candidates =
      compiler::FindCopyCandidates(graph, compiler::SelectQuantized(graph));
  // The first layers have the most pixels and the fewest channels: where a trial of all takes too long, they are tried.
  const double macs = std::max(AllMacs(graph), 1.0);
  const auto most = static_cast<size_t>(std::max(4.0, kTrialMacs / macs));
  if (candidates.size() > most) candidates.resize(most);
  if (candidates.empty()) return std::string();
  const auto tried = static_cast<double>(candidates.size() + 1);
  const auto runs = static_cast<int64_t>(std::clamp(kTrialMacs / (tried * macs), 1.0, double{kTrialRuns}));
  const auto trial_of = [&](const compiler::Graph& of, const compiler::ActivationParams& steps) {
    auto trial = compiler::RoundingTrial::Create(of, steps, jobs);
    if (!trial.ok()) return trial;
    Status fed = FeedSome(data, of, runs, progress, [&](auto inputs) { return trial->Add(inputs); });
    return fed.ok() ? std::move(trial) : Result<compiler::RoundingTrial>(std::move(fed).failure());
  };
  XRUN_ASSIGN_OR_RETURN(const compiler::ActivationParams steps, steps_of(graph, calibration));
  XRUN_ASSIGN_OR_RETURN(auto trial, trial_of(graph, steps));
  XRUN_ASSIGN_OR_RETURN(const std::vector<int> copies, compiler::ChooseCopies(graph, candidates, trial, limits));
  compiler::Graph copied = graph;
  const compiler::CopyShifts shifts = compiler::CopyChannels(copied, candidates, copies);
  if (shifts.empty()) return std::string();
  XRUN_ASSIGN_OR_RETURN(compiler::Calibration again, Calibrate(copied, data, jobs, progress));
  XRUN_ASSIGN_OR_RETURN(const compiler::ActivationParams finer, steps_of(copied, again));
  compiler::ShiftCopies(copied, shifts, finer);
  XRUN_ASSIGN_OR_RETURN(auto trial_of_all, trial_of(copied, finer));
  XRUN_ASSIGN_OR_RETURN(const double before, trial.Loss(std::vector<bool>(graph.values.size(), true)));
  XRUN_ASSIGN_OR_RETURN(const double after, trial_of_all.Loss(std::vector<bool>(copied.values.size(), true)));
  const std::string losses = "loss of " + Number(before) + " by rounding activations, " + Number(after) + " with ";
  if (after > kWorthCopying * before) return losses + "copies of channels: left out";
  const double more = 100 * (AllMacs(copied) / macs - 1);
  graph = std::move(copied);
  calibration = std::move(again);
  return losses + std::to_string(shifts.size()) + " layers' channels copied, " + Number(std::round(more)) +
         " % more multiply-accumulates";
}

/// Calibrates `graph`, and equalizes it before.
Result<Learnt> RunCalibration(compiler::Graph& graph, const ModelFlags& flags, ProgressMode progress_mode,
                              QuantizedModel& model) {
  Learnt learnt;
  const CalibrationOptions& options = flags.calibration;
  if (options.sources.empty()) {
    model.source = ScaleSource::kSynthetic;
    const auto [lo, hi] = options.input_range;
    model.calibration = "calibrated without data (" + std::to_string(compiler::kSyntheticSamples) +
                        " built-in samples over " + Number(lo) + " … " + Number(hi) + ", " + options.method + ")";
    XRUN_ASSIGN_OR_RETURN(learnt.calibration, compiler::CalibrateWithoutData(graph, lo, hi, flags.Jobs()));
    return learnt;
  }
  model.source = ScaleSource::kData;
  XRUN_ASSIGN_OR_RETURN(const io::Dataset data, io::Dataset::Open(options.sources, InputSpecsOf(graph),
                                                                  {.preprocess = model.preprocess,
                                                                   .limit = options.samples,
                                                                   .pick = io::Pick::kSpread,
                                                                   .require_finite = true}));
  model.calibration = options.method + ", " + std::to_string(data.samples()) + " samples of " + data.Describe();
  std::replace(model.calibration.begin(), model.calibration.end(), '\n', ';');
  const compiler::QuantizeOptions quantize = OptionsOf(options);
  const bool equalize = options.equalization == "on", second_order = quantize.round_by_data || quantize.correct_bias;
  const bool copy = options.channel_copies > 0;
  const int64_t runs = data.runs() + (equalize ? std::min(data.runs(), kReachRuns) : 0) +
                       (copy ? std::min(data.runs(), kTrialRuns) : 0) +
                       (second_order ? std::min(data.runs(), kMomentRuns) : 0);
  Progress progress("calibrating", runs, progress_mode);
  if (equalize) {
    XRUN_ASSIGN_OR_RETURN(auto ranges, compiler::ChannelRanges::Create(graph, flags.Jobs()));
    XRUN_RETURN_IF_ERROR(FeedSome(data, graph, kReachRuns, progress, [&](auto inputs) { return ranges.Add(inputs); }));
    compiler::SplitByReach(graph, ranges.ranges());
    compiler::Equalize(graph, ranges.ranges());
  }
  XRUN_ASSIGN_OR_RETURN(learnt.calibration, Calibrate(graph, data, flags.Jobs(), progress));
  if (copy) {
    XRUN_ASSIGN_OR_RETURN(const std::string copies,
                          CopyWhereItHelps(graph, learnt.calibration, quantize, {options.channel_copies / 100}, data,
                                           flags.Jobs(), progress));
    if (!copies.empty()) model.calibration += "; " + copies;
  }
  if (!second_order) return learnt;
  XRUN_ASSIGN_OR_RETURN(auto collector, compiler::CollectMoments(graph, learnt.calibration, quantize, flags.Jobs()));
  XRUN_RETURN_IF_ERROR(
      FeedSome(data, graph, kMomentRuns, progress, [&](auto inputs) { return collector.Add(inputs); }));
  learnt.moments = collector.Take();
  return learnt;
}

}  // namespace

Result<QuantizedModel> MakeQuantizedModel(const ModelFlags& flags, ProgressMode progress,
                                          const compiler::StageObserver& observer) {
  QuantizedModel model;
  XRUN_ASSIGN_OR_RETURN(model.preprocess, flags.preprocess.Get());
  model.preprocess_given = flags.preprocess.given();
  XRUN_ASSIGN_OR_RETURN(compiler::Graph graph, compiler::ImportOnnx(flags.model, flags.Import()));
  for (compiler::ValueId id : graph.inputs) model.pictures = model.pictures || TakesPictures(graph.at(id).shape);
  observer("import", [&] { return compiler::ToText(graph); });
  const auto on_pass = [&](std::string_view pass, const compiler::Graph& after, bool changed) {
    observer(std::string(pass),
             [&] { return std::string(changed ? "# changed\n" : "# not changed\n") + compiler::ToText(after); });
  };
  if (Status canonical = compiler::Canonicalize(graph, on_pass); !canonical.ok()) {
    return std::move(canonical).failure().In(flags.model);
  }
  if (compiler::HasQdq(graph)) {
    if (!flags.calibration.sources.empty() || flags.calibration.input_range_given) {
      return Failure{flags.model + " is quantized already: it carries scales and zero points of its own",
                     "leave --calib and --input-range out, or give the float model"};
    }
    model.calibration = "scales and zero points of the model's own";
    auto quantized = compiler::AbsorbQdq(graph);
    if (!quantized.ok()) return std::move(quantized).failure().In(flags.model);
    model.graph = std::move(*quantized);
    observer("quantize", [&] { return compiler::ToText(model.graph); });
    return model;
  }
  auto learnt = RunCalibration(graph, flags, progress, model);
  if (!learnt.ok()) return std::move(learnt).failure().In(flags.model);
  observer("calibrate", [&] { return StatsText(graph, learnt->calibration); });
  auto quantized = compiler::Quantize(graph, learnt->calibration, OptionsOf(flags.calibration),
                                      learnt->moments ? &*learnt->moments : nullptr);
  if (!quantized.ok()) return std::move(quantized).failure().In(flags.model);
  model.graph = std::move(quantized->graph);
  model.ranges = std::move(quantized->ranges);
  observer("quantize", [&] { return compiler::ToText(model.graph); });
  return model;
}

std::string ShellWord(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::strchr("_-./:=,+@%", c) != nullptr;
  });
  if (plain) return text;
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string AdviceWithoutData(const QuantizedModel& model, const std::string& command) {
  const std::string& input = model.graph.at(model.graph.inputs[0]).name;
  std::string text =
      "No calibration data were given. Ranges come from built-in images, not from yours: expect less "
      "accuracy.\nAny of these does better:\n";
  const std::string array = "  " + command + " --calib " + ShellWord(input + "=calibration.npy") + "\n";
  const std::string range = "  " + command + " --input-range 0,1\n";
  if (model.pictures) {
    const compiler::Shape& shape = model.graph.at(model.graph.inputs[0]).shape;
    const bool nchw = shape.size() == 4 && (shape[1] == 1 || shape[1] == 3);
    const bool gray = shape.size() == 4 && shape[nchw ? 1 : 3] == 1;
    const std::string size =
        shape.size() != 4 ? "224x224" : std::to_string(shape[nchw ? 3 : 2]) + "x" + std::to_string(shape[nchw ? 2 : 1]);
    text += "  " + command + " --calib pictures/ --resize " + size + " --scale 1/255 --mean 0 --std 1" +
            (gray ? " --channel-order gray" : "") + "\n" + array + range;
    text +=
        "(a directory of pictures, an array of samples as the model takes them, or at least the range of the input)\n";
  } else {
    text += array + "  " + command + " --calib calibration.npz\n" + range;
    text += "(an array of samples, an archive with one array per input, or at least the range of the input)\n";
  }
  return text;
}

std::string RangeTable(const std::vector<compiler::ChosenRange>& ranges) {
  const auto right = Table::Align::kRight;
  Table table({{"value"},
               {"seen"},
               {"kept"},
               {"scale", right},
               {"zero point", right},
               {"error", right},
               {"minmax error", right}});
  for (const compiler::ChosenRange& r : ranges) {
    table.AddRow({r.value, Number(r.seen.lo) + " … " + Number(r.seen.hi),
                  Number(r.chosen.lo) + " … " + Number(r.chosen.hi), Number(r.scale), std::to_string(r.zero_point),
                  Number(r.mean_squared_error), Number(r.minmax_error)});
  }
  return table.ToString();
}

}  // namespace xrun::tools
