// Resize, Upsample, and channels that become pixels.

#include <algorithm>
#include <cmath>

#include "recipes.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

struct Choice {
  std::string mode = "nearest", coordinates = "half_pixel", nearest = "round_prefer_floor";
  bool simple = false;  ///< Upsample and Resize 10
};

/// Where output `i` lies in the input.
double Place(const Choice& c, double i, double scale, double in, double out) {
  if (c.simple || c.coordinates == "asymmetric") return i / scale;
  if (c.coordinates == "align_corners") return out == 1 ? 0 : i * (in - 1) / (out - 1);
  if (c.coordinates == "tf_half_pixel_for_nn") return (i + 0.5) / scale;
  if (c.coordinates == "pytorch_half_pixel" && out == 1) return 0;
  if (c.coordinates == "half_pixel_symmetric") {
    const double adjustment = out / (in * scale);
    return in / 2 * (1 - adjustment) + (i + 0.5) / scale - 0.5;
  }
  return (i + 0.5) / scale - 0.5;
}

/// Whether the rounding of a scale to float decides which input is nearest. Where the scale is a float, places on the
/// border between two inputs are exact in float as in double.
bool Ambiguous(const Choice& c, int64_t in, int64_t out, double scale) {
  if (c.mode != "nearest" || c.coordinates == "align_corners") return false;
  const bool symmetric = c.coordinates == "half_pixel_symmetric";
  if (!symmetric && scale == static_cast<double>(static_cast<float>(scale))) return false;
  const bool halves = !c.simple && c.nearest.rfind("round", 0) == 0;
  for (int64_t i = 0; i < out; ++i) {
    const double place = Place(c, static_cast<double>(i), scale, static_cast<double>(in), static_cast<double>(out));
    const double border = place - (halves ? 0.5 : 0.0);
    if (std::abs(border - std::round(border)) < 1e-3) return true;
  }
  return false;
}

/// The axes that change, their scales as floats, and the shape they lead to.
struct Target {
  std::vector<double> scales;
  Shape shape;
  bool by_sizes = false;
};

Target RandomTarget(ModelMaker& m, const Shape& x, const Choice& c, bool sizes) {
  Target target{std::vector<double>(x.size(), 1.0), x, sizes};
  const bool whole = m.random.Chance(40);
  for (size_t d = 0; d < x.size(); ++d) {
    // ONNX Runtime interpolates over the last two axes only.
    const bool outer = d + 2 < x.size() || x.size() < 2;
    if (outer && (c.mode != "nearest" || m.random.Chance(80))) continue;
    for (int turn = 0; turn < 20; ++turn) {
      double scale = whole ? static_cast<double>(m.random.Pick(1, 3)) : m.random.Uniform(0.4, 2.6);
      if (!whole && m.random.Chance(30)) scale = m.random.OneOf<double>({0.5, 0.75, 1.25, 1.5, 2.5});
      scale = static_cast<double>(static_cast<float>(scale));
      auto out = static_cast<int64_t>(std::floor(static_cast<double>(x[d]) * scale));
      if (out < 1) continue;
      if (sizes) scale = static_cast<double>(out) / static_cast<double>(x[d]);
      // The size itself must not hang on the rounding either.
      const double exact = static_cast<double>(x[d]) * scale;
      if (!sizes && exact != std::floor(exact) && exact - std::floor(exact) < 1e-4) continue;
      if (!sizes && std::ceil(exact) - exact > 0 && std::ceil(exact) - exact < 1e-4) continue;
      if (Ambiguous(c, x[d], out, scale)) continue;
      // ONNX defines the corners by the length that the scale gives (onnx's own test
      // resize_downsample_scales_linear_align_corners), ONNX Runtime by the whole length.
      if (c.coordinates == "align_corners" && !sizes && exact != std::floor(exact)) continue;
      target.scales[d] = scale;
      target.shape[d] = out;
      break;
    }
  }
  // ONNX Runtime copies where the shape stays, whatever the scale says.
  if (target.shape == x) std::fill(target.scales.begin(), target.scales.end(), 1.0);
  return target;
}

Tensor Interpolated(ModelMaker& m, const Tensor& x, const Choice& c, const Shape& shape) {
  if (c.mode == "nearest") return m.Moved(x, shape);
  const double more = c.mode == "cubic" ? 2.5 : 1;
  const double middle = (x.lo + x.hi) / 2, half = (x.hi - x.lo) / 2 * more;
  return m.Result(DType::kFloat32, shape, middle - half, middle + half);
}

void Resize(ModelMaker& m) {
  Choice c;
  c.mode = m.random.OneOf<std::string>({"nearest", "linear", "cubic"});
  c.simple = m.opset() == 10;
  if (c.simple && c.mode == "cubic") c.mode = "linear";
  const Tensor x =
      m.Shrunk(c.mode == "nearest" ? m.Tame(m.OfRankFrom(2)) : m.Tame(m.OfRank(m.random.Chance(80) ? 4 : 2)), 400);
  std::vector<std::string> coordinates{"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};
  if (m.opset() >= 11 && m.opset() < 13) coordinates.emplace_back("tf_half_pixel_for_nn");
  if (m.opset() >= 19) coordinates.emplace_back("half_pixel_symmetric");
  c.coordinates = c.simple ? "asymmetric" : m.random.OneOf(coordinates);
  c.nearest = m.random.OneOf<std::string>({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  const Target target = RandomTarget(m, x.shape, c, !c.simple && m.random.Chance(50));
  const bool some_axes =
      m.opset() >= 18 && x.rank() == 4 && m.random.Chance(30) && target.scales[0] == 1 && target.scales[1] == 1;
  std::vector<double> scales = target.scales;
  Shape sizes = target.shape;
  if (some_axes) {
    scales.erase(scales.begin(), scales.begin() + 2);
    sizes.erase(sizes.begin(), sizes.begin() + 2);
  }
  std::vector<Tensor> inputs{x};
  if (c.simple) {
    inputs.push_back(m.Floats({static_cast<int64_t>(scales.size())}, scales));
  } else {
    // Before opset 13 regions and scales stand even where they are not used.
    const bool old = m.opset() < 13;
    inputs.push_back(old || m.random.Chance(30) ? m.Floats({0}, {}) : Tensor{});
    if (target.by_sizes) {
      inputs.push_back(old ? m.Floats({0}, {}) : Tensor{});
      inputs.push_back(m.IntList(sizes));
    } else {
      inputs.push_back(m.Floats({static_cast<int64_t>(scales.size())}, scales));
    }
  }
  NodeBuilder node = m.Add("Resize", inputs);
  if (c.mode != "nearest" || m.random.Chance(50)) node.String("mode", c.mode);
  if (!c.simple) {
    if (c.coordinates != "half_pixel" || m.random.Chance(50)) {
      node.String("coordinate_transformation_mode", c.coordinates);
    }
    if (c.mode == "nearest" && (c.nearest != "round_prefer_floor" || m.random.Chance(50))) {
      node.String("nearest_mode", c.nearest);
    }
    if (c.mode == "cubic") {
      if (m.random.Chance(50)) node.Float("cubic_coeff_a", m.random.OneOf<float>({-0.5F, -0.75F}));
      if (m.random.Chance(30)) node.Int("exclude_outside", 1);
    }
  }
  if (some_axes) node.Ints("axes", {2, 3});
  m.Keep(Interpolated(m, x, c, target.shape));
}

/// Sizes of which one axis decides, as keep_aspect_ratio_policy says.
void ResizeKeepingRatio(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.Tame(m.OfRank(4)), 400);
  const bool larger = m.random.Chance(50);
  std::vector<int64_t> sizes;
  for (size_t d = 2; d < 4; ++d) sizes.push_back(m.random.Pick(1, 2 * x.shape[d]));
  const auto scale_of = [&](size_t d) { return static_cast<double>(sizes[d - 2]) / static_cast<double>(x.shape[d]); };
  const double scale = larger ? std::max(scale_of(2), scale_of(3)) : std::min(scale_of(2), scale_of(3));
  Shape out = x.shape;
  Choice c;
  c.mode = "linear";
  for (size_t d = 2; d < 4; ++d) {
    const double size = scale * static_cast<double>(x.shape[d]);
    if (std::abs(size - std::floor(size) - 0.5) < 1e-3 || size < 0.5) return Resize(m);
    out[d] = static_cast<int64_t>(std::floor(size + 0.5));
  }
  m.Add("Resize", {x, Tensor{}, Tensor{}, m.IntList(sizes)})
      .String("mode", "linear")
      .Ints("axes", {2, 3})
      .String("keep_aspect_ratio_policy", larger ? "not_smaller" : "not_larger");
  m.Keep(Interpolated(m, x, c, out));
}

void Upsample(ModelMaker& m) {
  Choice c;
  c.simple = true;
  c.mode = m.random.OneOf<std::string>({"nearest", "linear"});
  const Tensor x = m.Shrunk(m.Tame(m.OfRank(4)), 400);
  std::vector<double> scales{1, 1};
  Shape out = x.shape;
  for (size_t d = 2; d < 4; ++d) {
    scales.push_back(m.random.OneOf<double>({1, 1.5, 2, 3}));
    out[d] = static_cast<int64_t>(std::floor(scales[d] * static_cast<double>(out[d])));
  }
  std::vector<Tensor> inputs{x};
  if (m.opset() >= 9) inputs.push_back(m.Floats({4}, scales));
  NodeBuilder node = m.Add("Upsample", inputs);
  node.String("mode", c.mode);
  if (m.opset() < 9) node.Floats("scales", {scales.begin(), scales.end()});
  m.Keep(Interpolated(m, x, c, out));
}

void DepthToSpace(ModelMaker& m) {
  Tensor x = m.OfRank(4);
  const int64_t b = m.random.Chance(70) ? 2 : 3;
  if (x.shape[1] % (b * b) != 0)
    x = m.Input({1, b * b * m.random.Pick(1, 3), m.random.Pick(1, 6), m.random.Pick(1, 6)});
  NodeBuilder node = m.Add("DepthToSpace", {x});
  node.Int("blocksize", b);
  if (m.opset() >= 11 && m.random.Chance(70)) node.String("mode", m.random.OneOf<std::string>({"DCR", "CRD"}));
  m.Keep(m.Moved(x, {x.shape[0], x.shape[1] / b / b, x.shape[2] * b, x.shape[3] * b}));
}

void SpaceToDepth(ModelMaker& m) {
  Tensor x = m.OfRank(4);
  const int64_t b = m.random.Chance(70) ? 2 : 3;
  if (x.shape[2] % b != 0 || x.shape[3] % b != 0) {
    x = m.Input({1, m.random.Pick(1, 4), b * m.random.Pick(1, 4), b * m.random.Pick(1, 4)});
  }
  m.Add("SpaceToDepth", {x}).Int("blocksize", b);
  m.Keep(m.Moved(x, {x.shape[0], x.shape[1] * b * b, x.shape[2] / b, x.shape[3] / b}));
}

}  // namespace

std::vector<Recipe> ResizeRecipes() {
  return {
      {"Resize", 10, kLast, Resize},
      {"Resize again", 11, kLast, Resize},
      {"Resize keeping the ratio", 18, kLast, ResizeKeepingRatio},
      {"Upsample", 7, 9, Upsample},
      {"DepthToSpace", 7, kLast, DepthToSpace},
      {"SpaceToDepth", 7, kLast, SpaceToDepth},
  };
}

}  // namespace xrun::float_graphs
