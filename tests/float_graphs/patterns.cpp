// Functions that exporters spell out in several nodes.

#include <algorithm>
#include <cmath>

#include "recipes.h"
#include "spelling.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

Tensor Softplus(ModelMaker& m, const Tensor& x) {
  if (m.random.Chance(70)) return m.Simple("Softplus", {x}, x.shape, 0, std::max(x.hi, 0.0) + 0.7);
  const Tensor bounded = m.Within(x, -10, 5);
  const Tensor e = m.Simple("Exp", {bounded}, x.shape, 0, std::exp(bounded.hi));
  const Tensor sum = Shifted(m, e, 1);
  return m.Simple("Log", {sum}, x.shape, 0, std::log(1 + e.hi));
}

/// x · clip(x + 3, 0, 6) / 6 in the orders of several exporters, or with HardSigmoid.
void HardSwish(ModelMaker& m) {
  const Tensor x = m.Tame(m.Any());
  if (m.random.Chance(30)) {
    NodeBuilder node = m.Add("HardSigmoid", {x});
    node.Float("alpha", 1.0F / 6);
    if (m.random.Chance(50)) node.Float("beta", 0.5F);
    return m.Keep(Mul(m, x, m.Result(DType::kFloat32, x.shape, 0, 1)));
  }
  const Tensor six = Clipped(m, Shifted(m, x, 3), 0, 6);
  if (m.random.Chance(50)) return m.Keep(Scaled(m, Mul(m, x, six), 1.0 / 6));
  m.Keep(Mul(m, x, Scaled(m, six, 1.0 / 6)));
}

/// The same without x: HardSigmoid.
void HardSigmoid(ModelMaker& m) {
  const Tensor x = m.Tame(m.Any());
  m.Keep(Scaled(m, Clipped(m, Shifted(m, x, 3), 0, 6), 1.0 / 6));
}

/// x · sigmoid(x), with a factor now and then, or with the sigmoid spelled out.
void Silu(ModelMaker& m) {
  const Tensor x = m.Within(m.Any(), -8, 8);
  if (m.random.Chance(25)) return m.Keep(Mul(m, x, Sigmoid(m, Scaled(m, x, 1.702))));
  if (m.random.Chance(30)) {
    const Tensor e = m.Simple("Exp", {m.Simple("Neg", {x}, x.shape, -x.hi, -x.lo)}, x.shape, 0, std::exp(-x.lo));
    const Tensor sum = Shifted(m, e, 1);
    if (m.random.Chance(50))
      return m.Keep(m.Simple("Div", {x, sum}, x.shape, std::min(x.lo, 0.0), std::max(x.hi, 0.0)));
    const Tensor sigmoid = m.random.Chance(50) ? m.Simple("Reciprocal", {sum}, x.shape, 0, 1)
                                               : m.Simple("Div", {Number(m, 1, x), sum}, x.shape, 0, 1);
    return m.Keep(m.random.Chance(60) ? Mul(m, x, sigmoid) : sigmoid);
  }
  m.Keep(Mul(m, x, Sigmoid(m, x)));
}

/// With erf, in the orders that exporters multiply, or with tanh.
void Gelu(ModelMaker& m) {
  const Tensor x = m.Within(m.Any(), -6, 6);
  Tensor inner;
  if (m.opset() >= 9 && m.random.Chance(60)) {
    const Tensor scaled = Scaled(m, x, 1 / std::sqrt(2.0));
    inner = m.Simple("Erf", {scaled}, x.shape, -1, 1);
  } else {
    const Tensor cube =
        m.random.Chance(50) ? m.Simple("Pow", {x, m.Scalar(3)}, x.shape, -216, 216) : Mul(m, Mul(m, x, x), x);
    const Tensor sum = Add(m, x, Scaled(m, cube, 0.044715));
    inner = m.Simple("Tanh", {Scaled(m, sum, std::sqrt(2 / M_PI))}, x.shape, -1, 1);
  }
  const Tensor both = Shifted(m, inner, 1);
  switch (m.random.Pick(0, 2)) {
    case 0:
      return m.Keep(Scaled(m, Mul(m, x, both), 0.5));
    case 1:
      return m.Keep(Mul(m, Scaled(m, x, 0.5), both));
    default:
      return m.Keep(Mul(m, x, Scaled(m, both, 0.5)));
  }
}

void Mish(ModelMaker& m) {
  const Tensor x = m.Within(m.Any(), -8, 8);
  const Tensor softplus = Softplus(m, x);
  m.Keep(Mul(m, x, m.Simple("Tanh", {softplus}, x.shape, 0, 1)));
}

/// max(x, a x), and relu(x) − a relu(−x) as Keras has it.
void Leaky(ModelMaker& m) {
  const Tensor x = m.Any();
  if (m.opset() >= 8 && m.random.Chance(50)) {
    const Tensor low = Scaled(m, x, 0.125);
    return m.Keep(m.Simple("Max", {x, low}, x.shape, std::max(x.lo, low.lo), std::max(x.hi, low.hi)));
  }
  const Tensor right = m.Simple("Relu", {x}, x.shape, 0, std::max(0.0, x.hi));
  const Tensor left = m.Simple("Relu", {m.Simple("Neg", {x}, x.shape, -x.hi, -x.lo)}, x.shape, 0, std::max(0.0, -x.lo));
  m.Keep(Sub(m, right, Scaled(m, left, 0.25)));
}

/// Numbers added, multiplied, cut off one after another: they become one chain.
void ScalarChain(ModelMaker& m) {
  Tensor x = m.Any();
  for (int64_t i = m.random.Pick(2, 5); i > 0; --i) {
    switch (m.random.Pick(0, 6)) {
      case 0:
        x = Shifted(m, x, m.random.Uniform(-2, 2));
        break;
      case 1:
        x = Scaled(m, x, m.random.OneOf<double>({0.5, -0.5, 1.5, 0.3}));
        break;
      case 2:
        x = Clipped(m, x, m.random.Uniform(-3, 0), m.random.Uniform(0.1, 3));
        break;
      case 3:
        x = m.Simple("Sub", {Number(m, m.random.Uniform(-2, 2), x), x}, x.shape, -2 - x.hi, 2 - x.lo);
        break;
      case 4:
        x = m.Simple("Abs", {x}, x.shape, 0, x.most());
        break;
      case 5:
        x = m.Simple("Tanh", {x}, x.shape, -1, 1);
        break;
      default:
        x = m.Simple("Neg", {x}, x.shape, -x.hi, -x.lo);
    }
  }
  m.Keep(x);
}

}  // namespace

std::vector<Recipe> PatternRecipes() {
  return {
      {"hard-swish", 7, kLast, HardSwish},
      {"hard-sigmoid", 7, kLast, HardSigmoid},
      {"SiLU", 7, kLast, Silu},
      {"GELU", 7, kLast, Gelu},
      {"Mish spelled", 7, kLast, Mish},
      {"leaky", 7, kLast, Leaky},
      {"scalar chain", 7, kLast, ScalarChain},
  };
}

}  // namespace xrun::float_graphs
