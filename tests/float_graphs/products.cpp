// Matrix products, reductions, and what works along axes.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "recipes.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

/// The batch axes of the second operand: as the first, fewer, or ones.
Shape OtherBatch(ModelMaker& m, Shape batch) {
  for (int64_t& extent : batch) {
    if (m.random.Chance(30)) extent = 1;
  }
  while (!batch.empty() && m.random.Chance(30)) batch.erase(batch.begin());
  return batch;
}

double ProductBound(const Tensor& a, const Tensor& b, int64_t terms) {
  return a.most() * b.most() * static_cast<double>(terms);
}

Tensor Product(ModelMaker& m, const Tensor& a, const Tensor& b, const Shape& shape, int64_t terms) {
  const double most = ProductBound(a, b, terms);
  return m.Simple("MatMul", {a, b}, shape, -most, most);
}

/// Matrices, batches of them, vectors; the other operand is a constant or computed, on either side.
void MatMul(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.Tame(m.OfRankFrom(1)), 500);
  const bool left = m.random.Chance(70);  // x is the left operand
  const bool vector = x.rank() == 1;
  const int64_t k = vector || left ? x.shape.back() : x.shape[x.rank() - 2];
  const int64_t free = m.random.Pick(1, 8);
  Shape batch(x.shape.begin(), x.shape.end() - (vector ? 1 : 2));
  Shape other = m.random.Chance(50) ? Shape{} : OtherBatch(m, batch);
  const bool other_vector = other.empty() && m.random.Chance(15);
  if (other_vector) {
    other = {k};
  } else if (left) {
    other.insert(other.end(), {k, free});
  } else {
    other.insert(other.end(), {free, k});
  }
  const double size = 1.7 / std::sqrt(static_cast<double>(k));
  Tensor y = m.random.Chance(60) ? m.RandomFloats(other, -size, size) : m.Input(other);
  if (other_vector && vector) return m.Keep(left ? Product(m, x, y, {}, k) : Product(m, y, x, {}, k));
  Shape out = batch;
  if (vector) {
    if (!other_vector) out.push_back(free);
  } else {
    out = Broadcast(batch, other_vector ? Shape{} : Shape(other.begin(), other.end() - 2));
    const int64_t own = left ? x.shape[x.rank() - 2] : x.shape.back();
    if (left) out.push_back(own);
    if (!other_vector) out.push_back(free);
    if (!left) out.push_back(own);
  }
  m.Keep(left ? Product(m, x, y, out, k) : Product(m, y, x, out, k));
}

/// x · xᵀ and the like: both operands computed from one tensor.
void SelfProduct(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.Tame(m.OfRankFrom(2)), 400);
  std::vector<int64_t> perm(x.rank());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  m.Add("Transpose", {x}).Ints("perm", perm);
  Shape turned = x.shape;
  std::swap(turned[turned.size() - 1], turned[turned.size() - 2]);
  const Tensor t = m.Moved(x, turned);
  Shape out = x.shape;
  const bool first = m.random.Chance(50);
  const int64_t k = first ? x.shape.back() : turned.back();
  out[out.size() - 2] = out.back() = first ? turned.back() : x.shape.back();
  m.Keep(first ? Product(m, x, t, out, k) : Product(m, t, x, out, k));
}

void Gemm(ModelMaker& m) {
  const Tensor a = m.Shrunk(m.Tame(m.OfRank(2)), 300);
  const bool trans_a = m.random.Chance(30), trans_b = m.random.Chance(50);
  const int64_t k = a.shape[trans_a ? 0 : 1], rows = a.shape[trans_a ? 1 : 0], columns = m.random.Pick(1, 9);
  const Shape shape = trans_b ? Shape{columns, k} : Shape{k, columns};
  const double size = 1.7 / std::sqrt(static_cast<double>(k));
  const Tensor b = m.random.Chance(70) ? m.RandomFloats(shape, -size, size) : m.Input(shape);
  const float alpha = m.random.Chance(60) ? 1.0F : m.random.OneOf<float>({0.5F, -1.25F, 2.0F});
  const float beta = m.random.Chance(60) ? 1.0F : m.random.OneOf<float>({0.5F, -1.5F, 0.0F});
  std::vector<Tensor> inputs{a, b};
  double most = std::abs(static_cast<double>(alpha)) * ProductBound(a, b, k);
  if (m.opset() < 11 || m.random.Chance(75)) {
    const Shape c =
        m.random.OneOf<Shape>({{columns}, {columns}, {1, columns}, {rows, columns}, {rows, 1}, {1}, {1, 1}, {}});
    inputs.push_back(m.random.Chance(70) ? m.RandomFloats(c, -1, 1) : m.Input(c));
    most += std::abs(static_cast<double>(beta)) * inputs.back().most();
  }
  NodeBuilder node = m.Add("Gemm", inputs);
  if (alpha != 1 || m.random.Chance(20)) node.Float("alpha", alpha);
  if (beta != 1 || m.random.Chance(20)) node.Float("beta", beta);
  if (trans_a || m.random.Chance(20)) node.Int("transA", trans_a ? 1 : 0);
  if (trans_b || m.random.Chance(20)) node.Int("transB", trans_b ? 1 : 0);
  m.Keep(m.Result(DType::kFloat32, {rows, columns}, -most, most));
}

struct Reduction {
  std::vector<int64_t> axes;  ///< counted from the front
  bool given = true, keep = true, nothing = false;
  int64_t count = 1;  ///< of elements that become one
  Shape shape;
};

Reduction RandomReduction(ModelMaker& m, const Tensor& x, int64_t most_count) {
  Reduction r;
  r.keep = m.random.Chance(60);
  std::vector<char> gone(x.rank(), 0);
  const int64_t kind = m.random.Pick(0, 9);
  for (size_t d = 0; d < x.rank(); ++d) {
    const bool spatial = kind < 3 && d >= 2 && x.rank() == 4;
    if (kind == 9 || spatial || (kind >= 3 && m.random.Chance(45))) gone[d] = 1;
    if (r.count * x.shape[d] > most_count) gone[d] = 0;
    if (gone[d] == 0) continue;
    r.count *= x.shape[d];
    r.axes.push_back(static_cast<int64_t>(d));
  }
  const bool all = r.axes.size() == x.rank();
  r.nothing = r.axes.empty();
  r.given = !(all && m.random.Chance(60));
  for (size_t d = 0; d < x.rank(); ++d) {
    if (gone[d] == 0)
      r.shape.push_back(x.shape[d]);
    else if (r.keep)
      r.shape.push_back(1);
  }
  return r;
}

/// Adds the node; axes as an attribute or an input, as the opset has it.
void AddReduce(ModelMaker& m, const std::string& op, const Tensor& x, const Reduction& r) {
  const bool as_input = m.opset() >= (op == "ReduceSum" ? 13 : 18);
  std::vector<int64_t> written = r.axes;
  for (int64_t& axis : written) {
    if (m.opset() >= 11 && m.random.Chance(30)) axis -= static_cast<int64_t>(x.rank());
  }
  if (written.size() > 1 && m.random.Chance(30)) std::reverse(written.begin(), written.end());
  std::vector<Tensor> inputs{x};
  if (as_input && r.given) inputs.push_back(m.IntList(written));
  NodeBuilder node = m.Add(op, inputs);
  if (!as_input && r.given) node.Ints("axes", written);
  if (!r.keep || m.random.Chance(40)) node.Int("keepdims", r.keep ? 1 : 0);
  if (as_input && r.nothing) node.Int("noop_with_empty_axes", 1);
}

Recipe Reduce(const std::string& op) {
  return {op, 7, kLast, [op](ModelMaker& m) {
            Tensor x = m.Tame(m.OfRankFrom(1));
            if (op == "ReduceLogSum") x = m.Within(x, 0.2, 4);
            if (op == "ReduceLogSumExp") x = m.Within(x, -6, 6);
            if (op == "ReduceProd") x = m.Within(x, -1.5, 1.5);
            Reduction r = RandomReduction(m, x, op == "ReduceProd" ? 8 : 2000);
            const bool as_input = m.opset() >= (op == "ReduceSum" ? 13 : 18);
            if (r.nothing) {
              // Summing nothing can be written from opset 13 and 18 on.
              const bool copies = as_input && m.random.Chance(50);
              if (!copies) {
                const auto last = static_cast<int64_t>(x.rank()) - 1;
                if (op == "ReduceProd" && x.shape.back() > 8) return;
                r.nothing = false;
                r.axes = {last};
                r.given = true;
                r.count = x.shape.back();
                r.shape = x.shape;
                r.keep ? void(r.shape.back() = 1) : r.shape.pop_back();
              } else {
                r.given = false;
                r.keep = true;
                r.shape = x.shape;
              }
            }
            AddReduce(m, op, x, r);
            const auto n = static_cast<double>(r.count);
            const double most = x.most();
            double lo = x.lo, hi = x.hi;
            if (op == "ReduceSum") lo = x.lo * n, hi = x.hi * n;
            if (op == "ReduceProd") hi = std::max(1.0, std::pow(most, n)), lo = -hi;
            if (op == "ReduceL1") lo = 0, hi = most * n;
            if (op == "ReduceL2") lo = 0, hi = most * std::sqrt(n);
            if (op == "ReduceSumSquare") lo = 0, hi = most * most * n;
            if (op == "ReduceLogSum") lo = std::log(x.lo * n), hi = std::log(x.hi * n);
            if (op == "ReduceLogSumExp") lo = x.lo + std::log(n), hi = x.hi + std::log(n);
            const bool picks = op == "ReduceMax" || op == "ReduceMin";
            m.Keep(m.Result(DType::kFloat32, r.shape, lo, hi, picks || (op == "ReduceSum" && x.exact()) ? x.grid : -1));
          }};
}

Recipe SoftmaxRecipe(const std::string& op) {
  return {op, 7, kLast, [op](ModelMaker& m) {
            const Tensor x = m.Tame(m.OfRankFrom(1));
            const auto rank = static_cast<int64_t>(x.rank());
            const bool negative = m.opset() >= 11 && m.random.Chance(40);
            const int64_t axis = negative ? m.random.Pick(-rank, -1) : m.random.Pick(0, rank - 1);
            const bool default_axis = rank > 1 && m.random.Chance(30);
            NodeBuilder node = m.Add(op, {x});
            if (!default_axis) node.Int("axis", axis);
            const bool log = op == "LogSoftmax";
            const double least = x.lo - x.hi - std::log(static_cast<double>(Elements(x.shape)));
            m.Keep(m.Result(DType::kFloat32, x.shape, log ? least : 0, log ? 0 : 1));
          }};
}

void LayerNorm(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(2));
  const auto rank = static_cast<int64_t>(x.rank());
  const int64_t axis = m.random.Chance(50) ? -1 : m.random.Pick(-rank, rank - 1);
  const Shape normal(x.shape.begin() + (axis < 0 ? axis + rank : axis), x.shape.end());
  std::vector<Tensor> inputs{x, m.RandomFloats(normal, -1.5, 1.5)};
  if (m.random.Chance(70)) inputs.push_back(m.RandomFloats(normal, -1, 1));
  NodeBuilder node = m.Add("LayerNormalization", inputs);
  if (axis != -1 || m.random.Chance(50)) node.Int("axis", axis);
  node.Float("epsilon", x.exact() ? m.random.OneOf<float>({1e-5F, 1e-3F}) : m.random.OneOf<float>({1e-3F, 1e-2F}));
  if (m.random.Chance(20)) node.Int("stash_type", 1);
  const double most = 1.5 * std::sqrt(static_cast<double>(Elements(normal))) + 1;
  m.Keep(m.Result(DType::kFloat32, x.shape, -most, most));
}

}  // namespace

std::vector<Recipe> ProductRecipes() {
  std::vector<Recipe> recipes = {
      {"MatMul", 7, kLast, MatMul},
      {"MatMul again", 7, kLast, MatMul},
      {"MatMul with itself", 7, kLast, SelfProduct},
      {"Gemm", 7, kLast, Gemm},
      {"LayerNormalization", 17, kLast, LayerNorm},
      SoftmaxRecipe("Softmax"),
      SoftmaxRecipe("LogSoftmax"),
  };
  for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                         "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}) {
    recipes.push_back(Reduce(op));
  }
  return recipes;
}

}  // namespace xrun::float_graphs
