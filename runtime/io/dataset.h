#ifndef XRUN_RUNTIME_IO_DATASET_H_
#define XRUN_RUNTIME_IO_DATASET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isa/result.h"
#include "runtime/io/array.h"
#include "runtime/io/preprocess.h"

namespace xrun::io {

/// An input of a model as data sources need to know it. The leading dimension of shapes of rank ≥ 2 is the batch.
struct InputSpec {
  std::string name;
  std::vector<int64_t> shape;
};

/// Which samples to take when `limit` says less than all.
enum class Pick : uint8_t {
  kFirst,   ///< the first `limit`: what evaluation means by it
  kSpread,  ///< evenly spread over the whole: calibration from class-sorted directories sees every class
};

struct DatasetOptions {
  Preprocess preprocess;  ///< for pictures; must be valid
  int64_t limit = 0;      ///< samples at most; 0: all
  Pick pick = Pick::kFirst;
  bool require_finite = false;  ///< refuse NaN and infinity (calibration)
};

/// What one run of the model takes: float32, each of exactly its input's shape. When the samples end within a batch,
/// the last one is repeated and `valid` counts the real ones.
struct Feed {
  std::map<std::string, Array> tensors;
  int64_t first_sample = 0;  ///< index within the source, before `limit`: the label's index
  int64_t valid = 1;
};

/// Samples for a model from sources `[NAME=]PATH`, where PATH is
///   - a directory: every .jpg, .jpeg, .png and .npy below it, sorted by path; other and hidden files are skipped;
///   - a text file (.txt, .lst): one path per line, relative to the file's own directory, optionally followed by a
///   label
///     (an integer after white space); `dataset.labels()` has them;
///   - one picture;
///   - .npy, or IDX, plain or gzip-compressed (MNIST's format), or .npz, whose keys are input names.
/// NAME may be left out when the model has one input, and for .npz (a lone array in it goes to a lone input whatever
/// its key). Extra keys of a .npz are ignored and named in Describe().
///
/// uint8 arrays of rank 4 (NHWC, C = 1 or 3) and rank 3 (HWC with C = 1 or 3: one picture, else NHW: gray) are pictures
/// and are preprocessed; so are IDX images. A uint8 .npy within a directory or list is one HWC picture. All other
/// arrays are values, converted to float32 and not preprocessed: rows along their leading dimension, or whole inputs.
/// Dimensions of 1 may differ from the model's ([N,49,10] fits [1,49,10,1]). Pictures go to inputs [B,C,H,W], [B,H,W,C]
/// (without B too) or, gray, [B,H·W].
///
/// Immutable after Open; Get may be called from several threads at once. Arrays are held in memory, pictures are
/// decoded in Get. Failures name source, sample and the flag that helps.
class Dataset {
 public:
  /// Reads arrays and indexes, and tries the first sample, so that most mistakes show here.
  static Result<Dataset> Open(const std::vector<std::string>& sources, const std::vector<InputSpec>& inputs,
                              const DatasetOptions& options);

  int64_t samples() const { return samples_; }
  int64_t batch() const { return batch_; }  ///< samples per run
  int64_t runs() const { return (samples_ + batch_ - 1) / batch_; }

  /// Run `run` in 0 … runs() − 1 (asserted).
  Result<Feed> Get(int64_t run) const;

  /// Labels from a list file, one per sample of the source (before `limit`).
  const std::optional<std::vector<int64_t>>& labels() const { return labels_; }
  /// Labels from class directories: the index of each file's top directory among the sorted ones.
  Result<std::vector<int64_t>> DirectoryLabels() const;
  /// The sorted class directories; empty when the source is no directory of directories.
  const std::vector<std::string>& class_names() const { return class_names_; }

  /// One line per source for people: "60000 gray 28x28 pictures from train-images-idx3-ubyte.gz".
  std::string Describe() const { return description_; }

  class Column;  ///< the samples of one input; defined in dataset.cpp

 private:
  struct Input {
    InputSpec spec;
    std::shared_ptr<const Column> column;
  };

  std::vector<Input> inputs_;
  DatasetOptions options_;
  int64_t source_runs_ = 0;
  int64_t source_samples_ = 0;
  int64_t samples_ = 0;
  int64_t batch_ = 1;
  std::optional<std::vector<int64_t>> labels_;
  std::vector<int64_t> directory_labels_;
  std::vector<std::string> class_names_;
  std::string description_;
};

/// Class labels from a file: .npy or IDX (plain or gzip-compressed) of one value per sample, or text, one integer per
/// line. Failures name the file and the line or element.
Result<std::vector<int64_t>> LoadLabels(const std::string& path);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_DATASET_H_
