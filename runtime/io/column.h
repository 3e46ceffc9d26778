#ifndef XRUN_RUNTIME_IO_COLUMN_H_
#define XRUN_RUNTIME_IO_COLUMN_H_

#include <memory>
#include <string>
#include <vector>

#include "runtime/io/dataset.h"
#include "runtime/io/source.h"

namespace xrun::io {

/// The samples of one input, unit by unit. A unit is what one Fill writes: a row of the batch, or the whole input.
class Dataset::Column {
 public:
  virtual ~Column() = default;
  /// `elements()` floats to `out`; 0 ≤ unit < units(). Thread-safe. Failures name source and sample.
  virtual Status Fill(int64_t unit, float* out) const = 0;

  int64_t units() const { return units_; }
  int64_t elements() const { return elements_; }            ///< per unit
  int64_t units_per_run() const { return units_per_run_; }  ///< the batch, or 1 for whole inputs
  int64_t samples_per_unit() const { return samples_per_unit_; }
  const std::string& description() const { return description_; }

 protected:
  int64_t units_ = 0, elements_ = 0, units_per_run_ = 1, samples_per_unit_ = 1;
  std::string description_;
};

using ColumnPointer = std::shared_ptr<const Dataset::Column>;

/// Pictures or values of an array; see Dataset for which is which. `where` is the file, for messages.
Result<ColumnPointer> MakeArrayColumn(Array array, const std::string& where, const InputSpec& input,
                                      const Preprocess& preprocess);

/// One file per sample.
Result<ColumnPointer> MakeFilesColumn(const FileList& files, const std::string& where, const InputSpec& input,
                                      const Preprocess& preprocess);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_COLUMN_H_
