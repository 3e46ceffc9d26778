#include "runtime/io/column.h"

#include <algorithm>
#include <optional>

#include "runtime/io/image.h"
#include "runtime/io/npy.h"
#include "runtime/io/preprocess_apply.h"

namespace xrun::io {
namespace {

using Shape = std::vector<int64_t>;

Shape Squeeze(const Shape& shape, size_t from = 0) {
  Shape result;
  for (size_t d = from; d < shape.size(); ++d) {
    if (shape[d] != 1) result.push_back(shape[d]);
  }
  return result;
}

/// How an input takes pictures.
struct PictureTarget {
  int channels = 1;
  Layout layout = Layout::kChw;
  int64_t height = 0, width = 0;  // 0, 0: gray of `elements` pixels in any shape
  int64_t elements = 0;
  int64_t batch = 1;
};

std::string InputText(const InputSpec& input) {
  return "input '" + input.name + "' of shape " + ShapeText(input.shape);
}

Result<PictureTarget> TargetOf(const InputSpec& input) {
  const Shape& s = input.shape;
  PictureTarget target;
  if (s.size() == 3 || s.size() == 4) {
    const size_t first = s.size() - 3;
    const auto fits = [](int64_t c) { return c == 1 || c == 3; };
    target.batch = first == 1 ? s[0] : 1;
    if (fits(s[first])) {
      target.layout = Layout::kChw;
      target.channels = static_cast<int>(s[first]);
      target.height = s[first + 1];
      target.width = s[first + 2];
    } else if (fits(s[first + 2])) {
      target.layout = Layout::kHwc;
      target.channels = static_cast<int>(s[first + 2]);
      target.height = s[first];
      target.width = s[first + 1];
    }
    target.elements = target.height * target.width * target.channels;
  } else if (s.size() == 2) {
    target.batch = s[0];
    target.elements = s[1];
  }
  if (target.elements == 0) {
    return Failure{InputText(input) + " takes no pictures: it needs 1 or 3 channels (NCHW or NHWC)",
                   "give values instead: a float32 .npy or .npz"};
  }
  return target;
}

/// One prepared picture to `out`; the failure does not name it.
Status FillPicture(const Image& image, const Preprocess& preprocess, const PictureTarget& target,
                   const InputSpec& input, float* out) {
  XRUN_ASSIGN_OR_RETURN(const Image pixels, PreparePixels(preprocess, image, target.channels));
  const bool flat = target.height == 0;
  if (flat ? int64_t{pixels.width} * pixels.height != target.elements
           : pixels.height != target.height || pixels.width != target.width) {
    const std::string size = std::to_string(pixels.width) + "x" + std::to_string(pixels.height);
    const std::string needed = std::to_string(target.width) + "x" + std::to_string(target.height);
    return Failure{"is " + size + " pixels (width x height) after preprocessing, but " + InputText(input) + " takes " +
                       (flat ? std::to_string(target.elements) + " pixels" : needed),
                   flat ? "--resize WxH brings it there"
                        : "--resize " + needed + " stretches; --resize " + needed + ":shortest --crop " + needed +
                              " keeps proportions"};
  }
  NormalizePixels(preprocess, pixels, target.layout, out);
  return {};
}

/// How an array is cut into units for an input.
struct Cut {
  int64_t units, elements, units_per_run, samples_per_unit;
};

std::optional<Cut> CutValues(const Shape& array, const Shape& input) {
  const int64_t whole = ElementCount(input).value_or(0);
  const int64_t batch = input.size() >= 2 ? input[0] : 1;
  if (!array.empty() && !input.empty() && input[0] > 0 && Squeeze(array, 1) == Squeeze(input, 1)) {
    return Cut{array[0], whole / input[0], input[0], 1};
  }
  if (!array.empty() && Squeeze(array, 1) == Squeeze(input)) return Cut{array[0], whole, 1, batch};
  if (Squeeze(array) == Squeeze(input)) return Cut{1, whole, 1, batch};
  return std::nullopt;
}

Failure Misfit(const std::string& where, const Array& array, const InputSpec& input) {
  Shape rows = input.shape;
  std::string hint;
  if (!rows.empty()) {
    rows[0] = 0;
    hint = "rows along a leading dimension fit: N" + ShapeText(rows).substr(1);
  }
  return {where + ": an array of shape " + ShapeText(array.shape) + " does not fit " + InputText(input), hint};
}

class ValuesColumn final : public Dataset::Column {
 public:
  ValuesColumn(Array array, const Cut& cut, const std::string& where) : array_(std::move(array)) {
    units_ = cut.units;
    elements_ = cut.elements;
    units_per_run_ = cut.units_per_run;
    samples_per_unit_ = cut.samples_per_unit;
    description_ = std::string(Name(array_.type)) + " array " + ShapeText(array_.shape) + " from " + where;
  }
  Status Fill(int64_t unit, float* out) const override {
    CopyAsFloat32(array_, unit * elements_, elements_, out);
    return {};
  }

 private:
  Array array_;
};

/// Pictures share target, preprocessing and input; where the pixels come from differs.
class PictureColumn : public Dataset::Column {
 protected:
  PictureColumn(const PictureTarget& target, const InputSpec& input, Preprocess preprocess, int64_t units)
      : target_(target), input_(input), preprocess_(std::move(preprocess)) {
    units_ = units;
    elements_ = target.elements;
    units_per_run_ = target.batch;
  }
  PictureTarget target_;
  InputSpec input_;
  Preprocess preprocess_;
};

/// uint8 pixels [units][height][width][channels] in memory.
class PictureArrayColumn final : public PictureColumn {
 public:
  PictureArrayColumn(Array array, const Shape& nhwc, const std::string& where, const PictureTarget& target,
                     const InputSpec& input, const Preprocess& preprocess)
      : PictureColumn(target, input, preprocess, nhwc[0]), array_(std::move(array)), where_(where) {
    frame_.height = static_cast<int>(nhwc[1]);
    frame_.width = static_cast<int>(nhwc[2]);
    frame_.channels = static_cast<int>(nhwc[3]);
    description_ = std::to_string(units_) + (nhwc[3] == 1 ? " gray " : " colour ") + std::to_string(nhwc[2]) + "x" +
                   std::to_string(nhwc[1]) + " pictures from " + where;
  }
  Status Fill(int64_t unit, float* out) const override {
    Image image = frame_;
    const auto bytes = static_cast<int64_t>(frame_.height) * frame_.width * frame_.channels;
    const uint8_t* first = array_.bytes.data() + unit * bytes;
    image.pixels.assign(first, first + bytes);
    auto status = FillPicture(image, preprocess_, target_, input_, out);
    if (!status.ok()) return std::move(status).failure().In(where_ + ": picture " + std::to_string(unit));
    return {};
  }

 private:
  Array array_;
  std::string where_;
  Image frame_;  // size of every picture; no pixels
};

/// One .jpg, .png or .npy file per sample, opened when asked for.
class FilesColumn final : public PictureColumn {
 public:
  FilesColumn(std::vector<std::string> paths, const std::string& where, const std::optional<PictureTarget>& target,
              const PictureTarget& rows, const InputSpec& input, const Preprocess& preprocess, int64_t skipped)
      : PictureColumn(rows, input, preprocess, static_cast<int64_t>(paths.size())),
        paths_(std::move(paths)),
        takes_pictures_(target.has_value()) {
    description_ = std::to_string(units_) + (units_ == 1 ? " file from " : " files from ") + where;
    if (skipped > 0) description_ += " (" + std::to_string(skipped) + " others skipped)";
  }
  Status Fill(int64_t unit, float* out) const override {
    const std::string& path = paths_[static_cast<size_t>(unit)];
    if (!path.ends_with(".npy")) {
      XRUN_ASSIGN_OR_RETURN(const Image image, LoadImage(path));
      return Picture(path, image, out);
    }
    XRUN_ASSIGN_OR_RETURN(Array array, LoadNpy(path));
    const bool pixels =
        array.type == ElementType::kUint8 && array.shape.size() == 3 && (array.shape[2] == 1 || array.shape[2] == 3);
    if (pixels && takes_pictures_) {
      auto image = internal::MakeImage(array.shape[1], array.shape[0], static_cast<int>(array.shape[2]));
      if (!image.ok()) return std::move(image).failure().In(path);
      image->pixels = std::move(array.bytes);
      return Picture(path, *image, out);
    }
    const Shape row(input_.shape.begin() + (input_.shape.empty() ? 0 : 1), input_.shape.end());
    const bool one_row = Squeeze(array.shape) == Squeeze(row);
    if (!one_row || array.size() != elements_) {
      return Failure{path + ": an array of shape " + ShapeText(array.shape) + " is not one sample (" + ShapeText(row) +
                         ") of " + InputText(input_),
                     ""};
    }
    CopyAsFloat32(array, 0, elements_, out);
    return {};
  }

 private:
  Status Picture(const std::string& path, const Image& image, float* out) const {
    if (!takes_pictures_) {
      auto target = TargetOf(input_);
      assert(!target.ok());
      return std::move(target).failure().In(path);
    }
    auto status = FillPicture(image, preprocess_, target_, input_, out);
    if (!status.ok()) return std::move(status).failure().In(path);
    return {};
  }

  std::vector<std::string> paths_;
  bool takes_pictures_;
};

/// The array's shape as NHWC if it counts as pictures.
std::optional<Shape> AsPictures(const Array& array) {
  const Shape& s = array.shape;
  if (array.type != ElementType::kUint8) return std::nullopt;
  if (s.size() == 4) return s;
  if (s.size() == 3 && (s[2] == 1 || s[2] == 3)) return Shape{1, s[0], s[1], s[2]};
  if (s.size() == 3) return Shape{s[0], s[1], s[2], 1};
  return std::nullopt;
}

}  // namespace

Result<ColumnPointer> MakeArrayColumn(Array array, const std::string& where, const InputSpec& input,
                                      const Preprocess& preprocess) {
  if (const auto nhwc = AsPictures(array)) {
    const Shape& s = *nhwc;
    if (s[3] != 1 && s[3] != 3) {
      return Failure{where + ": a uint8 array of shape " + ShapeText(array.shape) +
                         " counts as pictures in NHWC, but its last dimension is neither 1 nor 3",
                     "transpose NCHW to NHWC, or convert values to float32"};
    }
    if (s[1] < 1 || s[2] < 1 || s[1] > kMaxImageSide || s[2] > kMaxImageSide) {
      return Failure{where + ": pictures of " + std::to_string(s[2]) + "x" + std::to_string(s[1]) +
                         " pixels are out of range (1 to " + std::to_string(kMaxImageSide) + ")",
                     ""};
    }
    auto target = TargetOf(input);
    if (!target.ok()) return std::move(target).failure().In(where);
    return ColumnPointer(std::make_shared<PictureArrayColumn>(std::move(array), s, where, *target, input, preprocess));
  }
  const auto cut = CutValues(array.shape, input.shape);
  if (!cut) return Misfit(where, array, input);
  return ColumnPointer(std::make_shared<ValuesColumn>(std::move(array), *cut, where));
}

Result<ColumnPointer> MakeFilesColumn(const FileList& files, const std::string& where, const InputSpec& input,
                                      const Preprocess& preprocess) {
  auto target = TargetOf(input);
  PictureTarget rows;
  if (target.ok()) {
    rows = *target;
  } else {
    // No picture fits, but values (.npy) may: rows along the leading dimension.
    rows.batch = input.shape.empty() ? 1 : input.shape[0];
    rows.elements = ElementCount(input.shape).value_or(0) / std::max<int64_t>(rows.batch, 1);
  }
  return ColumnPointer(std::make_shared<FilesColumn>(files.paths, where,
                                                     target.ok() ? std::optional<PictureTarget>(*target) : std::nullopt,
                                                     rows, input, preprocess, files.skipped));
}

}  // namespace xrun::io
