// Resize and Upsample, by version.

#include <cmath>

#include "compiler/import/operators.h"
#include "compiler/infer_shapes.h"

namespace xrun::compiler {

namespace {

template <typename T>
struct Named {
  const char* name;
  T value;
};

constexpr Named<ResizeMode> kModes[] = {
    {"nearest", ResizeMode::kNearest}, {"linear", ResizeMode::kLinear}, {"cubic", ResizeMode::kCubic}};
constexpr Named<ResizeCoordinates> kCoordinates[] = {{"half_pixel", ResizeCoordinates::kHalfPixel},
                                                     {"half_pixel_symmetric", ResizeCoordinates::kHalfPixelSymmetric},
                                                     {"pytorch_half_pixel", ResizeCoordinates::kPytorchHalfPixel},
                                                     {"align_corners", ResizeCoordinates::kAlignCorners},
                                                     {"asymmetric", ResizeCoordinates::kAsymmetric},
                                                     {"tf_half_pixel_for_nn", ResizeCoordinates::kTfHalfPixelForNn}};
constexpr Named<ResizeRounding> kRoundings[] = {{"round_prefer_floor", ResizeRounding::kPreferFloor},
                                                {"round_prefer_ceil", ResizeRounding::kPreferCeil},
                                                {"floor", ResizeRounding::kFloor},
                                                {"ceil", ResizeRounding::kCeil}};

template <typename T, size_t N>
Result<T> Lookup(const NodeView& node, const std::string& attribute, const std::string& otherwise,
                 const Named<T> (&names)[N]) {
  const std::string text = node.String(attribute, otherwise);
  for (const Named<T>& n : names) {
    if (text == n.name) return n.value;
  }
  return node.Fail(attribute + " '" + text + "' is not supported");
}

Result<std::vector<float>> FloatInput(const Importer& importer, const NodeView& node, int i) {
  const HostTensor* tensor = importer.Constant(node, i);
  if (tensor == nullptr) {
    return node.Fail("scales '" + node.input(i) + "' are not constant", "give the model's input shape: --input-shape");
  }
  if (!tensor->is_float()) return node.Fail("scales are not float");
  return std::vector<float>(tensor->data<float>(), tensor->data<float>() + tensor->elements());
}

/// The axes that scales or sizes speak of, in their order.
Result<std::vector<int64_t>> ResizeAxes(const NodeView& node, size_t rank) {
  std::vector<int64_t> axes = node.Ints("axes");
  if (node.since() < 18 || !node.Has("axes")) {
    axes.clear();
    for (size_t d = 0; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  }
  for (int64_t& axis : axes) {
    XRUN_ASSIGN_OR_RETURN(axis, NormalizeAxis(node, axis, rank));
  }
  return axes;
}

struct Target {
  Shape shape;
  std::vector<double> scales;
};

Result<Target> ByScales(const NodeView& node, const Shape& x, const std::vector<int64_t>& axes,
                        const std::vector<float>& scales) {
  if (scales.size() != axes.size()) {
    return node.Fail("has " + std::to_string(scales.size()) + " scales for " + std::to_string(axes.size()) + " axes");
  }
  Target target{x, std::vector<double>(x.size(), 1.0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    if (!(scales[i] > 0) || !std::isfinite(scales[i])) return node.Fail("a scale is not positive");
    target.scales[d] = static_cast<double>(scales[i]);
    const double size = std::floor(static_cast<double>(x[d]) * target.scales[d]);
    if (!(size >= 1) || size > static_cast<double>(kMaxElements))
      return node.Fail("a scale leaves no or too many elements");
    target.shape[d] = static_cast<int64_t>(size);
  }
  return target;
}

/// Sizes, with the aspect ratio kept as the policy says: one scale for all axes named.
Result<Target> BySizes(const NodeView& node, const Shape& x, const std::vector<int64_t>& axes,
                       const std::vector<int64_t>& sizes) {
  const std::string policy = node.since() >= 18 ? node.String("keep_aspect_ratio_policy", "stretch") : "stretch";
  if (sizes.size() != axes.size()) {
    return node.Fail("has " + std::to_string(sizes.size()) + " sizes for " + std::to_string(axes.size()) + " axes");
  }
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller") {
    return node.Fail("keep_aspect_ratio_policy '" + policy + "' is not supported");
  }
  Target target{x, std::vector<double>(x.size(), 1.0)};
  double common = policy == "not_larger" ? HUGE_VAL : 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    if (sizes[i] < 1 || sizes[i] > kMaxElements)
      return node.Fail("size " + std::to_string(sizes[i]) + " is impossible");
    target.shape[d] = sizes[i];
    target.scales[d] = static_cast<double>(sizes[i]) / static_cast<double>(x[d]);
    common = policy == "not_larger" ? std::min(common, target.scales[d]) : std::max(common, target.scales[d]);
  }
  if (policy == "stretch") return target;
  for (const int64_t axis : axes) {
    const auto d = static_cast<size_t>(axis);
    target.scales[d] = common;
    target.shape[d] = std::max<int64_t>(1, static_cast<int64_t>(std::floor(common * static_cast<double>(x[d]) + 0.5)));
  }
  return target;
}

Result<Target> TargetOf(const Importer& importer, const NodeView& node, const Shape& x) {
  if (node.op() == "Upsample" && node.since() < 9) {
    return ByScales(node, x, *ResizeAxes(node, x.size()), node.Floats("scales"));
  }
  XRUN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ResizeAxes(node, x.size()));
  const bool old = node.op() == "Upsample" || node.since() == 10;
  const int scales_at = old ? 1 : 2;
  // Resize 11 wants scales as an input even where sizes count: an empty tensor then.
  std::vector<float> scales;
  if (node.has_input(scales_at)) {
    const bool sized = !old && node.has_input(3);
    const HostTensor* tensor = importer.Constant(node, scales_at);
    if (tensor == nullptr || tensor->elements() != 0 || !sized) {
      XRUN_ASSIGN_OR_RETURN(scales, FloatInput(importer, node, scales_at));
    }
  }
  if (!scales.empty()) return ByScales(node, x, axes, scales);
  if (old || !node.has_input(3)) return node.Fail("has neither scales nor sizes");
  XRUN_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, importer.IntegerInput(node, 3, "sizes"));
  return BySizes(node, x, axes, sizes);
}

}  // namespace

Status LowerResize(Importer& importer, const NodeView& node) {
  XRUN_ASSIGN_OR_RETURN(const Shape x, importer.InputShape(node, 0));
  ResizeAttrs attrs;
  XRUN_ASSIGN_OR_RETURN(attrs.mode, Lookup(node, "mode", "nearest", kModes));
  const bool old = node.op() == "Upsample" || node.since() == 10;
  if (old) {
    if (attrs.mode == ResizeMode::kCubic) return node.Fail("mode 'cubic' came with opset 11");
    attrs.coordinates = ResizeCoordinates::kAsymmetric;
    attrs.rounding = ResizeRounding::kSimple;
  } else {
    if (node.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") {
      return node.Fail("coordinate_transformation_mode 'tf_crop_and_resize' is not supported",
                       "crop with Slice before a Resize");
    }
    XRUN_ASSIGN_OR_RETURN(attrs.coordinates,
                          Lookup(node, "coordinate_transformation_mode", "half_pixel", kCoordinates));
    XRUN_ASSIGN_OR_RETURN(attrs.rounding, Lookup(node, "nearest_mode", "round_prefer_floor", kRoundings));
    attrs.cubic_a = node.Float("cubic_coeff_a", -0.75F);
    attrs.exclude_outside = node.Int("exclude_outside", 0) != 0;
    node.Ignore("extrapolation_value");  // of tf_crop_and_resize
    if (node.since() >= 18 && node.Int("antialias", 0) != 0) {
      return node.Fail("antialias is not supported", "export without antialias");
    }
  }
  XRUN_ASSIGN_OR_RETURN(Target target, TargetOf(importer, node, x));
  attrs.scales = std::move(target.scales);
  XRUN_ASSIGN_OR_RETURN(const ValueId value, importer.Input(node, 0));
  return importer.EmitFinal(node, Op::kResize, std::move(attrs), {value}, target.shape);
}

}  // namespace xrun::compiler
