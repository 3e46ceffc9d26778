// Comparisons, logic, integers and indices. What jumps works on exact values: no rounding decides anything.

#include <algorithm>
#include <cmath>

#include "compiler/import/tensor.h"
#include "recipes.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

int64_t AnyAxis(ModelMaker& m, size_t rank) {
  const auto r = static_cast<int64_t>(rank);
  return m.opset() >= 11 && m.random.Chance(40) ? m.random.Pick(-r, -1) : m.random.Pick(0, r - 1);
}

size_t Counted(int64_t axis, size_t rank) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

DType IntegerType(ModelMaker& m) { return m.random.Chance(60) ? DType::kInt64 : DType::kInt32; }

/// A second operand of one type with the first: a constant, the first itself, or another of the model.
Tensor IntegerPartner(ModelMaker& m, const Tensor& x, int64_t lo, int64_t hi) {
  Shape shape = x.shape;
  for (int64_t& extent : shape) {
    if (m.random.Chance(30)) extent = 1;
  }
  while (!shape.empty() && m.random.Chance(30)) shape.erase(shape.begin());
  std::vector<int64_t> values;
  for (int64_t i = 0; i < Elements(shape); ++i) values.push_back(m.random.Pick(lo, hi));
  return m.Ints(shape, values, x.type);
}

/// Integers that stay small, whatever came before.
Tensor SmallIntegers(ModelMaker& m, DType type) {
  const Tensor x = m.Integers(type);
  if (x.most() <= 1000) return x;
  const Tensor divisor = m.Ints({}, {37}, type);
  m.Add("Mod", {x, divisor}).Int("fmod", 1);
  return m.Result(type, x.shape, -36, 36, 0);
}

Recipe Comparison(const std::string& op, int first, int floats_from) {
  return {op, first, kLast, [=](ModelMaker& m) {
            const bool floats = m.opset() >= floats_from && m.random.Chance(60);
            const bool integers_allowed = op == "Equal" || m.opset() >= 9;
            if (!floats && !integers_allowed) return;
            if (!floats && op == "Equal" && m.random.Chance(30)) {
              const Tensor a = m.Bool();
              m.Add(op, {a, a});
              return m.Keep(m.Result(DType::kBool, a.shape, 0, 1, 0));
            }
            const Tensor a = floats ? m.Exact() : SmallIntegers(m, IntegerType(m));
            const Tensor b = floats ? m.Partner(a, true) : IntegerPartner(m, a, -3, 3);
            m.random.Chance(50) ? m.Add(op, {a, b}) : m.Add(op, {b, a});
            m.Keep(m.Result(DType::kBool, Broadcast(a.shape, b.shape), 0, 1, 0));
          }};
}

Recipe Logic(const std::string& op) {
  return {op, 7, kLast, [op](ModelMaker& m) {
            const Tensor a = m.Bool();
            Tensor b = m.Bool();
            if (!Broadcasts(a.shape, b.shape) || Elements(Broadcast(a.shape, b.shape)) > 3000 ||
                Broadcast(a.shape, b.shape).size() > 5) {
              m.Add("Not", {a});
              b = m.Result(DType::kBool, a.shape, 0, 1, 0);
            }
            m.Add(op, {a, b});
            m.Keep(m.Result(DType::kBool, Broadcast(a.shape, b.shape), 0, 1, 0));
          }};
}

void Not(ModelMaker& m) {
  const Tensor x = m.Bool();
  m.Add("Not", {x});
  m.Keep(m.Result(DType::kBool, x.shape, 0, 1, 0));
}

/// Between floats, or integers of one type.
void Where(ModelMaker& m) {
  const Tensor condition = m.Bool();
  const bool floats = m.random.Chance(75);
  Tensor a = floats ? m.Partner(condition) : m.Integers(IntegerType(m));
  Shape shape = condition.shape;
  if (!Broadcasts(a.shape, shape)) a = IntegerPartner(m, {"", a.type, shape}, -4, 4);
  shape = Broadcast(a.shape, shape);
  const Tensor b = floats ? m.Partner({"", DType::kFloat32, shape}) : IntegerPartner(m, {"", a.type, shape}, -4, 4);
  shape = Broadcast(shape, b.shape);
  m.random.Chance(50) ? m.Add("Where", {condition, a, b}) : m.Add("Where", {condition, b, a});
  m.Keep(m.Result(a.type, shape, std::min(a.lo, b.lo), std::max(a.hi, b.hi),
                  a.exact() && b.exact() ? std::max(a.grid, b.grid) : -1));
}

/// NaN comes from the root of a negative number, and must be seen.
void IsNan(ModelMaker& m) {
  const Tensor x = m.Exact();
  const Tensor root = m.Simple("Sqrt", {x}, x.shape, 0, std::sqrt(std::max(x.hi, 0.0)));
  m.Add("IsNaN", {root});
  const Tensor nan = m.Result(DType::kBool, x.shape, 0, 1, 0);
  m.Keep(nan);
  m.Add("Where", {nan, m.Scalar(0.5), root});
  m.Keep(m.Result(DType::kFloat32, x.shape, 0, std::max(0.5, root.hi)));
}

void Cast(ModelMaker& m) {
  switch (m.random.Pick(0, 4)) {
    case 0: {
      const Tensor x = m.Exact();
      const DType type = IntegerType(m);
      m.Add("Cast", {x}).Int("to", compiler::OnnxType(type));
      return m.Keep(m.Result(type, x.shape, std::trunc(x.lo), std::trunc(x.hi), 0));
    }
    case 1: {
      const Tensor x = m.Exact();
      m.Add("Cast", {x}).Int("to", compiler::OnnxType(DType::kBool));
      return m.Keep(m.Result(DType::kBool, x.shape, 0, 1, 0));
    }
    case 2: {  // double and back: nothing is computed in between
      const Tensor x = m.Any();
      m.Add("Cast", {x}).Int("to", onnx::TensorProto::DOUBLE);
      const Tensor wide = m.Unnamed(x);
      m.Add("Cast", {wide}).Int("to", onnx::TensorProto::FLOAT);
      return m.Keep(m.Moved(x, x.shape));
    }
    case 3: {
      const Tensor x = m.random.Chance(50) ? m.Bool() : SmallIntegers(m, IntegerType(m));
      m.Add("Cast", {x}).Int("to", compiler::OnnxType(DType::kFloat32));
      return m.Keep(m.Result(DType::kFloat32, x.shape, x.lo, x.hi, 0));
    }
    default: {
      const Tensor x = m.random.Chance(50) ? m.Bool() : SmallIntegers(m, IntegerType(m));
      const DType type = IntegerType(m);
      m.Add("Cast", {x}).Int("to", compiler::OnnxType(type));
      return m.Keep(m.Result(type, x.shape, x.lo, x.hi, 0));
    }
  }
}

void IntegerArithmetic(ModelMaker& m) {
  const Tensor a = SmallIntegers(m, IntegerType(m));
  const std::string op = m.random.OneOf<std::string>({"Add", "Sub", "Mul", "Div"});
  Tensor b = op == "Div" ? IntegerPartner(m, a, 2, 5) : IntegerPartner(m, a, -4, 4);
  const double most = op == "Mul" ? a.most() * 4 : a.most() + 4;
  m.Add(op, {a, b});
  m.Keep(m.Result(a.type, Broadcast(a.shape, b.shape), -most, most, 0));
}

void IntegerSign(ModelMaker& m) {
  const Tensor x = SmallIntegers(m, IntegerType(m));
  m.Add(m.random.Chance(50) ? "Neg" : "Abs", {x});
  m.Keep(m.Result(x.type, x.shape, -x.most(), x.most(), 0));
}

void IntegerExtreme(ModelMaker& m) {
  const Tensor a = SmallIntegers(m, IntegerType(m));
  const Tensor b = IntegerPartner(m, a, -3, 3);
  m.Add(m.random.Chance(50) ? "Max" : "Min", {a, b});
  m.Keep(m.Result(a.type, Broadcast(a.shape, b.shape), std::min(a.lo, -3.0), std::max(a.hi, 3.0), 0));
}

/// Of floats with the dividend's sign; of integers with either's.
void Mod(ModelMaker& m) {
  if (m.random.Chance(50)) {
    const Tensor x = m.Exact();
    m.Add("Mod", {x, m.Scalar(m.random.OneOf<double>({0.5, 0.75, -1.25, 2}))}).Int("fmod", 1);
    return m.Keep(m.Result(DType::kFloat32, x.shape, -2, 2, std::max(x.grid, 2)));
  }
  const Tensor a = SmallIntegers(m, IntegerType(m));
  const Tensor b = m.Ints({}, {m.random.OneOf<int64_t>({2, 3, 5, -3, -4})}, a.type);
  NodeBuilder node = m.Add("Mod", {a, b});
  if (m.random.Chance(50)) node.Int("fmod", m.random.Pick(0, 1));
  m.Keep(m.Result(a.type, a.shape, -5, 5, 0));
}

void IntegerReduce(ModelMaker& m) {
  const Tensor x = SmallIntegers(m, IntegerType(m));
  if (x.rank() == 0) return IntegerSign(m);
  std::vector<std::string> ops{"ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare", "ReduceProd"};
  std::string op = m.random.OneOf(ops);
  // ONNX Runtime has these of int32 only.
  if ((op == "ReduceL1" || op == "ReduceSumSquare" || op == "ReduceProd") && x.type == DType::kInt64) op = "ReduceSum";
  const int64_t axis = AnyAxis(m, x.rank());
  const size_t d = Counted(axis, x.rank());
  Shape shape = x.shape;
  const auto n = static_cast<double>(shape[d]);
  if (op == "ReduceProd" && std::pow(std::max(x.most(), 1.0), n) > 1e6) op = "ReduceSum";
  const bool keep = m.random.Chance(50);
  keep ? void(shape[d] = 1) : void(shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(d)));
  const bool as_input = m.opset() >= (op == "ReduceSum" ? 13 : 18);
  std::vector<Tensor> inputs{x};
  if (as_input) inputs.push_back(m.IntList({axis}));
  NodeBuilder node = m.Add(op, inputs);
  if (!as_input) node.Ints("axes", {axis});
  node.Int("keepdims", keep ? 1 : 0);
  const double most =
      op == "ReduceProd" ? std::pow(std::max(x.most(), 1.0), n) : std::max(x.most(), x.most() * x.most()) * n;
  m.Keep(m.Result(x.type, shape, -most, most, 0));
}

void ArgMax(ModelMaker& m, const std::string& op) {
  const Tensor x = m.ExactOfRankFrom(1);
  const int64_t axis = AnyAxis(m, x.rank());
  const size_t d = Counted(axis, x.rank());
  const bool keep = m.random.Chance(50);
  NodeBuilder node = m.Add(op, {x});
  if (axis != 0 || m.random.Chance(50)) node.Int("axis", axis);
  if (!keep || m.random.Chance(30)) node.Int("keepdims", keep ? 1 : 0);
  if (m.opset() >= 12 && m.random.Chance(40)) node.Int("select_last_index", m.random.Pick(0, 1));
  Shape shape = x.shape;
  const auto last = static_cast<double>(shape[d] - 1);
  keep ? void(shape[d] = 1) : void(shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(d)));
  m.Keep(m.Result(DType::kInt64, shape, 0, last, 0));
}

/// Places, values or both; where order does not count, of one only.
void TopK(ModelMaker& m) {
  const Tensor x = m.ExactOfRankFrom(1);
  const int64_t axis = AnyAxis(m, x.rank());
  const size_t d = Counted(axis, x.rank());
  const int64_t k = m.random.Pick(1, x.shape[d]);
  std::vector<Tensor> inputs{x};
  if (m.opset() >= 10) inputs.push_back(m.IntList({k}));
  NodeBuilder node = m.Add("TopK", inputs, 2);
  if (m.opset() < 10) node.Int("k", k);
  node.Int("axis", axis);
  if (m.opset() >= 11) {
    if (m.random.Chance(50)) node.Int("largest", m.random.Pick(0, 1));
    if (m.random.Chance(30)) node.Int("sorted", k == 1 ? m.random.Pick(0, 1) : 1);
  }
  Shape shape = x.shape;
  shape[d] = k;
  const Tensor values = m.Moved(x, shape, 0);
  const Tensor places = m.Result(DType::kInt64, shape, 0, static_cast<double>(x.shape[d] - 1), 0, 1);
  m.Keep(values);
  m.Keep(places);
}

/// Integers computed from the model's inputs that lie in 0 … size − 1 of an axis.
Tensor ComputedIndices(ModelMaker& m, const Shape& shape, int64_t size) {
  const Tensor x = m.Input(shape);
  const DType type = IntegerType(m);
  m.Add("Cast", {x}).Int("to", compiler::OnnxType(type));
  const Tensor whole = m.Result(type, shape, x.lo, x.hi, 0);
  if (m.opset() >= 10 && m.random.Chance(50)) {
    m.Add("Mod", {whole, m.Ints({}, {size}, type)});
    return m.Result(type, shape, 0, static_cast<double>(size - 1), 0);
  }
  m.Add("Abs", {whole});
  const Tensor positive = m.Result(type, shape, 0, 4, 0);
  if (m.opset() < 12) {
    m.Add("Sub", {m.Ints({}, {4}, type), positive});
    const Tensor turned = m.Result(type, shape, 0, 4, 0);
    m.Add("Div", {turned, m.Ints({}, {5}, type)});
    return m.Result(type, shape, 0, 0, 0);
  }
  m.Add("Min", {positive, m.Ints({}, {size - 1}, type)});
  return m.Result(type, shape, 0, static_cast<double>(size - 1), 0);
}

void GatherComputed(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  const int64_t axis = AnyAxis(m, x.rank());
  const size_t d = Counted(axis, x.rank());
  Shape shape;
  for (int64_t i = m.random.Pick(0, 2); i > 0; --i) shape.push_back(m.random.Pick(1, 3));
  m.Add("Gather", {x, ComputedIndices(m, shape, x.shape[d])}).Int("axis", axis);
  Shape out(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(d));
  out.insert(out.end(), shape.begin(), shape.end());
  out.insert(out.end(), x.shape.begin() + static_cast<std::ptrdiff_t>(d) + 1, x.shape.end());
  m.Keep(m.Moved(x, out));
}

Tensor ConstantIndices(ModelMaker& m, const Shape& shape, const std::function<int64_t(int64_t)>& size_of) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < Elements(shape); ++i) {
    const int64_t size = size_of(i);
    values.push_back(m.random.Pick(m.random.Chance(20) ? -size : 0, size - 1));
  }
  return m.Ints(shape, values, DType::kInt64);
}

void GatherElements(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  const int64_t axis = AnyAxis(m, x.rank());
  const size_t d = Counted(axis, x.rank());
  Shape shape = x.shape;
  for (int64_t& extent : shape) extent = m.random.Chance(50) ? extent : m.random.Pick(1, extent);
  shape[d] = m.random.Pick(1, 5);
  const Tensor indices = m.random.Chance(60) ? ConstantIndices(m, shape, [&](int64_t) { return x.shape[d]; })
                                             : ComputedIndices(m, shape, x.shape[d]);
  NodeBuilder node = m.Add("GatherElements", {x, indices});
  node.Int("axis", axis);
  m.Keep(m.Moved(x, shape));
}

void GatherNd(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  const int64_t batch = m.opset() >= 12 && x.rank() >= 2 && m.random.Chance(40) ? 1 : 0;
  const int64_t depth = m.random.Pick(1, std::min<int64_t>(3, static_cast<int64_t>(x.rank()) - batch));
  Shape shape(x.shape.begin(), x.shape.begin() + batch);
  for (int64_t i = m.random.Pick(0, 1); i > 0; --i) shape.push_back(m.random.Pick(1, 4));
  Shape out = shape;
  shape.push_back(depth);
  const Tensor indices =
      ConstantIndices(m, shape, [&](int64_t i) { return x.shape[static_cast<size_t>(batch + i % depth)]; });
  NodeBuilder node = m.Add("GatherND", {x, indices});
  if (batch != 0) node.Int("batch_dims", batch);
  out.insert(out.end(), x.shape.begin() + batch + depth, x.shape.end());
  m.Keep(m.Moved(x, out));
}

/// As many boxes as there can be are chosen, since ours fills up to that number: one a class, or all of them.
void NonMaxSuppression(ModelMaker& m) {
  const int64_t n = m.random.Pick(1, 2), boxes = m.random.Pick(1, 8), classes = m.random.Pick(1, 3);
  const Tensor corners = m.Input({n, boxes, 4});
  const Tensor scores = m.DistinctInput({n, classes, boxes});
  const bool all = m.random.Chance(50);
  std::vector<Tensor> inputs{corners, scores, m.IntList({all ? boxes + m.random.Pick(0, 2) : 1}),
                             all                   ? m.Floats({1}, {1.0})
                             : m.random.Chance(50) ? m.Floats({1}, {0.5})
                                                   : Tensor{}};
  if (m.random.Chance(40)) {
    if (inputs[3].name.empty()) inputs[3] = m.Floats({1}, {0.5});
    inputs.push_back(m.Floats({1}, {-100.0}));
  }
  NodeBuilder node = m.Add("NonMaxSuppression", inputs);
  if (m.random.Chance(40)) node.Int("center_point_box", m.random.Pick(0, 1));
  m.KeepApart(m.Result(DType::kInt64, {n * classes * (all ? boxes : 1), 3}, 0, static_cast<double>(boxes), 0));
}

/// Rounded to 8 bits and back, at steps that hold exact values exactly.
void QuantizeDequantize(ModelMaker& m) {
  const Tensor x = m.Exact();
  const bool is_signed = m.random.Chance(50);
  const double step = m.random.OneOf<double>({1.0 / 16, 1.0 / 32, 1.0 / 8});
  const int64_t zero =
      is_signed ? m.random.OneOf<int64_t>({0, 0, -5, 17}) : m.random.OneOf<int64_t>({128, 128, 0, 100});
  const Tensor scale = m.Scalar(step), point = m.Bytes({}, {zero}, is_signed);
  m.Add("QuantizeLinear", {x, scale, point});
  const Tensor bytes = m.Unnamed(x);
  m.Add("DequantizeLinear", {bytes, scale, point});
  const double least = static_cast<double>((is_signed ? -128 : 0) - zero) * step, most = least + 255 * step;
  m.Keep(m.Result(DType::kFloat32, x.shape, std::clamp(x.lo - step, least, most), std::clamp(x.hi + step, least, most),
                  6));
}

}  // namespace

std::vector<Recipe> DiscreteRecipes() {
  return {
      Comparison("Equal", 7, 11),
      Comparison("Greater", 7, 7),
      Comparison("Less", 7, 7),
      Comparison("GreaterOrEqual", 12, 12),
      Comparison("LessOrEqual", 12, 12),
      Logic("And"),
      Logic("Or"),
      Logic("Xor"),
      {"Not", 7, kLast, Not},
      {"Where", 9, kLast, Where},
      {"IsNaN", 9, kLast, IsNan},
      {"Cast", 7, kLast, Cast},
      {"integer arithmetic", 10, kLast, IntegerArithmetic},
      {"integer Neg, Abs", 10, kLast, IntegerSign},
      {"integer Max, Min", 12, kLast, IntegerExtreme},
      {"integer reductions", 10, kLast, IntegerReduce},
      {"Mod", 10, kLast, Mod},
      {"ArgMax", 7, kLast, [](ModelMaker& m) { ArgMax(m, "ArgMax"); }},
      {"ArgMin", 7, kLast, [](ModelMaker& m) { ArgMax(m, "ArgMin"); }},
      {"TopK", 7, kLast, TopK},
      {"Gather computed", 7, kLast, GatherComputed},
      {"GatherElements", 11, kLast, GatherElements},
      {"GatherND", 11, kLast, GatherNd},
      {"NonMaxSuppression", 10, kLast, NonMaxSuppression},
      {"QuantizeLinear, DequantizeLinear", 10, kLast, QuantizeDequantize},
  };
}

}  // namespace xrun::float_graphs
