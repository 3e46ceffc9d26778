// What moves elements without computing with them.

#include <algorithm>
#include <numeric>

#include "recipes.h"

namespace xrun::float_graphs {
namespace {

constexpr int kLast = 21;

int64_t Axis(ModelMaker& m, size_t rank, bool negative_too) {
  const auto r = static_cast<int64_t>(rank);
  return negative_too && m.random.Chance(40) ? m.random.Pick(-r, -1) : m.random.Pick(0, r - 1);
}

size_t Counted(int64_t axis, size_t rank) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

/// Axes joined and split, written with 0 and -1.
void Reshape(ModelMaker& m) {
  const Tensor x = m.OfAnyType();
  Shape out = x.shape;
  for (int64_t turns = m.random.Pick(1, 3); turns > 0; --turns) {
    if (out.size() >= 2 && m.random.Chance(60)) {
      const auto d = static_cast<size_t>(m.random.Pick(0, static_cast<int64_t>(out.size()) - 2));
      out[d] *= out[d + 1];
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(d) + 1);
    } else if (out.size() < 5) {
      const auto d = static_cast<size_t>(m.random.Pick(0, static_cast<int64_t>(out.size())));
      int64_t factor = 1;
      if (d < out.size()) {
        for (const int64_t f : {2, 3, 5}) {
          if (out[d] % f == 0 && m.random.Chance(50)) factor = f;
        }
        out[d] /= factor;
      }
      out.insert(out.begin() + static_cast<std::ptrdiff_t>(d), factor);
    }
  }
  std::vector<int64_t> written = out;
  for (size_t d = 0; d < out.size() && d < x.rank(); ++d) {
    if (out[d] == x.shape[d] && m.random.Chance(40)) written[d] = 0;
  }
  if (!written.empty() && m.random.Chance(50)) {
    written[static_cast<size_t>(m.random.Pick(0, static_cast<int64_t>(written.size()) - 1))] = -1;
  }
  NodeBuilder node = m.Add("Reshape", {x, m.IntList(written)});
  const bool zeros = std::find(written.begin(), written.end(), 0) != written.end();
  if (m.opset() >= 14 && m.random.Chance(30)) node.Int("allowzero", zeros ? 0 : 1);
  m.Keep(m.Moved(x, out));
}

void Flatten(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  const auto rank = static_cast<int64_t>(x.rank());
  const int64_t axis = m.opset() >= 11 ? m.random.Pick(-rank, rank) : m.random.Pick(0, rank);
  NodeBuilder node = m.Add("Flatten", {x});
  if (axis != 1 || m.random.Chance(50)) node.Int("axis", axis);
  const auto middle = x.shape.begin() + (axis < 0 ? axis + rank : axis);
  m.Keep(m.Moved(x, {Elements({x.shape.begin(), middle}), Elements({middle, x.shape.end()})}));
}

/// Squeeze and Unsqueeze take axes as an attribute before opset 13, as an input since.
void AddWithAxes(ModelMaker& m, const std::string& op, const Tensor& x, const std::vector<int64_t>& axes) {
  if (m.opset() < 13) {
    m.Add(op, {x}).Ints("axes", axes);
  } else {
    m.Add(op, {x, m.IntList(axes)});
  }
}

void Unsqueeze(ModelMaker& m) {
  const Tensor x = m.OfAnyType();
  if (x.rank() > 4) return Reshape(m);
  const auto count = static_cast<size_t>(m.random.Pick(1, x.rank() > 3 ? 1 : 2));
  const size_t rank = x.rank() + count;
  std::vector<int64_t> places(rank);
  std::iota(places.begin(), places.end(), 0);
  std::vector<int64_t> axes;
  for (size_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(m.random.Pick(0, static_cast<int64_t>(places.size()) - 1));
    axes.push_back(places[at]);
    places.erase(places.begin() + static_cast<std::ptrdiff_t>(at));
  }
  Shape out(rank, 0);
  for (const int64_t axis : axes) out[static_cast<size_t>(axis)] = 1;
  size_t from = 0;
  for (int64_t& extent : out) {
    if (extent == 0) extent = x.shape[from++];
  }
  if (m.opset() >= 11) {
    for (int64_t& axis : axes) {
      if (m.random.Chance(30)) axis -= static_cast<int64_t>(rank);
    }
  }
  AddWithAxes(m, "Unsqueeze", x, axes);
  m.Keep(m.Moved(x, out));
}

void Squeeze(ModelMaker& m) {
  Tensor x = m.OfAnyType();
  if (std::find(x.shape.begin(), x.shape.end(), 1) == x.shape.end() || x.type != DType::kFloat32) {
    x = m.OfRankFrom(2);
    Shape shape = x.shape;
    shape.insert(shape.begin() + m.random.Pick(0, static_cast<int64_t>(shape.size())), 1);
    x = m.Reshaped(x, shape);
  }
  const bool all = m.random.Chance(30);
  std::vector<int64_t> axes;
  Shape out;
  for (size_t d = 0; d < x.rank(); ++d) {
    if (x.shape[d] == 1 && (all || m.random.Chance(70))) {
      axes.push_back(static_cast<int64_t>(d) -
                     (m.opset() >= 11 && m.random.Chance(30) ? static_cast<int64_t>(x.rank()) : 0));
    } else {
      out.push_back(x.shape[d]);
    }
  }
  if (axes.empty()) return Flatten(m);
  if (all && m.random.Chance(70)) {
    m.Add("Squeeze", {x});
  } else {
    AddWithAxes(m, "Squeeze", x, axes);
  }
  m.Keep(m.Moved(x, out));
}

void Transpose(ModelMaker& m) {
  const Tensor x = m.OfAnyType();
  std::vector<int64_t> perm(x.rank());
  std::iota(perm.begin(), perm.end(), 0);
  const bool plain = m.random.Chance(20);
  if (plain) std::reverse(perm.begin(), perm.end());
  for (size_t i = perm.size(); !plain && i > 1; --i) {
    std::swap(perm[i - 1], perm[static_cast<size_t>(m.random.Pick(0, static_cast<int64_t>(i) - 1))]);
  }
  NodeBuilder node = m.Add("Transpose", {x});
  if (!plain) node.Ints("perm", perm);
  Shape out;
  for (const int64_t axis : perm) out.push_back(x.shape[static_cast<size_t>(axis)]);
  m.Keep(m.Moved(x, out));
}

/// Some tensors or pieces of one, along any axis; one alone, or one twice.
void Concat(ModelMaker& m) {
  const Tensor x = m.OfRankFrom(1);
  const int64_t axis = Axis(m, x.rank(), m.opset() >= 11);
  const size_t d = Counted(axis, x.rank());
  std::vector<Tensor> parts{x};
  for (int64_t more = m.random.Pick(0, 3); more > 0; --more) {
    const Tensor other = m.OfRank(x.rank());
    Shape wanted = x.shape;
    wanted[d] = other.shape[d];
    if (other.shape == wanted) {
      parts.push_back(other);
      continue;
    }
    wanted[d] = m.random.Pick(1, 3);
    parts.push_back(m.random.Chance(40) ? x : m.RandomFloats(wanted, -2, 2));
  }
  if (m.random.Chance(50)) std::reverse(parts.begin(), parts.end());
  Tensor all = parts[0];
  all.shape[d] = 0;
  for (const Tensor& part : parts) {
    all.lo = std::min(all.lo, part.lo);
    all.hi = std::max(all.hi, part.hi);
    all.grid = all.exact() && part.exact() ? std::max(all.grid, part.grid) : -1;
    all.shape[d] += part.shape[d];
  }
  m.Add("Concat", parts).Int("axis", axis);
  m.Keep(m.Result(DType::kFloat32, all.shape, all.lo, all.hi, all.grid));
}

void Split(ModelMaker& m) {
  const Tensor x = m.OfAnyTypeFrom(1);
  const int64_t axis = Axis(m, x.rank(), m.opset() >= 11);
  const size_t d = Counted(axis, x.rank());
  const int64_t size = x.shape[d];
  std::vector<int64_t> sizes;
  const bool equal = m.random.Chance(50);
  int64_t parts = m.random.Pick(1, std::min<int64_t>(4, size));
  if (equal) {
    while (m.opset() < 18 && size % parts != 0) --parts;
    // The last is smaller where the axis does not divide, but not empty.
    const int64_t chunk = (size + parts - 1) / parts;
    parts = (size + chunk - 1) / chunk;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::min(chunk, size - i * chunk));
  } else {
    for (int64_t left = size, i = parts; i > 0; --i) {
      sizes.push_back(i == 1 ? left : m.random.Pick(1, left - i + 1));
      left -= sizes.back();
    }
  }
  const bool written = !equal;
  std::vector<Tensor> inputs{x};
  if (written && m.opset() >= 13) inputs.push_back(m.IntList(sizes));
  NodeBuilder node = m.Add("Split", inputs, static_cast<int>(parts));
  if (axis != 0 || m.random.Chance(50)) node.Int("axis", axis);
  if (written && m.opset() < 13) node.Ints("split", sizes);
  if (!written && m.opset() >= 18) node.Int("num_outputs", parts);
  std::vector<Tensor> results;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape shape = x.shape;
    shape[d] = sizes[i];
    results.push_back(m.Moved(x, shape, static_cast<int>(i)));
  }
  for (const Tensor& result : results) m.Keep(result);
}

/// Ends counted from either side, beyond the tensor, and steps backwards.
void Slice(ModelMaker& m) {
  const Tensor x = m.OfAnyTypeFrom(1);
  std::vector<int64_t> starts, ends, axes, steps;
  Shape out = x.shape;
  const bool old = m.opset() < 10;
  bool all_axes = true, ones = true;
  for (size_t d = 0; d < x.rank(); ++d) {
    const int64_t size = x.shape[d];
    if (!m.random.Chance(60)) {
      all_axes = false;
      continue;
    }
    const int64_t step = old || m.random.Chance(50) ? 1 : m.random.OneOf<int64_t>({2, 3, -1, -2, -1, 5});
    // Of the kept elements, counted along the step.
    const int64_t first = m.random.Pick(0, size - 1), last = m.random.Pick(first, size - 1);
    int64_t start = step > 0 ? first : last, end = step > 0 ? last + 1 : first - 1;
    const int64_t magnitude = step > 0 ? step : -step;
    out[d] = (last - first) / magnitude + 1;
    if (end == -1) {
      end = m.random.OneOf<int64_t>({-size - 1, -1000, INT64_MIN + 1});
    } else if (end == size && m.random.Chance(50)) {
      end = m.random.OneOf<int64_t>({size + 3, INT32_MAX, INT64_MAX});
    } else if (m.random.Chance(30) && end < size) {
      end -= size;
    }
    if (m.random.Chance(30)) start -= size;
    if (step < 0 && last == size - 1 && m.random.Chance(30)) start = size + 5;
    if (step > 0 && first == 0 && m.random.Chance(20)) start = -size - 2;
    starts.push_back(start);
    ends.push_back(end);
    steps.push_back(step);
    ones = ones && step == 1;
    axes.push_back(static_cast<int64_t>(d) - (!old && m.random.Chance(30) ? static_cast<int64_t>(x.rank()) : 0));
  }
  if (axes.empty()) return Transpose(m);
  const bool no_axes = all_axes && m.random.Chance(60);
  if (old) {
    NodeBuilder node = m.Add("Slice", {x});
    node.Ints("starts", starts).Ints("ends", ends);
    if (!no_axes) node.Ints("axes", axes);
  } else {
    std::vector<Tensor> inputs{x, m.IntList(starts), m.IntList(ends), no_axes ? Tensor{} : m.IntList(axes),
                               ones && m.random.Chance(60) ? Tensor{} : m.IntList(steps)};
    m.Add("Slice", inputs);
  }
  m.Keep(m.Moved(x, out));
}

/// Constant indices of any shape: some, all of them, evenly spaced or not, counted from either side.
void Gather(ModelMaker& m) {
  const Tensor x = m.OfAnyTypeFrom(1);
  const int64_t axis = Axis(m, x.rank(), m.opset() >= 11);
  const size_t d = Counted(axis, x.rank());
  const int64_t size = x.shape[d];
  Shape shape;
  const int64_t rank = m.random.Pick(0, x.rank() < 4 ? 2 : 1);
  for (int64_t i = 0; i < rank; ++i) shape.push_back(m.random.Pick(1, 4));
  std::vector<int64_t> indices;
  const int64_t start = m.random.Pick(0, size - 1), step = m.random.Pick(0, 2);
  const bool even = m.random.Chance(40);
  for (int64_t i = 0; i < Elements(shape); ++i) {
    int64_t index = even ? (start + i * step) % size : m.random.Pick(0, size - 1);
    if (m.opset() >= 11 && m.random.Chance(20)) index -= size;
    indices.push_back(index);
  }
  const Tensor list = m.Ints(shape, indices, m.random.Chance(30) ? DType::kInt32 : DType::kInt64);
  NodeBuilder node = m.Add("Gather", {x, list});
  if (axis != 0 || m.random.Chance(50)) node.Int("axis", axis);
  Shape out(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(d));
  out.insert(out.end(), shape.begin(), shape.end());
  out.insert(out.end(), x.shape.begin() + static_cast<std::ptrdiff_t>(d) + 1, x.shape.end());
  m.Keep(m.Moved(x, out));
}

void Pad(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.OfRankFrom(1), 600);
  std::vector<std::string> modes{"constant", "constant", "reflect", "edge"};
  if (m.opset() >= 19) modes.emplace_back("wrap");
  const std::string mode = m.random.OneOf(modes);
  std::vector<int64_t> axes, before, after;
  Shape out = x.shape;
  const bool some = m.opset() >= 18 && m.random.Chance(40);
  for (size_t d = 0; d < x.rank(); ++d) {
    if (some && m.random.Chance(40) && (!axes.empty() || d + 1 < x.rank())) continue;
    const int64_t most = mode == "reflect" ? std::min<int64_t>(2, x.shape[d] - 1)
                         : mode == "wrap"  ? std::min<int64_t>(2, x.shape[d])
                                           : 2;
    axes.push_back(static_cast<int64_t>(d) - (m.random.Chance(30) ? static_cast<int64_t>(x.rank()) : 0));
    before.push_back(m.random.Chance(40) ? 0 : m.random.Pick(0, most));
    after.push_back(m.random.Chance(40) ? 0 : m.random.Pick(0, most));
    out[d] += before.back() + after.back();
  }
  std::vector<int64_t> pads = before;
  pads.insert(pads.end(), after.begin(), after.end());
  const double value = m.random.OneOf<double>({0, 0, 1.5, -2});
  const bool valued = mode == "constant" && m.random.Chance(60);
  if (m.opset() < 11) {
    NodeBuilder node = m.Add("Pad", {x});
    node.Ints("pads", pads);
    if (mode != "constant" || m.random.Chance(50)) node.String("mode", mode);
    if (valued) node.Float("value", static_cast<float>(value));
  } else {
    std::vector<Tensor> inputs{x, m.IntList(pads), valued ? m.Scalar(value) : Tensor{},
                               some ? m.IntList(axes) : Tensor{}};
    NodeBuilder node = m.Add("Pad", inputs);
    if (mode != "constant" || m.random.Chance(50)) node.String("mode", mode);
  }
  if (mode != "constant") return m.Keep(m.Moved(x, out));
  const double filled = valued ? value : 0;
  m.Keep(m.Result(DType::kFloat32, out, std::min(x.lo, filled), std::max(x.hi, filled),
                  x.exact() ? std::max(x.grid, 1) : -1));
}

void Expand(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.OfAnyType(), 200);
  Shape wanted = x.shape;
  for (int64_t& extent : wanted) {
    if (extent == 1 && m.random.Chance(60))
      extent = m.random.Pick(1, 3);
    else if (m.random.Chance(30))
      extent = 1;
  }
  if (!wanted.empty() && m.random.Chance(30))
    wanted.erase(wanted.begin());
  else if (wanted.size() < 5 && m.random.Chance(30))
    wanted.insert(wanted.begin(), m.random.Pick(1, 2));
  m.Add("Expand", {x, m.IntList(wanted)});
  m.Keep(m.Moved(x, Broadcast(x.shape, wanted)));
}

void Tile(ModelMaker& m) {
  const Tensor x = m.Shrunk(m.OfAnyTypeFrom(1), 200);
  std::vector<int64_t> repeats;
  Shape out = x.shape;
  for (int64_t& extent : out) {
    repeats.push_back(m.random.Chance(60) ? 1 : m.random.Pick(1, 3));
    extent *= repeats.back();
  }
  m.Add("Tile", {x, m.IntList(repeats)});
  m.Keep(m.Moved(x, out));
}

void Identity(ModelMaker& m) {
  const Tensor x = m.OfAnyType();
  m.Add("Identity", {x});
  m.Keep(m.Moved(x, x.shape));
}

void Dropout(ModelMaker& m) {
  const Tensor x = m.Any();
  if (m.opset() < 12) {
    NodeBuilder node = m.Add("Dropout", {x});
    if (m.random.Chance(50)) node.Float("ratio", 0.3F);
  } else {
    m.Add("Dropout", {x, m.random.Chance(50) ? m.Scalar(0.25) : Tensor{}});
  }
  m.Keep(m.Moved(x, x.shape));
}

}  // namespace

std::vector<Recipe> MovementRecipes() {
  return {
      {"Reshape", 7, kLast, Reshape},
      {"Flatten", 7, kLast, Flatten},
      {"Squeeze", 7, kLast, Squeeze},
      {"Unsqueeze", 7, kLast, Unsqueeze},
      {"Transpose", 7, kLast, Transpose},
      {"Concat", 7, kLast, Concat},
      {"Concat again", 7, kLast, Concat},
      {"Split", 7, kLast, Split},
      {"Slice", 7, kLast, Slice},
      {"Gather", 7, kLast, Gather},
      {"Pad", 7, kLast, Pad},
      {"Expand", 8, kLast, Expand},
      {"Tile", 7, kLast, Tile},
      {"Identity", 7, kLast, Identity},
      {"Dropout", 7, kLast, Dropout},
  };
}

}  // namespace xrun::float_graphs
