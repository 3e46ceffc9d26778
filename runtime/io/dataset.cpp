#include "runtime/io/dataset.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <new>
#include <utility>

#include "runtime/io/column.h"
#include "runtime/io/idx.h"
#include "runtime/io/npy.h"
#include "runtime/io/preprocess_text.h"
#include "runtime/io/suggest.h"

namespace xrun::io {
namespace {

std::vector<std::string> NamesOf(const std::vector<InputSpec>& inputs) {
  std::vector<std::string> names;
  for (const InputSpec& input : inputs) names.push_back(input.name);
  return names;
}

constexpr size_t kNoInput = static_cast<size_t>(-1);

struct NamedSource {
  std::string path;
  size_t input = kNoInput;  // where NAME= says so
};

/// "NAME=PATH" or "PATH"; a path may itself hold '='.
Result<NamedSource> SplitSource(const std::string& source, const std::vector<InputSpec>& inputs) {
  const size_t equals = source.find('=');
  if (equals == std::string::npos) return NamedSource{source, kNoInput};
  const std::string name = source.substr(0, equals);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name == name) return NamedSource{source.substr(equals + 1), i};
  }
  std::error_code error;
  if (std::filesystem::exists(source, error)) return NamedSource{source, kNoInput};
  const std::vector<std::string> names = NamesOf(inputs);
  const std::string guess = DidYouMean(name, names);
  return Failure{source + ": the model has no input '" + name + "'",
                 guess.empty() ? "its inputs: " + ListNames(names) : guess};
}

std::string SamplesText(int64_t count) { return std::to_string(count) + (count == 1 ? " sample" : " samples"); }

}  // namespace

Result<Dataset> Dataset::Open(const std::vector<std::string>& sources, const std::vector<InputSpec>& inputs,
                              const DatasetOptions& options) {
  XRUN_RETURN_IF_ERROR(Validate(options.preprocess));
  Dataset dataset;
  dataset.options_ = options;
  for (const InputSpec& input : inputs) {
    const auto count = ElementCount(input.shape);
    if (!count || *count == 0) {
      return Failure{"input '" + input.name + "' of shape " + ShapeText(input.shape) + " cannot be fed", ""};
    }
    dataset.inputs_.push_back({input, nullptr});
  }

  std::string ignored;  // keys of .npz files
  const auto set = [&](size_t index, ColumnPointer column, const std::string& path) -> Status {
    Input& input = dataset.inputs_[index];
    if (input.column != nullptr) return Failure{path + ": input '" + input.spec.name + "' is given twice", ""};
    if (column->units() == 0) return Failure{path + ": holds no samples", ""};
    input.column = std::move(column);
    return {};
  };

  for (const std::string& source : sources) {
    XRUN_ASSIGN_OR_RETURN(const NamedSource named, SplitSource(source, inputs));
    const std::string& path = named.path;
    XRUN_ASSIGN_OR_RETURN(const SourceKind kind, DetectSource(path));
    if (kind == SourceKind::kNpz) {
      XRUN_ASSIGN_OR_RETURN(NamedArrays arrays, LoadNpz(path));
      const bool lone = arrays.size() == 1 && inputs.size() == 1;
      bool used = false;
      std::vector<std::string> keys;
      for (auto& [key, array] : arrays) {
        size_t index = kNoInput;
        for (size_t i = 0; i < inputs.size(); ++i) {
          if (inputs[i].name == key && (named.input == kNoInput || named.input == i)) index = i;
        }
        if (lone) index = 0;
        keys.push_back(key);
        if (index == kNoInput) {
          ignored += "\n'" + key + "' of " + path + " is no input and was ignored";
          continue;
        }
        used = true;
        XRUN_ASSIGN_OR_RETURN(auto column, MakeArrayColumn(std::move(array), path + ": '" + key + "'", inputs[index],
                                                           options.preprocess));
        XRUN_RETURN_IF_ERROR(set(index, std::move(column), path));
      }
      if (!used) {
        return Failure{path + ": none of its arrays (" + ListNames(keys) + ") is named like an input",
                       "inputs: " + ListNames(NamesOf(inputs))};
      }
      continue;
    }
    size_t index = named.input;
    if (index == kNoInput) {
      if (inputs.size() != 1) {
        return Failure{path + ": the model has " + std::to_string(inputs.size()) + " inputs (" +
                           ListNames(NamesOf(inputs)) + "), so it must be said which one this is for",
                       "NAME=" + path + ", or a .npz with one array per input"};
      }
      index = 0;
    }
    if (kind == SourceKind::kNpy || kind == SourceKind::kIdx) {
      XRUN_ASSIGN_OR_RETURN(Array array, kind == SourceKind::kNpy ? LoadNpy(path) : LoadIdx(path));
      XRUN_ASSIGN_OR_RETURN(auto column, MakeArrayColumn(std::move(array), path, inputs[index], options.preprocess));
      XRUN_RETURN_IF_ERROR(set(index, std::move(column), path));
      continue;
    }
    FileList files;
    if (kind == SourceKind::kImage) {
      files.paths = {path};
    } else {
      XRUN_ASSIGN_OR_RETURN(files, kind == SourceKind::kDirectory ? ListDirectory(path) : ReadListFile(path));
    }
    XRUN_ASSIGN_OR_RETURN(auto column, MakeFilesColumn(files, path, inputs[index], options.preprocess));
    XRUN_RETURN_IF_ERROR(set(index, std::move(column), path));
    if (!files.labels.empty()) dataset.labels_ = files.labels;
    if (!files.classes.empty()) {
      dataset.directory_labels_ = files.classes;
      dataset.class_names_ = files.class_names;
    }
  }

  const Input* first = nullptr;
  for (const Input& input : dataset.inputs_) {
    if (input.column == nullptr)
      return Failure{"no data for input '" + input.spec.name + "'", "NAME=PATH names its source"};
    const Column& column = *input.column;
    const int64_t runs = (column.units() + column.units_per_run() - 1) / column.units_per_run();
    const int64_t samples = column.units() * column.samples_per_unit();
    if (first == nullptr) {
      first = &input;
      dataset.source_runs_ = runs;
      dataset.source_samples_ = samples;
      dataset.batch_ = column.units_per_run() * column.samples_per_unit();
    } else if (const int64_t batch = column.units_per_run() * column.samples_per_unit(); batch != dataset.batch_) {
      // Leading dimensions of several sizes are no batch that inputs share: whole runs are what must agree.
      const auto whole = [](int64_t all, int64_t a_run) { return all % a_run == 0; };
      if (runs != dataset.source_runs_ || !whole(samples, batch) || !whole(dataset.source_samples_, dataset.batch_)) {
        return Failure{"input '" + input.spec.name + "' has " + SamplesText(samples) + ", " + std::to_string(batch) +
                           " a run, input '" + first->spec.name + "' has " + std::to_string(dataset.source_samples_) +
                           ", " + std::to_string(dataset.batch_) + " a run",
                       "give each input as many whole runs"};
      }
    } else if (samples != dataset.source_samples_ || runs != dataset.source_runs_) {
      return Failure{"input '" + input.spec.name + "' has " + SamplesText(samples) + ", input '" + first->spec.name +
                         "' has " + std::to_string(dataset.source_samples_),
                     ""};
    }
    dataset.description_ += (dataset.description_.empty() ? "" : "\n") + column.description();
  }
  if (first == nullptr) return Failure{"the model has no inputs to give data to", ""};
  dataset.description_ += ignored;
  dataset.samples_ = options.limit > 0 ? std::min(options.limit, dataset.source_samples_) : dataset.source_samples_;
  if (dataset.samples_ < dataset.source_samples_) {
    dataset.description_ += "\n" + std::to_string(dataset.samples_) + " of " + SamplesText(dataset.source_samples_) +
                            (options.pick == Pick::kSpread ? " taken, evenly spread" : " taken, the first");
  }
  XRUN_RETURN_IF_ERROR(dataset.Get(0));
  return dataset;
}

Result<Feed> Dataset::Get(int64_t run) const {
  assert(run >= 0 && run < runs());
  const int64_t source_run = options_.pick == Pick::kSpread ? run * source_runs_ / runs() : run;
  Feed feed;
  feed.first_sample = source_run * batch_;
  feed.valid = std::min({batch_, samples_ - run * batch_, source_samples_ - feed.first_sample});
  try {
    for (const Input& input : inputs_) {
      const Column& column = *input.column;
      XRUN_ASSIGN_OR_RETURN(Array tensor, Array::Create(ElementType::kFloat32, input.spec.shape));
      assert(column.elements() * column.units_per_run() == tensor.size());
      for (int64_t i = 0; i < column.units_per_run(); ++i) {
        const int64_t unit = std::min(source_run * column.units_per_run() + i, column.units() - 1);
        float* out = tensor.data<float>() + i * column.elements();
        XRUN_RETURN_IF_ERROR(column.Fill(unit, out));
        if (options_.require_finite &&
            !std::all_of(out, out + column.elements(), [](float x) { return std::isfinite(x); })) {
          return Failure{column.description() + ": sample " + std::to_string(unit) + " holds NaN or infinity", ""};
        }
      }
      feed.tensors.emplace(input.spec.name, std::move(tensor));
    }
  } catch (const std::bad_alloc&) {
    return Failure{"not enough memory for one sample", ""};
  }
  return feed;
}

Result<std::vector<int64_t>> Dataset::DirectoryLabels() const {
  if (directory_labels_.empty()) {
    return Failure{"labels 'dirnames' need a directory with one directory of pictures per class",
                   "every picture must lie in a class directory; --labels FILE reads labels from a file"};
  }
  return directory_labels_;
}

Result<std::vector<int64_t>> LoadLabels(const std::string& path) {
  std::vector<int64_t> labels;
  if (path.ends_with(".txt") || path.ends_with(".lst") || path.ends_with(".csv")) {
    XRUN_ASSIGN_OR_RETURN(const std::vector<Line> lines, ReadLines(path));
    for (const Line& line : lines) {
      int64_t label = 0;
      const char* last = line.text.data() + line.text.size();
      const auto [end, error] = std::from_chars(line.text.data(), last, label);
      if (error != std::errc() || end != last) {
        return Failure{path + ":" + std::to_string(line.number) + ": '" + line.text.substr(0, 40) +
                           "' is not an integer; one label per line is expected",
                       ""};
      }
      labels.push_back(label);
    }
  } else {
    XRUN_ASSIGN_OR_RETURN(const SourceKind kind, DetectSource(path));
    if (kind != SourceKind::kNpy && kind != SourceKind::kIdx) {
      return Failure{path + ": is no file of labels",
                     "known: .npy, IDX, IDX.gz, .txt with one integer per line; or dirnames"};
    }
    XRUN_ASSIGN_OR_RETURN(const Array array, kind == SourceKind::kNpy ? LoadNpy(path) : LoadIdx(path));
    if (array.shape.empty() || array.size() != array.shape[0]) {
      return Failure{path + ": labels of shape " + ShapeText(array.shape) + "; one value per sample is expected", ""};
    }
    const bool wide = array.type == ElementType::kInt64 || array.type == ElementType::kUint64 ||
                      array.type == ElementType::kFloat64 || array.type == ElementType::kInt32 ||
                      array.type == ElementType::kUint32;
    for (int64_t i = 0; i < array.size(); ++i) {
      float value = 0;
      CopyAsFloat32(array, i, 1, &value);
      // Class indices are small; float32 holds integers exactly up to 2^24.
      if (value != std::floor(value) || std::fabs(value) >= 16777216.0F) {
        return Failure{path + ": label " + std::to_string(i) + " is not a class index" + (wide ? " below 2^24" : ""),
                       ""};
      }
      labels.push_back(static_cast<int64_t>(value));
    }
  }
  if (labels.empty()) return Failure{path + ": holds no labels", ""};
  return labels;
}

}  // namespace xrun::io
