#include "spelling.h"

#include <algorithm>

namespace xrun::float_graphs {

Tensor Mul(ModelMaker& m, const Tensor& a, const Tensor& b) {
  const double most = a.most() * b.most();
  return m.random.Chance(50) ? m.Simple("Mul", {a, b}, Broadcast(a.shape, b.shape), -most, most)
                             : m.Simple("Mul", {b, a}, Broadcast(a.shape, b.shape), -most, most);
}

Tensor Add(ModelMaker& m, const Tensor& a, const Tensor& b) {
  return m.random.Chance(50) ? m.Simple("Add", {a, b}, Broadcast(a.shape, b.shape), a.lo + b.lo, a.hi + b.hi)
                             : m.Simple("Add", {b, a}, Broadcast(a.shape, b.shape), a.lo + b.lo, a.hi + b.hi);
}

Tensor Sub(ModelMaker& m, const Tensor& a, const Tensor& b) {
  return m.Simple("Sub", {a, b}, Broadcast(a.shape, b.shape), a.lo - b.hi, a.hi - b.lo);
}

Tensor Number(ModelMaker& m, double value, const Tensor& beside) {
  const size_t rank = m.random.OneOf<size_t>({0, 0, 0, std::min<size_t>(1, beside.rank()), beside.rank()});
  return m.Floats(Shape(rank, 1), {value});
}

Tensor Scaled(ModelMaker& m, const Tensor& x, double factor) {
  const auto [lo, hi] = std::minmax({x.lo * factor, x.hi * factor});
  if (m.random.Chance(50)) return m.Simple("Div", {x, Number(m, 1 / factor, x)}, x.shape, lo, hi);
  return m.Simple("Mul", {x, Number(m, factor, x)}, x.shape, lo, hi);
}

Tensor Shifted(ModelMaker& m, const Tensor& x, double by) { return Add(m, x, Number(m, by, x)); }

Tensor Clipped(ModelMaker& m, const Tensor& x, double lo, double hi) {
  if (m.opset() < 11) {
    m.Add("Clip", {x}).Float("min", static_cast<float>(lo)).Float("max", static_cast<float>(hi));
  } else {
    m.Add("Clip", {x, m.Scalar(lo), m.Scalar(hi)});
  }
  return m.Result(DType::kFloat32, x.shape, std::clamp(x.lo, lo, hi), std::clamp(x.hi, lo, hi));
}

Tensor Sigmoid(ModelMaker& m, const Tensor& x) { return m.Simple("Sigmoid", {x}, x.shape, 0, 1); }

Tensor ShapeOf(ModelMaker& m, const Tensor& x) {
  m.Add("Shape", {x});
  return m.Computed({static_cast<int64_t>(x.rank())}, 0);
}

}  // namespace xrun::float_graphs
