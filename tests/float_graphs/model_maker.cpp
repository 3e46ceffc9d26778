#include "model_maker.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "compiler/import/tensor.h"

namespace xrun::float_graphs {
namespace {

constexpr size_t kMostInputs = 4;
constexpr int64_t kMostElements = 3000;
constexpr int kInputGrid = 6;

int IrVersion(int opset) { return opset <= 8 ? 3 : opset <= 9 ? 4 : opset <= 12 ? 6 : opset <= 18 ? 8 : 9; }

std::vector<Tensor> Fitting(const std::vector<Tensor>& pool, const std::function<bool(const Tensor&)>& fits) {
  std::vector<Tensor> found;
  std::copy_if(pool.begin(), pool.end(), std::back_inserter(found), fits);
  return found;
}

bool IsFloat(const Tensor& x) { return x.type == DType::kFloat32; }

}  // namespace

int64_t Elements(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

bool Broadcasts(const Shape& a, const Shape& b) {
  for (size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
    const int64_t x = a[a.size() - i], y = b[b.size() - i];
    if (x != y && x != 1 && y != 1) return false;
  }
  return true;
}

Shape Broadcast(const Shape& a, const Shape& b) {
  assert(Broadcasts(a, b));
  Shape out = a.size() >= b.size() ? a : b;
  const Shape& other = a.size() >= b.size() ? b : a;
  for (size_t i = 1; i <= other.size(); ++i) {
    int64_t& extent = out[out.size() - i];
    if (extent == 1) extent = other[other.size() - i];
  }
  return out;
}

uint64_t Random::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

ModelMaker::ModelMaker(uint64_t seed, int opset) : random(seed), opset_(opset), builder_(opset, IrVersion(opset)) {
  builder_.graph().set_name("seed" + std::to_string(seed));
}

// ---- tensors to work on

Tensor ModelMaker::FromPool(const std::function<bool(const Tensor&)>& fits, bool* found) {
  const std::vector<Tensor> fitting = Fitting(pool_, fits);
  *found = !fitting.empty();
  if (fitting.empty()) return {};
  // Long chains and branches: often the youngest, else any.
  return random.Chance(50) ? fitting.back() : random.OneOf(fitting);
}

Shape ModelMaker::RandomShape(size_t rank) {
  Shape shape;
  for (size_t d = 0; d < rank; ++d) {
    const bool batch = rank >= 3 && d == 0;
    const int64_t most = random.Chance(10) ? 40 : 9;
    shape.push_back(batch ? (random.Chance(75) ? 1 : random.Pick(2, 3)) : random.Chance(10) ? 1 : random.Pick(2, most));
  }
  while (Elements(shape) > kMostElements / 2) {
    for (int64_t& extent : shape) extent = std::max<int64_t>(1, extent - 1);
  }
  return shape;
}

Tensor ModelMaker::Input(const Shape& shape) {
  Tensor x{NewName("input"), DType::kFloat32, shape, -random.OneOf<double>({1, 2, 4}), random.OneOf<double>({1, 2, 4}),
           kInputGrid};
  InputData data{x, {}};
  for (int64_t i = 0; i < Elements(shape); ++i) {
    const int64_t steps = random.Pick(static_cast<int64_t>(x.lo * 64), static_cast<int64_t>(x.hi * 64));
    data.values.push_back(static_cast<float>(steps) / 64.0F);
  }
  builder_.Input(x.name, {shape.begin(), shape.end()});
  inputs_.push_back(std::move(data));
  pool_.push_back(x);
  return x;
}

Tensor ModelMaker::DistinctInput(const Shape& shape) {
  const Tensor x = Input(shape);
  std::vector<float>& values = inputs_.back().values;
  const auto count = static_cast<double>(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    // Multiples of 1/64 in the input's range as long as there are enough of them.
    const double steps = std::floor(static_cast<double>(i) * std::max(1.0, std::floor((x.hi - x.lo) * 64 / count)));
    values[i] = static_cast<float>(x.lo + steps / 64);
  }
  for (size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[static_cast<size_t>(random.Pick(0, static_cast<int64_t>(i) - 1))]);
  }
  assert(count <= (x.hi - x.lo) * 64);
  return x;
}

Tensor ModelMaker::Any() {
  bool found = false;
  if (random.Chance(4)) {
    // Folded while importing, with whatever reads it.
    const bool computed = !constants_.empty() && random.Chance(60);
    return computed ? random.OneOf(constants_)
                    : RandomFloats(RandomShape(static_cast<size_t>(random.Pick(1, 4))), -2, 2);
  }
  const Tensor x = FromPool(IsFloat, &found);
  if (found && (inputs_.size() >= kMostInputs || !random.Chance(8))) return x;
  return Input(RandomShape(random.Chance(65) ? 4 : static_cast<size_t>(random.Pick(1, 5))));
}

Tensor ModelMaker::OfRank(size_t rank) {
  bool found = false;
  const Tensor x = FromPool([&](const Tensor& t) { return IsFloat(t) && t.rank() == rank; }, &found);
  if (found) return x;
  if (inputs_.size() < kMostInputs) return Input(RandomShape(rank));
  const Tensor other = Any();
  Shape shape = other.shape;
  while (shape.size() < rank) shape.insert(shape.begin(), 1);
  while (shape.size() > rank && rank > 0) {
    shape[1] *= shape[0];
    shape.erase(shape.begin());
  }
  return Reshaped(other, shape);
}

Tensor ModelMaker::OfRankFrom(size_t least) {
  bool found = false;
  const Tensor x = FromPool([&](const Tensor& t) { return IsFloat(t) && t.rank() >= least; }, &found);
  return found ? x : OfRank(std::max<size_t>(least, random.Chance(60) ? 4 : 2));
}

Tensor ModelMaker::Exact() { return ExactOfRankFrom(0); }

Tensor ModelMaker::ExactOfRankFrom(size_t least) {
  bool found = false;
  const Tensor x = FromPool([&](const Tensor& t) { return IsFloat(t) && t.exact() && t.rank() >= least; }, &found);
  if (found) return x;
  return Input(RandomShape(std::max(least, static_cast<size_t>(random.Pick(1, 4)))));
}

Tensor ModelMaker::Bool() {
  bool found = false;
  const Tensor x = FromPool([](const Tensor& t) { return t.type == DType::kBool; }, &found);
  if (found && random.Chance(60)) return x;
  const Tensor a = Exact();
  const Tensor b = Partner(a, true);
  return [&] {
    Add(opset_ >= 9 ? random.OneOf<std::string>({"Less", "Greater"}) : "Greater", {a, b});
    return Result(DType::kBool, Broadcast(a.shape, b.shape), 0, 1, 0);
  }();
}

Tensor ModelMaker::Integers(DType type) {
  bool found = false;
  const Tensor x = FromPool([&](const Tensor& t) { return t.type == type; }, &found);
  if (found && random.Chance(60)) return x;
  const Tensor from = Exact();
  Add("Cast", {from}).Int("to", compiler::OnnxType(type));
  return Result(type, from.shape, std::trunc(from.lo), std::trunc(from.hi), 0);
}

Tensor ModelMaker::OfAnyTypeFrom(size_t least) {
  bool found = false;
  const Tensor x = FromPool([&](const Tensor& t) { return t.type != DType::kFloat32 && t.rank() >= least; }, &found);
  return found && random.Chance(20) ? x : OfRankFrom(least);
}

Tensor ModelMaker::OfAnyType() {
  bool found = false;
  const Tensor x = FromPool([](const Tensor& t) { return t.type != DType::kFloat32; }, &found);
  return found && random.Chance(25) ? x : Any();
}

Tensor ModelMaker::Partner(const Tensor& x, bool exact) {
  bool found = false;
  if (!exact && random.Chance(8)) {
    const std::vector<Tensor> fitting = Fitting(constants_, [&](const Tensor& t) {
      return Broadcasts(t.shape, x.shape) && Elements(Broadcast(t.shape, x.shape)) <= kMostElements &&
             Broadcast(t.shape, x.shape).size() <= 5;
    });
    if (!fitting.empty()) return random.OneOf(fitting);
  }
  const Tensor other = FromPool(
      [&](const Tensor& t) {
        return IsFloat(t) && (!exact || t.exact()) && Broadcasts(t.shape, x.shape) &&
               Elements(Broadcast(t.shape, x.shape)) <= kMostElements && Broadcast(t.shape, x.shape).size() <= 5;
      },
      &found);
  if (found && random.Chance(60)) return other;
  // A shape that repeats along some axes, of x's rank or a lower one; or one that makes x repeat.
  Shape shape = x.shape;
  for (int64_t& extent : shape) {
    if (random.Chance(40))
      extent = 1;
    else if (extent == 1 && random.Chance(20) && Elements(x.shape) < 300)
      extent = random.Pick(2, 5);
  }
  while (!shape.empty() && random.Chance(25)) shape.erase(shape.begin());
  if (shape.size() < 5 && random.Chance(5)) shape.insert(shape.begin(), 1);
  if (!exact && random.Chance(50)) return RandomFloats(shape, -2, 2);
  if (inputs_.size() < kMostInputs && random.Chance(40)) return Input(shape);
  return RandomExact(shape, -2, 2, kInputGrid);
}

Tensor ModelMaker::Within(const Tensor& x, double lo, double hi) {
  if (x.lo >= lo && x.hi <= hi) return x;
  switch (random.Pick(0, 3)) {
    case 0: {  // moved and scaled
      const double scale = x.hi > x.lo ? std::min(1.0, (hi - lo) / (x.hi - x.lo)) : 1.0;
      const Tensor factor = Scalar(scale * 0.99);
      const Tensor scaled = Simple("Mul", {x, factor}, x.shape, x.lo * factor.lo, x.hi * factor.lo);
      const double shift = (lo + hi) / 2 - (scaled.lo + scaled.hi) / 2;
      return Simple("Add", {scaled, Scalar(shift)}, x.shape, std::max(lo, scaled.lo + shift),
                    std::min(hi, scaled.hi + shift));
    }
    case 1: {  // squeezed
      const bool tanh = random.Chance(50);
      const Tensor squeezed = Simple(tanh ? "Tanh" : "Sigmoid", {x}, x.shape, tanh ? -1 : 0, 1);
      const double scale = (hi - lo) / (tanh ? 2 : 1) * 0.99, shift = tanh ? (lo + hi) / 2 : lo + 0.005 * (hi - lo);
      const Tensor scaled = Simple("Mul", {Scalar(scale), squeezed}, x.shape, tanh ? -scale : 0, scale);
      return Simple("Add", {scaled, Scalar(shift)}, x.shape, lo, hi);
    }
    default: {  // cut off, at numbers on a grid
      const double from = std::ceil(lo * 64) / 64, to = std::floor(hi * 64) / 64;
      const int grid = x.exact() ? std::max(x.grid, 6) : -1;
      const double least = std::clamp(x.lo, from, to), most = std::clamp(x.hi, from, to);
      if (opset_ >= 8 && random.Chance(30)) {
        const Tensor raised = Simple("Max", {x, Scalar(from)}, x.shape, least, std::max(x.hi, from), grid);
        return Simple("Min", {raised, Scalar(to)}, x.shape, least, most, grid);
      }
      if (opset_ < 11) {
        Add("Clip", {x}).Float("min", static_cast<float>(from)).Float("max", static_cast<float>(to));
      } else {
        Add("Clip", {x, Scalar(from), Scalar(to)});
      }
      return Result(DType::kFloat32, x.shape, least, most, grid);
    }
  }
}

Tensor ModelMaker::Tame(const Tensor& x) {
  if (x.most() <= 16) return x;
  const double bound = random.OneOf<double>({1, 2, 4, 6, 8});
  return Within(x, -bound, bound);
}

Tensor ModelMaker::Reshaped(const Tensor& x, const Shape& shape) {
  assert(Elements(x.shape) == Elements(shape));
  Add("Reshape", {x, IntList(shape)});
  return Moved(x, shape);
}

Tensor ModelMaker::Shrunk(const Tensor& x, int64_t most_elements) {
  if (Elements(x.shape) <= most_elements) return x;
  Shape shape = x.shape;
  while (Elements(shape) > most_elements) {
    int64_t& largest = *std::max_element(shape.begin(), shape.end());
    largest = (largest + 1) / 2;
  }
  const std::vector<int64_t> begin(shape.size(), 0);
  if (opset_ < 10) {
    Add("Slice", {x}).Ints("starts", begin).Ints("ends", shape);
  } else {
    Add("Slice", {x, IntList(begin), IntList(shape)});
  }
  return Moved(x, shape);
}

// ---- constants

Tensor ModelMaker::Floats(const Shape& shape, const std::vector<double>& values) {
  assert(Elements(shape) == static_cast<int64_t>(values.size()));
  std::vector<float> floats(values.begin(), values.end());
  Tensor x{NewName("c"), DType::kFloat32, shape, 0, 0, -1, true};
  if (!floats.empty()) {
    const auto [lo, hi] = std::minmax_element(floats.begin(), floats.end());
    x.lo = *lo;
    x.hi = *hi;
  }
  for (const int grid : {6, 8}) {
    const bool on = std::all_of(floats.begin(), floats.end(), [&](float v) {
      return std::abs(v) < 256 && std::ldexp(v, grid) == std::floor(std::ldexp(v, grid));
    });
    if (on) x.grid = x.grid < 0 ? grid : x.grid;
  }
  if (random.Chance(75)) {
    builder_.Init(x.name, shape, floats);
    if (random.Chance(40)) {
      auto& tensor = *builder_.graph().mutable_initializer(builder_.graph().initializer_size() - 1);
      tensor.set_raw_data(floats.data(), floats.size() * sizeof(float));
      tensor.clear_float_data();
    }
    return x;
  }
  NodeBuilder node = builder_.Node("Constant", {}, {x.name});
  if (opset_ >= 12 && shape.empty() && random.Chance(60)) {
    node.Float("value_float", floats[0]);
  } else if (opset_ >= 12 && shape.size() == 1 && random.Chance(60)) {
    node.Floats("value_floats", floats);
  } else {
    node.Tensor("value", test::FloatTensor("", shape, floats));
  }
  return x;
}

Tensor ModelMaker::RandomFloats(const Shape& shape, double lo, double hi) {
  std::vector<double> values;
  for (int64_t i = 0; i < Elements(shape); ++i) values.push_back(random.Uniform(lo, hi));
  return Floats(shape, values);
}

Tensor ModelMaker::RandomExact(const Shape& shape, double lo, double hi, int grid) {
  std::vector<double> values;
  const double step = std::ldexp(1.0, -grid);
  for (int64_t i = 0; i < Elements(shape); ++i) {
    const int64_t n = random.Pick(static_cast<int64_t>(std::ceil(lo / step)), static_cast<int64_t>(hi / step));
    values.push_back(static_cast<double>(n) * step);
  }
  return Floats(shape, values);
}

Tensor ModelMaker::Ints(const Shape& shape, const std::vector<int64_t>& values, DType type) {
  Tensor x{NewName("c"), type, shape, 0, 0, 0, true};
  if (!values.empty()) {
    const auto [lo, hi] = std::minmax_element(values.begin(), values.end());
    x.lo = static_cast<double>(*lo);
    x.hi = static_cast<double>(*hi);
  }
  if (random.Chance(75)) {
    builder_.InitInts(x.name, shape, values, compiler::OnnxType(type));
    return x;
  }
  NodeBuilder node = builder_.Node("Constant", {}, {x.name});
  if (opset_ >= 12 && type == DType::kInt64 && shape.empty() && random.Chance(60)) {
    node.Int("value_int", values[0]);
  } else if (opset_ >= 12 && type == DType::kInt64 && shape.size() == 1 && random.Chance(60)) {
    node.Ints("value_ints", values);
  } else {
    node.Tensor("value", test::IntTensor("", shape, values, compiler::OnnxType(type)));
  }
  return x;
}

Tensor ModelMaker::Bytes(const Shape& shape, const std::vector<int64_t>& values, bool is_signed) {
  Tensor x{NewName("c"), DType::kFloat32, shape, 0, 0, -1, true};
  builder_.InitInts(x.name, shape, values, is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8);
  return x;
}

// ---- nodes

NodeBuilder ModelMaker::Add(const std::string& op, const std::vector<Tensor>& inputs, int outputs) {
  std::vector<std::string> names;
  from_constants_ = true;
  for (const Tensor& input : inputs) {
    from_constants_ = from_constants_ && (input.constant || input.name.empty());
    names.push_back(input.name);
    read_.insert(input.name);
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  const std::string node = NewName(op);
  results_.clear();
  for (int i = 0; i < outputs; ++i) results_.push_back(node + (i == 0 ? "" : "." + std::to_string(i)));
  NodeBuilder builder = builder_.Node(op, names, results_);
  builder.Named("node_" + node);
  return builder;
}

Tensor ModelMaker::Result(DType type, const Shape& shape, double lo, double hi, int grid, int i) {
  // Too many digits for a float are no longer exact.
  if (grid >= 0 && type == DType::kFloat32 && std::ldexp(std::max(std::abs(lo), std::abs(hi)), grid) >= 0x1p23)
    grid = -1;
  const Tensor result{results_[static_cast<size_t>(i)], type, shape, lo, hi, grid, from_constants_};
  made_.push_back(result);
  LeakNowAndThen(result);
  return result;
}

Tensor ModelMaker::Simple(const std::string& op, const std::vector<Tensor>& inputs, const Shape& shape, double lo,
                          double hi, int grid) {
  Add(op, inputs);
  return Result(DType::kFloat32, shape, lo, hi, grid);
}

/// What stands inside of a pattern may be read from outside, or be an output, too: then it must not be fused away.
void ModelMaker::LeakNowAndThen(const Tensor& x) {
  const bool pool = x.name.find("Pool") != std::string::npos;  // see KeepApart
  if (x.type != DType::kFloat32 || x.constant || pool || x.most() > 16 || Elements(x.shape) > kMostElements) return;
  if (random.Chance(4)) pool_.push_back(x);
}

Tensor ModelMaker::Moved(const Tensor& x, const Shape& shape, int i) {
  Tensor moved = x;
  moved.name = results_[static_cast<size_t>(i)];
  moved.shape = shape;
  moved.constant = from_constants_;
  made_.push_back(moved);
  LeakNowAndThen(moved);
  return moved;
}

Tensor ModelMaker::Computed(const Shape& shape, double value) {
  return {results_[0], DType::kInt64, shape, value, value, 0, true};
}

Tensor ModelMaker::Unnamed(const Tensor& x) const {
  Tensor other = x;
  other.name = results_[0];
  return other;
}

void ModelMaker::Keep(const Tensor& x) {
  if (x.constant && x.type != DType::kFloat32) return;
  Tensor kept = x.type == DType::kFloat32 ? Shrunk(Tame(x), kMostElements) : x;
  (x.constant ? constants_ : pool_).push_back(std::move(kept));
}

void ModelMaker::KeepApart(const Tensor& x) {
  if (!x.constant) apart_.push_back(x);
}

bool ModelMaker::HasResults() const {
  const auto computed = [](const Tensor& x) { return x.name.rfind("input", 0) != 0; };
  return !apart_.empty() || std::any_of(pool_.begin(), pool_.end(), computed);
}

void ModelMaker::Finish(bool every_tensor) {
  // Constants that a recipe changed its mind about.
  auto& initializers = *builder_.graph().mutable_initializer();
  for (int i = initializers.size() - 1; i >= 0; --i) {
    if (read_.count(initializers[i].name()) == 0) initializers.DeleteSubrange(i, 1);
  }
  auto& nodes = *builder_.graph().mutable_node();
  for (int i = nodes.size() - 1; i >= 0; --i) {
    if (nodes[i].op_type() == "Constant" && read_.count(nodes[i].output(0)) == 0) nodes.DeleteSubrange(i, 1);
  }
  std::set<std::string> given;
  if (every_tensor) {
    for (const Tensor& x : made_) {
      if (x.constant || !given.insert(x.name).second) continue;
      outputs_.push_back(x);
      builder_.Output(x.name, compiler::OnnxType(x.type));
    }
    return;
  }
  for (const InputData& input : inputs_) given.insert(input.tensor.name);
  for (const Tensor& x : pool_) {
    if (given.count(x.name) != 0 || (read_.count(x.name) != 0 && !random.Chance(10))) continue;
    given.insert(x.name);
    outputs_.push_back(x);
  }
  outputs_.insert(outputs_.end(), apart_.begin(), apart_.end());
  for (const Tensor& x : outputs_) builder_.Output(x.name, compiler::OnnxType(x.type));
}

}  // namespace xrun::float_graphs
