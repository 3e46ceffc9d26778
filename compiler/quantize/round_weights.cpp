#include "compiler/quantize/round_weights.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/quantize/quantize_weights.h"

namespace xrun::compiler {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Added to the variance of every tap, as a share of the mean one: what is not seen must not be trusted.
constexpr double kDamping = 0.01;

/// Covariance of the taps of a group in the given order, damped. Their means are left to the bias.
Matrix Covariance(const InputMoments& m, int64_t group, const std::vector<int64_t>& order) {
  const auto taps = static_cast<Eigen::Index>(m.taps);
  const double* products = &m.products[static_cast<size_t>(group * m.taps * m.taps)];
  const double* codes = &m.codes[static_cast<size_t>(group * m.taps)];
  const auto n = static_cast<double>(m.positions);
  Matrix covariance(taps, taps);
  for (Eigen::Index i = 0; i < taps; ++i) {
    for (Eigen::Index j = 0; j < taps; ++j) {
      const int64_t a = order[static_cast<size_t>(i)], b = order[static_cast<size_t>(j)];
      covariance(i, j) = products[a * m.taps + b] / n - codes[a] / n * (codes[b] / n);
    }
  }
  const double mean = std::max(covariance.trace() / static_cast<double>(taps), 1e-6);
  covariance.diagonal().array() += kDamping * mean;
  return covariance;
}

/// Taps with the largest variance first: what is rounded last makes up for the rest, and must matter least.
std::vector<int64_t> Order(const InputMoments& m, int64_t group) {
  const double* products = &m.products[static_cast<size_t>(group * m.taps * m.taps)];
  const double* codes = &m.codes[static_cast<size_t>(group * m.taps)];
  const auto n = static_cast<double>(m.positions);
  std::vector<double> variance;
  for (int64_t t = 0; t < m.taps; ++t) variance.push_back(products[t * m.taps + t] - codes[t] * codes[t] / n);
  std::vector<int64_t> order(static_cast<size_t>(m.taps));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return variance[static_cast<size_t>(a)] > variance[static_cast<size_t>(b)];
  });
  return order;
}

}  // namespace

std::vector<int8_t> RoundWeights(const Graph& graph, const Node& node, const std::vector<float>& scales,
                                 const InputMoments& moments) {
  if (moments.positions == 0 || moments.products.empty()) return QuantizeWeights(graph, node, scales);
  const float* weights = graph.at(node.inputs[1]).data<float>();
  const int64_t channels = graph.at(node.inputs[1]).shape[0], rows = channels / moments.groups;
  std::vector<int8_t> quantized(static_cast<size_t>(channels * moments.taps));
  for (int64_t g = 0; g < moments.groups; ++g) {
    const std::vector<int64_t> order = Order(moments, g);
    const auto taps = static_cast<Eigen::Index>(moments.taps);
    // Row j of the upper Cholesky factor of the inverse says how the error of tap j is shared among those after it.
    const Matrix identity = Matrix::Identity(taps, taps);
    const Matrix inverse = Eigen::LLT<Matrix>(Covariance(moments, g, order)).solve(identity);
    const Matrix share = Eigen::LLT<Matrix>(inverse).matrixU();
    // Codes: weights in units of their channel's scale.
    Matrix codes(rows, taps);
    for (Eigen::Index r = 0; r < rows; ++r) {
      const auto c = static_cast<size_t>(g * rows + r);
      for (Eigen::Index j = 0; j < taps; ++j) {
        const auto at = c * static_cast<size_t>(taps) + static_cast<size_t>(order[static_cast<size_t>(j)]);
        codes(r, j) = static_cast<double>(weights[at]) / static_cast<double>(scales[c]);
      }
    }
    Eigen::VectorXd error(rows);
    for (Eigen::Index j = 0; j < taps; ++j) {
      for (Eigen::Index r = 0; r < rows; ++r) {
        const double q = std::clamp(std::nearbyint(codes(r, j)), -127.0, 127.0);
        error(r) = (codes(r, j) - q) / share(j, j);
        const auto at = static_cast<size_t>((g * rows + r) * taps + order[static_cast<size_t>(j)]);
        quantized[at] = static_cast<int8_t>(q);
      }
      const Eigen::Index after = taps - j - 1;
      codes.rightCols(after).noalias() -= error * share.row(j).tail(after);
    }
  }
  return quantized;
}

std::vector<double> BiasCorrections(const Graph& graph, const Node& node, const std::vector<float>& scales,
                                    const std::vector<int8_t>& quantized, float input_scale,
                                    const InputMoments& moments) {
  const int64_t channels = graph.at(node.inputs[1]).shape[0], rows = channels / std::max<int64_t>(1, moments.groups);
  std::vector<double> corrections(static_cast<size_t>(channels), 0.0);
  if (moments.positions == 0) return corrections;
  const float* weights = graph.at(node.inputs[1]).data<float>();
  const auto n = static_cast<double>(moments.positions);
  for (int64_t c = 0; c < channels; ++c) {
    const auto first = static_cast<size_t>(c / rows * moments.taps), row = static_cast<size_t>(c * moments.taps);
    double sum = 0;
    for (size_t t = 0; t < static_cast<size_t>(moments.taps); ++t) {
      const double real = moments.reals[first + t] * InputMoments::kRealUnit / n;
      const double code = moments.codes[first + t] / n;
      const double rounded = static_cast<double>(scales[static_cast<size_t>(c)]) * quantized[row + t];
      sum += static_cast<double>(weights[row + t]) * real - rounded * code;
    }
    corrections[static_cast<size_t>(c)] = sum * static_cast<double>(input_scale);
  }
  return corrections;
}

}  // namespace xrun::compiler
