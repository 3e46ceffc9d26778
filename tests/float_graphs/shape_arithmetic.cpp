// Shapes and constants computed in the graph, which import has to fold.

#include <algorithm>
#include <cmath>

#include "recipes.h"
#include "spelling.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

/// One extent of x as exporters read it: Shape, Gather with a scalar; an Unsqueeze makes it a list.
Tensor Extent(ModelMaker& m, const Tensor& x, int64_t d, bool as_list) {
  const auto value = static_cast<double>(x.shape[static_cast<size_t>(d)]);
  if (m.opset() >= 15 && as_list && m.random.Chance(30)) {
    m.Add("Shape", {x}).Int("start", d).Int("end", d + 1);
    return m.Computed({1}, value);
  }
  const Tensor shape = ShapeOf(m, x);
  m.Add("Gather", {shape, m.Ints({}, {d})}).Int("axis", 0);
  const Tensor extent = m.Computed({}, value);
  if (!as_list) return extent;
  if (m.opset() < 13) {
    m.Add("Unsqueeze", {extent}).Ints("axes", {0});
  } else {
    m.Add("Unsqueeze", {extent, m.IntList({0})});
  }
  return m.Computed({1}, value);
}

/// x.view(x.size(0), -1)
void FlattenByShape(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(2);
  m.Add("Concat", {Extent(m, x, 0, true), m.IntList({-1})}).Int("axis", 0);
  const Tensor target = m.Computed({2}, 0);
  m.Add("Reshape", {x, target});
  m.Keep(m.Moved(x, {x.shape[0], Elements(x.shape) / x.shape[0]}));
}

/// Integer arithmetic between: the last two axes joined by their product.
void JoinByProduct(ModelMaker& m) {
  const Tensor x = m.OfRank(4);
  const Tensor h = Extent(m, x, 2, false), w = Extent(m, x, 3, false);
  m.Add("Mul", {h, w});
  const Tensor product = m.Computed({}, h.hi * w.hi);
  if (m.opset() < 13) {
    m.Add("Unsqueeze", {product}).Ints("axes", {0});
  } else {
    m.Add("Unsqueeze", {product, m.IntList({0})});
  }
  const Tensor list = m.Computed({1}, product.hi);
  m.Add("Concat", {m.IntList({0}), Extent(m, x, 1, true), list}).Int("axis", 0);
  const Tensor target = m.Computed({3}, 0);
  m.Add("Reshape", {x, target});
  m.Keep(m.Moved(x, {x.shape[0], x.shape[1], x.shape[2] * x.shape[3]}));
}

/// Sizes of a Resize: twice the plane by way of floats, as PyTorch's interpolate is exported.
void ResizeByShape(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.OfRank(4), 500);
  std::vector<Tensor> sizes;
  for (const int64_t d : {2, 3}) {
    const Tensor extent = Extent(m, x, d, true);
    m.Add("Cast", {extent}).Int("to", onnx::TensorProto::FLOAT);
    const Tensor real = m.Computed({1}, extent.hi);
    m.Add("Mul", {real, m.Scalar(2)});
    const Tensor twice = m.Computed({1}, 2 * extent.hi);
    m.Add("Floor", {twice});
    const Tensor whole = m.Computed({1}, twice.hi);
    m.Add("Cast", {whole}).Int("to", onnx::TensorProto::INT64);
    sizes.push_back(m.Computed({1}, twice.hi));
  }
  const Tensor shape = ShapeOf(m, x);
  if (m.opset() < 10) {
    m.Add("Slice", {shape}).Ints("starts", {0}).Ints("ends", {2});
  } else {
    m.Add("Slice", {shape, m.IntList({0}), m.IntList({2}), m.IntList({0})});
  }
  const Tensor front = m.Computed({2}, 0);
  m.Add("Concat", {front, sizes[0], sizes[1]}).Int("axis", 0);
  const Tensor target = m.Computed({4}, 0);
  const Tensor none = m.Floats({0}, {});
  m.Add("Resize", {x, none, none, target})
      .String("mode", "nearest")
      .String("coordinate_transformation_mode", "asymmetric")
      .String("nearest_mode", "floor");
  m.Keep(m.Moved(x, {x.shape[0], x.shape[1], 2 * x.shape[2], 2 * x.shape[3]}));
}

/// A constant of x's shape, made while compiling, added to x.
void ConstantOfShape(ModelMaker& m) {
  const Tensor x = m.Any();
  const Tensor shape = ShapeOf(m, x);
  const double value = m.random.OneOf<double>({0, 1, -0.5});
  NodeBuilder node = m.Add("ConstantOfShape", {shape});
  if (value != 0 || m.random.Chance(50)) node.Tensor("value", test::FloatTensor("", {1}, {static_cast<float>(value)}));
  const Tensor filled = m.Result(DType::kFloat32, x.shape, value, value);
  m.Keep(Add(m, x, filled));
}

/// Positions 0 … n − 1 of an axis, as floats, added or multiplied.
void Positions(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(1));
  const auto last = static_cast<int64_t>(x.rank()) - 1;
  const Tensor n = Extent(m, x, last, false);
  m.Add("Range", {m.Ints({}, {0}), n, m.Ints({}, {1})});
  const Tensor places = m.Computed({x.shape.back()}, n.hi);
  m.Add("Cast", {places}).Int("to", onnx::TensorProto::FLOAT);
  const Tensor real = m.Result(DType::kFloat32, {x.shape.back()}, 0, n.hi);
  const Tensor small = Scaled(m, real, 0.125);
  m.Keep(m.random.Chance(50) ? Add(m, x, small) : Mul(m, x, small));
}

/// The mean by hand: a sum over Size.
void MeanBySize(ModelMaker& m) {
  const Tensor x = m.Tame(m.OfRankFrom(1));
  m.Add("Size", {x});
  const Tensor size = m.Computed({}, static_cast<double>(Elements(x.shape)));
  m.Add("Cast", {size}).Int("to", onnx::TensorProto::FLOAT);
  const Tensor count = m.Result(DType::kFloat32, {}, size.hi, size.hi);
  m.Add("ReduceSum", {x}).Int("keepdims", 0);
  const Tensor sum = m.Result(DType::kFloat32, {}, x.lo * size.hi, x.hi * size.hi);
  const Tensor mean = m.Simple("Div", {sum, count}, {}, x.lo, x.hi);
  m.Keep(Sub(m, x, mean));
}

/// PyTorch's expand: -1 stands for an axis that stays, which a Where replaces.
void ExpandByWhere(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.OfRankFrom(1), 300);
  const auto rank = static_cast<int64_t>(x.rank());
  Shape wanted(x.rank() + 1, -1), out = x.shape;
  wanted[0] = m.random.Pick(1, 3);
  out.insert(out.begin(), wanted[0]);
  const Tensor list = m.IntList(wanted);
  m.Add("ConstantOfShape", {m.IntList({rank + 1})}).Tensor("value", test::IntTensor("", {1}, {1}));
  const Tensor ones = m.Computed({rank + 1}, 1);
  m.Add("Mul", {ones, m.Ints({}, {-1})});
  const Tensor minus = m.Computed({rank + 1}, -1);
  m.Add("Equal", {list, minus});
  const Tensor stays = m.Result(DType::kBool, {rank + 1}, 0, 1, 0);
  m.Add("Where", {stays, ones, list});
  m.Add("Expand", {x, m.Computed({rank + 1}, 1)});
  m.Keep(m.Moved(x, out));
}

/// Constants of any type moved and computed with before they meet an activation.
void ConstantArithmetic(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  Shape shape{1, x.shape.back()};
  Tensor c = m.RandomFloats(shape, 0.5, 2);
  for (int64_t i = m.random.Pick(1, 3); i > 0; --i) {
    switch (m.random.Pick(0, 5)) {
      case 0:
        c = m.Simple("Sqrt", {c}, shape, std::sqrt(c.lo), std::sqrt(c.hi));
        break;
      case 1:
        c = m.Simple("Add", {c, m.Scalar(0.25)}, shape, c.lo + 0.25, c.hi + 0.25);
        break;
      case 2:
        c = m.Simple("Div", {m.Scalar(1), c}, shape, 1 / c.hi, 1 / c.lo);
        break;
      case 3:
        m.Add("Transpose", {c}).Ints("perm", {1, 0});
        c = m.Moved(c, {shape[1], 1});
        m.Add("Reshape", {c, m.IntList({1, -1})});
        c = m.Moved(c, shape);
        break;
      case 4:
        m.Add("Concat", {c, c}).Int("axis", 0);
        c = m.Moved(c, {2, shape[1]});
        m.Add("Gather", {c, m.IntList({1})}).Int("axis", 0);
        c = m.Moved(c, shape);
        break;
      default:
        c = m.Simple("Exp", {m.Simple("Neg", {c}, shape, -c.hi, -c.lo)}, shape, std::exp(-c.hi), std::exp(-c.lo));
    }
  }
  if (x.rank() == 1) {
    m.Add("Reshape", {c, m.IntList({-1})});
    c = m.Moved(c, {shape[1]});
  }
  m.Keep(m.random.Chance(50) ? Mul(m, x, c) : Add(m, x, c));
}

}  // namespace

std::vector<Recipe> ShapeRecipes() {
  return {
      {"flatten by shape", 7, kLast, FlattenByShape},
      {"join by product", 7, kLast, JoinByProduct},
      {"resize by shape", 11, kLast, ResizeByShape},
      {"ConstantOfShape", 9, kLast, ConstantOfShape},
      {"positions", 11, kLast, Positions},
      {"mean by Size", 7, kLast, MeanBySize},
      {"expand by Where", 9, kLast, ExpandByWhere},
      {"constant arithmetic", 7, kLast, ConstantArithmetic},
  };
}

}  // namespace xrun::float_graphs
