// Functions of one tensor, and arithmetic with broadcasting.

#include <algorithm>
#include <cmath>

#include "recipes.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

/// The bounds of f over lo ... hi, from samples: functions here have no more than a few turns.
std::pair<double, double> BoundsOf(const std::function<double(double)>& f, double lo, double hi) {
  constexpr int kSamples = 400;
  double least = HUGE_VAL, most = -HUGE_VAL;
  for (int i = 0; i <= kSamples; ++i) {
    const double y = f(lo + (hi - lo) * i / kSamples);
    least = std::min(least, y);
    most = std::max(most, y);
  }
  return {least, most};
}

using Attributes = std::function<std::function<double(double)>(ModelMaker&, NodeBuilder&)>;

/// A function within its domain. `attributes` adds them to the node and returns the function.
Recipe Function(const std::string& op, int first, double lo, double hi, const Attributes& attributes) {
  return {op, first, kLast, [=](ModelMaker& m) {
            const Tensor x = m.Within(m.Any(), lo, hi);
            NodeBuilder node = m.Add(op, {x});
            const auto f = attributes(m, node);
            const auto [least, most] = BoundsOf(f, x.lo, x.hi);
            m.Keep(m.Result(DType::kFloat32, x.shape, least, most));
          }};
}

Recipe Plain(const std::string& op, int first, double lo, double hi, double (*f)(double)) {
  return Function(op, first, lo, hi, [f](ModelMaker&, NodeBuilder&) { return f; });
}

/// A function that jumps: of values that rounding did not touch.
Recipe Jumping(const std::string& op, int first, double (*f)(double)) {
  return {op, first, kLast, [=](ModelMaker& m) {
            const Tensor x = m.Exact();
            const auto [least, most] = BoundsOf(f, x.lo, x.hi);
            m.Keep(m.Simple(op, {x}, x.shape, least, most, 0));
          }};
}

/// A function that is exact on exact values.
Recipe Exactly(const std::string& op, double (*f)(double)) {
  return {op, 7, kLast, [=](ModelMaker& m) {
            const Tensor x = m.Any();
            const auto [least, most] = BoundsOf(f, x.lo, x.hi);
            m.Keep(m.Simple(op, {x}, x.shape, least, most, x.grid));
          }};
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Softplus(double x) { return std::log1p(std::exp(x)); }
double HardSigmoid(double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }

struct Bounds {
  double lo, hi;
};

Bounds Products(const Tensor& a, const Tensor& b) {
  const auto [lo, hi] = std::minmax({a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi});
  return {lo, hi};
}

int Joined(const Tensor& a, const Tensor& b) { return a.exact() && b.exact() ? std::max(a.grid, b.grid) : -1; }

Bounds BoundsOf(const std::string& op, const Tensor& a, const Tensor& b) {
  if (op == "Add" || op == "Sum") return {a.lo + b.lo, a.hi + b.hi};
  if (op == "Sub") return {a.lo - b.hi, a.hi - b.lo};
  if (op == "Max") return {std::max(a.lo, b.lo), std::max(a.hi, b.hi)};
  if (op == "Min") return {std::min(a.lo, b.lo), std::min(a.hi, b.hi)};
  return Products(a, b);
}

/// Two tensors, in either order.
Tensor Binary(ModelMaker& m, const std::string& op, Tensor a, Tensor b) {
  if (m.random.Chance(50)) std::swap(a, b);
  const Bounds bounds = BoundsOf(op, a, b);
  const bool product = op == "Mul";
  const int grid = product && Joined(a, b) >= 0 ? a.grid + b.grid : Joined(a, b);
  return m.Simple(op, {a, b}, Broadcast(a.shape, b.shape), bounds.lo, bounds.hi, grid);
}

Recipe BinaryRecipe(const std::string& op) {
  return {op, 7, kLast, [op](ModelMaker& m) {
            const Tensor x = m.Any();
            m.Keep(Binary(m, op, x, m.Partner(x)));
          }};
}

/// With one number, as a tensor of any rank.
Recipe WithScalar(const std::string& op) {
  return {
      op + " scalar", 7, kLast, [op](ModelMaker& m) {
        const Tensor x = m.Any();
        const Shape shape(static_cast<size_t>(m.random.Pick(0, static_cast<int64_t>(x.rank()))), 1);
        m.Keep(Binary(m, op, x, m.random.Chance(50) ? m.RandomExact(shape, -3, 3, 4) : m.RandomFloats(shape, -3, 3)));
      }};
}

/// Sum, Max and Min of one to four tensors.
Recipe Variadic(const std::string& op) {
  return {op, 7, kLast, [op](ModelMaker& m) {
            std::vector<Tensor> inputs{m.Any()};
            Tensor all = inputs[0];
            const int64_t count = m.random.Pick(1, 4);
            for (int64_t i = 1; i < count; ++i) {
              // Broadcasting came with opset 8.
              const Tensor next = m.opset() < 8 ? m.RandomFloats(all.shape, -2, 2) : m.Partner(all);
              const Bounds bounds = BoundsOf(op, all, next);
              all.grid = Joined(all, next);
              all.lo = bounds.lo;
              all.hi = bounds.hi;
              all.shape = Broadcast(all.shape, next.shape);
              inputs.push_back(next);
            }
            m.Keep(m.Simple(op, inputs, all.shape, all.lo, all.hi, all.grid));
          }};
}

void Div(ModelMaker& m) {
  Tensor a = m.Any(), b = m.Partner(a);
  if (m.random.Chance(30) && !b.constant) std::swap(a, b);
  if (b.constant) {
    b = m.RandomFloats(b.shape, 0.5, 3);
  } else {
    b = m.Within(b, 0.5, 4);
  }
  const auto [lo, hi] = std::minmax({a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi});
  m.Keep(m.Simple("Div", {a, b}, Broadcast(a.shape, b.shape), lo, hi));
}

void DivScalar(ModelMaker& m) {
  const Tensor x = m.Any();
  const double d = m.random.OneOf<double>({-3, -2, 0.5, 0.75, 2, 2.5, 6});
  if (m.random.Chance(70)) {
    const auto [lo, hi] = std::minmax({x.lo / d, x.hi / d});
    return m.Keep(m.Simple("Div", {x, m.Scalar(d)}, x.shape, lo, hi));
  }
  const Tensor y = m.Within(x, 0.5, 4);
  const auto [lo, hi] = std::minmax({d / y.lo, d / y.hi});
  m.Keep(m.Simple("Div", {m.Scalar(d), y}, y.shape, lo, hi));
}

/// A constant exponent, whole or broken, of float or an integer type; or two tensors.
void Pow(ModelMaker& m) {
  const int64_t kind = m.random.Pick(0, 4);
  if (kind == 0) {
    const Tensor a = m.Within(m.Any(), 0.25, 3);
    Tensor b = m.Partner(a);
    b = b.constant ? m.RandomFloats(b.shape, -2, 2) : m.Within(b, -2, 2);
    const auto [lo, hi] =
        std::minmax({std::pow(a.lo, b.lo), std::pow(a.lo, b.hi), std::pow(a.hi, b.lo), std::pow(a.hi, b.hi), 1.0});
    return m.Keep(m.Simple("Pow", {a, b}, Broadcast(a.shape, b.shape), lo, hi));
  }
  const bool whole = m.random.Chance(60);
  const double exponent =
      whole ? m.random.OneOf<double>({0, 1, 2, 2, 2, 3, 4}) : m.random.OneOf<double>({0.5, 1.5, -0.5, -1, -2});
  const Tensor x = whole ? m.Within(m.Any(), -4, 4) : m.Within(m.Any(), 0.25, 4);
  const auto [lo, hi] = BoundsOf([&](double v) { return std::pow(v, exponent); }, x.lo, x.hi);
  const bool as_integer = m.opset() >= 12 && exponent == std::floor(exponent) && m.random.Chance(40);
  const Tensor power =
      as_integer ? m.Ints({}, {static_cast<int64_t>(exponent)}, m.random.Chance(50) ? DType::kInt64 : DType::kInt32)
                 : m.Scalar(exponent);
  m.Keep(m.Simple("Pow", {x, power}, x.shape, lo, hi));
}

/// One slope for all, one a channel, or one an element.
void PRelu(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  Shape shape;
  const int64_t kind = m.random.Pick(0, 2);
  if (kind == 1 && x.rank() >= 2) {
    shape.assign(x.rank() - 1, 1);
    shape[0] = x.shape[1];
  } else if (kind == 2) {
    shape = x.shape;
  } else {
    shape = {1};
  }
  const Tensor slope = m.RandomFloats(shape, -0.5, 1.2);
  const double least = std::min({x.lo * 1.2, x.lo * -0.5, 0.0}), most = std::max({x.hi, x.lo * -0.5, 0.0});
  m.Keep(m.Simple("PRelu", {x, slope}, x.shape, least, most));
}

/// Bounds as attributes or inputs, either of them absent.
void Clip(ModelMaker& m) {
  const Tensor x = m.Any();
  double lo = -HUGE_VAL, hi = HUGE_VAL;
  if (m.random.Chance(75)) lo = static_cast<double>(m.random.Pick(-80, 30)) / 32;
  if (m.random.Chance(75)) hi = static_cast<double>(m.random.Pick(-30, 200)) / 32;
  if (hi < lo) std::swap(lo, hi);
  if (m.opset() < 11) {
    NodeBuilder node = m.Add("Clip", {x});
    if (std::isfinite(lo)) node.Float("min", static_cast<float>(lo));
    if (std::isfinite(hi)) node.Float("max", static_cast<float>(hi));
  } else {
    const Tensor least = std::isfinite(lo) ? m.Scalar(lo) : Tensor{};
    const Tensor most = std::isfinite(hi) ? m.Scalar(hi) : Tensor{};
    m.Add("Clip", {x, least, most});
  }
  m.Keep(m.Result(DType::kFloat32, x.shape, std::clamp(x.lo, lo, hi), std::clamp(x.hi, lo, hi),
                  x.exact() ? std::max(x.grid, 5) : -1));
}

void ThresholdedRelu(ModelMaker& m) {
  const Tensor x = m.Exact();
  const double alpha = static_cast<double>(m.random.Pick(-8, 32)) / 16;
  NodeBuilder node = m.Add("ThresholdedRelu", {x});
  if (alpha != 1 || m.random.Chance(50)) node.Float("alpha", static_cast<float>(alpha));
  m.Keep(m.Result(DType::kFloat32, x.shape, std::min(0.0, x.lo), std::max(0.0, x.hi), x.grid));
}

float Alpha(ModelMaker& m, NodeBuilder& node, const std::string& name, float otherwise, std::vector<float> others) {
  if (m.random.Chance(30)) return otherwise;
  const float value = m.random.OneOf(others);
  node.Float(name, value);
  return value;
}

std::vector<Recipe> Parametrised() {
  return {
      Function("LeakyRelu", 7, -100, 100,
               [](ModelMaker& m, NodeBuilder& node) -> std::function<double(double)> {
                 const double a = Alpha(m, node, "alpha", 0.01F, {0.1F, 0.3F, 0.0F, 1.5F, -0.2F});
                 return [a](double x) { return x >= 0 ? x : a * x; };
               }),
      Function("Elu", 7, -20, 20,
               [](ModelMaker& m, NodeBuilder& node) -> std::function<double(double)> {
                 const double a = Alpha(m, node, "alpha", 1.0F, {0.5F, 2.0F});
                 return [a](double x) { return x >= 0 ? x : a * std::expm1(x); };
               }),
      Function("Celu", 12, -20, 20,
               [](ModelMaker& m, NodeBuilder& node) -> std::function<double(double)> {
                 const double a = Alpha(m, node, "alpha", 1.0F, {0.5F, 2.0F});
                 return [a](double x) { return x >= 0 ? x : a * std::expm1(x / a); };
               }),
      Function("Selu", 7, -20, 20,
               [](ModelMaker& m, NodeBuilder& node) -> std::function<double(double)> {
                 const double a = Alpha(m, node, "alpha", 1.67326319F, {0.5F, 2.0F});
                 const double g = Alpha(m, node, "gamma", 1.05070102F, {0.5F, 1.25F});
                 return [a, g](double x) { return g * (x > 0 ? x : a * std::expm1(x)); };
               }),
      Function("HardSigmoid", 7, -100, 100,
               [](ModelMaker& m, NodeBuilder& node) -> std::function<double(double)> {
                 const double a = Alpha(m, node, "alpha", 0.2F, {1.0F / 6, 0.5F});
                 const double b = Alpha(m, node, "beta", 0.5F, {0.25F, 0.6F});
                 return [a, b](double x) { return HardSigmoid(x, a, b); };
               }),
      Function("Gelu", 20, -20, 20,
               [](ModelMaker& m, NodeBuilder& node) {
                 if (m.random.Chance(50)) node.String("approximate", "none");
                 return [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); };
               }),
  };
}

}  // namespace

std::vector<Recipe> ElementwiseRecipes() {
  std::vector<Recipe> recipes = {
      Plain("Sigmoid", 7, -20, 20, Sigmoid),
      Plain("Tanh", 7, -20, 20, [](double x) { return std::tanh(x); }),
      Plain("Exp", 7, -6, 3, [](double x) { return std::exp(x); }),
      Plain("Log", 7, 0.2, 50, [](double x) { return std::log(x); }),
      Plain("Sqrt", 7, 0.1, 100, [](double x) { return std::sqrt(x); }),
      Plain("Reciprocal", 7, 0.4, 20, [](double x) { return 1 / x; }),
      Plain("Erf", 9, -20, 20, [](double x) { return std::erf(x); }),
      Plain("Sin", 7, -20, 20, [](double x) { return std::sin(x); }),
      Plain("Cos", 7, -20, 20, [](double x) { return std::cos(x); }),
      Plain("Softplus", 7, -20, 20, Softplus),
      Plain("Softsign", 7, -50, 50, [](double x) { return x / (1 + std::abs(x)); }),
      Plain("HardSwish", 14, -20, 20, [](double x) { return x * HardSigmoid(x, 1.0 / 6, 0.5); }),
      Plain("Mish", 18, -20, 20, [](double x) { return x * std::tanh(Softplus(x)); }),
      Exactly("Relu", [](double x) { return std::max(x, 0.0); }),
      Exactly("Abs", [](double x) { return std::abs(x); }),
      Exactly("Neg", [](double x) { return -x; }),
      Jumping("Floor", 7, [](double x) { return std::floor(x); }),
      Jumping("Ceil", 7, [](double x) { return std::ceil(x); }),
      Jumping("Round", 11, [](double x) { return std::nearbyint(x); }),
      Jumping("Sign", 9, [](double x) { return static_cast<double>((x > 0) - (x < 0)); }),
      BinaryRecipe("Add"),
      BinaryRecipe("Sub"),
      BinaryRecipe("Mul"),
      WithScalar("Add"),
      WithScalar("Sub"),
      WithScalar("Mul"),
      Variadic("Sum"),
      Variadic("Max"),
      Variadic("Min"),
      {"Div", 7, kLast, Div},
      {"Div scalar", 7, kLast, DivScalar},
      {"Pow", 7, kLast, Pow},
      {"PRelu", 7, kLast, PRelu},
      {"Clip", 7, kLast, Clip},
      {"ThresholdedRelu", 10, kLast, ThresholdedRelu},
  };
  for (Recipe& recipe : Parametrised()) recipes.push_back(std::move(recipe));
  return recipes;
}

}  // namespace xrun::float_graphs
