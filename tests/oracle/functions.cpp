#include <algorithm>
#include <cmath>
#include <map>

#include "op.h"

/// The real functions, as IEEE double formulas. Attributes and constants of the file are float32 values taken exactly.
namespace xrun::oracle {
namespace {

using Maker = UnaryFunction (*)(const Op&);

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
/// log(1 + e^x) without overflow.
double Softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

UnaryFunction HardSigmoid(const Op& op) {
  const double alpha = op.FloatOr("alpha", 0.2F);
  const double beta = op.FloatOr("beta", 0.5F);
  return [=](double x) { return std::max(0.0, std::min(1.0, alpha * x + beta)); };
}

UnaryFunction HardSwish(const Op&) {
  return [](double x) { return x * std::max(0.0, std::min(1.0, x * (1.0 / 6.0) + 0.5)); };
}

UnaryFunction LeakyRelu(const Op& op) {
  const double alpha = op.FloatOr("alpha", 0.01F);
  return [=](double x) { return x < 0 ? alpha * x : x; };
}

UnaryFunction Elu(const Op& op) {
  const double alpha = op.FloatOr("alpha", 1.0F);
  return [=](double x) { return x < 0 ? alpha * (std::exp(x) - 1.0) : x; };
}

UnaryFunction Selu(const Op& op) {
  const double alpha = op.FloatOr("alpha", 1.67326319217681884765625F);
  const double gamma = op.FloatOr("gamma", 1.05070102214813232421875F);
  return [=](double x) { return x <= 0 ? gamma * (alpha * std::exp(x) - alpha) : gamma * x; };
}

/// max(0, x) + min(0, alpha (e^(x/alpha) − 1)), as ONNX writes it.
UnaryFunction Celu(const Op& op) {
  const double alpha = op.FloatOr("alpha", 1.0F);
  return [=](double x) { return std::max(0.0, x) + std::min(0.0, alpha * (std::exp(x / alpha) - 1.0)); };
}

UnaryFunction ThresholdedRelu(const Op& op) {
  const double alpha = op.FloatOr("alpha", 1.0F);
  return [=](double x) { return x <= alpha ? 0.0 : x; };
}

double Sign(double x) { return static_cast<double>(x > 0) - static_cast<double>(x < 0); }

UnaryFunction Gelu(const Op& op) {
  const std::string approximate = op.String("approximate", "none");
  if (approximate == "none") return [](double x) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); };
  if (approximate != "tanh") op.Fail("approximate must be none or tanh");
  return [](double x) { return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x))); };
}

template <double (*kFunction)(double)>
UnaryFunction Plain(const Op&) {
  return kFunction;
}

const std::map<std::string, Maker>& Makers() {
  static const auto* const makers = new std::map<std::string, Maker>{
      {"Sigmoid", Plain<Sigmoid>},
      {"Softplus", Plain<Softplus>},
      {"HardSigmoid", HardSigmoid},
      {"HardSwish", HardSwish},
      {"LeakyRelu", LeakyRelu},
      {"Elu", Elu},
      {"Selu", Selu},
      {"Celu", Celu},
      {"ThresholdedRelu", ThresholdedRelu},
      {"Sign", Plain<Sign>},
      {"Gelu", Gelu},
      {"Tanh", Plain<std::tanh>},
      {"Exp", Plain<std::exp>},
      {"Log", Plain<std::log>},
      {"Sqrt", Plain<std::sqrt>},
      {"Abs", Plain<std::fabs>},
      {"Erf", Plain<std::erf>},
      {"Sin", Plain<std::sin>},
      {"Cos", Plain<std::cos>},
      {"Floor", Plain<std::floor>},
      {"Ceil", Plain<std::ceil>},
      {"Round", Plain<std::nearbyint>},
      {"Neg", [](const Op&) -> UnaryFunction { return [](double x) { return -x; }; }},
      {"Reciprocal", [](const Op&) -> UnaryFunction { return [](double x) { return 1.0 / x; }; }},
      {"Softsign", [](const Op&) -> UnaryFunction { return [](double x) { return x / (1.0 + std::abs(x)); }; }},
      {"Mish", [](const Op&) -> UnaryFunction { return [](double x) { return x * std::tanh(Softplus(x)); }; }},
  };
  return *makers;
}

}  // namespace

bool IsUnary(const std::string& type) { return Makers().count(type) != 0; }

UnaryFunction MakeUnary(const Op& op) { return Makers().at(op.type())(op); }

BinaryFunction MakeBinary(const Op& op) {
  const std::string& type = op.type();
  if (type == "Add" || type == "Sum") return [](double a, double b) { return a + b; };
  if (type == "Sub") return [](double a, double b) { return a - b; };
  if (type == "Mul") return [](double a, double b) { return a * b; };
  if (type == "Div") return [](double a, double b) { return a / b; };
  if (type == "Pow") return [](double a, double b) { return std::pow(a, b); };
  if (type == "Min") return [](double a, double b) { return std::min(a, b); };
  if (type == "Max") return [](double a, double b) { return std::max(a, b); };
  if (type == "PRelu") return [](double x, double slope) { return x < 0 ? slope * x : x; };
  op.Fail("operator " + type + " is not known to the oracle");
}

}  // namespace xrun::oracle
