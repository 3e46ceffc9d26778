#include "isa/tile_geometry.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace xrun {
namespace {

struct Run {
  uint64_t start, length;
};

/// Ascending disjoint runs, grouped greedily where length and distance repeat.
void GroupRuns(const std::vector<Run>& runs, std::vector<RunGroup>& out) {
  for (size_t i = 0; i < runs.size();) {
    RunGroup group{runs[i].start, runs[i].length, 0, 1};
    size_t next = i + 1;
    if (next < runs.size() && runs[next].length == group.length) {
      group.pitch = runs[next].start - runs[i].start;
      while (next < runs.size() && runs[next].length == group.length &&
             runs[next].start - runs[next - 1].start == group.pitch) {
        ++next;
      }
      group.count = next - i;
    }
    out.push_back(group);
    i = next;
  }
}

int64_t CeilDiv(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -((-a) / b); }

/// A set of consecutive words as bits.
class Bitmap {
 public:
  Bitmap(uint64_t first, uint64_t last) : first_(first), bits_((last - first) / 64 + 1, 0) {}

  void Set(uint64_t start, uint64_t length) {
    for (uint64_t i = start - first_; i < start - first_ + length; ++i) bits_[i / 64] |= uint64_t{1} << (i % 64);
  }

  /// Adds the words of `other` (of the same range) moved up by `shift`.
  void Add(const Bitmap& other, uint64_t shift) {
    const size_t words = shift / 64;
    const unsigned rest = shift % 64;
    for (size_t i = bits_.size(); i-- > words;) {  // downwards: `other` may be this bitmap
      uint64_t value = other.bits_[i - words] << rest;
      if (rest != 0 && i > words) value |= other.bits_[i - words - 1] >> (64 - rest);
      bits_[i] |= value;
    }
  }

  /// Adds `count` − 1 copies, each `pitch` further: steps double, so that a large count costs few passes.
  void Repeat(uint64_t count, uint64_t pitch) {
    for (uint64_t have = 1; pitch != 0 && have < count;) {
      const uint64_t step = std::min(have, count - have);
      Add(*this, step * pitch);
      have += step;
    }
  }

  std::vector<Run> Runs() const {
    std::vector<Run> runs;
    for (uint64_t i = 0; i < bits_.size() * 64; ++i) {
      if ((bits_[i / 64] >> (i % 64) & 1) == 0) continue;
      if (!runs.empty() && runs.back().start + runs.back().length == first_ + i) {
        ++runs.back().length;
      } else {
        runs.push_back({first_ + i, 1});
      }
    }
    return runs;
  }

  bool Meets(const Bitmap& other) const {
    for (size_t i = 0; i < bits_.size(); ++i) {
      if ((bits_[i] & other.bits_[i]) != 0) return true;
    }
    return false;
  }

 private:
  uint64_t first_;
  std::vector<uint64_t> bits_;
};

/// The set an operand covers. Work is bounded by the memory's size and the number of row groups, whatever the counts.
Bitmap Cover(const Operand& operand) {
  const uint64_t first = operand.First();
  const uint64_t last = operand.Last();
  Bitmap row(first, last);
  for (const RunGroup& c : operand.cols) {
    for (uint64_t i = 0; i < c.count; ++i)
      row.Set(first + c.start - operand.cols.front().start + i * c.pitch, c.length);
  }
  Bitmap all(first, last);
  for (const RunGroup& r : operand.rows) {
    Bitmap group = row;
    group.Repeat(r.length, operand.row_pitch);
    group.Repeat(r.count, r.pitch * operand.row_pitch);
    all.Add(group, (r.start - operand.rows.front().start) * operand.row_pitch);
  }
  all.Repeat(operand.planes, operand.plane_pitch);
  return all;
}

/// `count` steps of `pitch` units.
struct Dim {
  uint64_t count, pitch;
};

/// The units {start + Σ i_d · pitch_d + j, j < length} of nested loops.
void AppendLattice(uint64_t start, uint64_t length, std::array<Dim, 4> loops, std::vector<RunGroup>& out) {
  RunGroup run{start, length, 0, 1};
  // The covered set does not depend on the order of the loops: from the smallest pitch up, dimensions without gaps
  // join the run, and those that continue the dimension before them join that.
  std::sort(loops.begin(), loops.end(), [](const Dim& a, const Dim& b) { return a.pitch < b.pitch; });
  std::array<Dim, 4> rest{};
  size_t n = 0;
  for (const Dim& d : loops) {
    if (d.count == 1 || d.pitch == 0) continue;
    if (n == 0 && d.pitch <= run.length) {
      run.length += (d.count - 1) * d.pitch;
    } else if (n != 0 && d.pitch == rest[n - 1].count * rest[n - 1].pitch) {
      rest[n - 1].count *= d.count;
    } else {
      rest[n++] = d;
    }
  }
  if (n == 0) {
    out.push_back(run);
    return;
  }
  // The longest dimension becomes the group's, the others are enumerated.
  const auto longest =
      std::max_element(rest.begin(), rest.begin() + n, [](const Dim& a, const Dim& b) { return a.count < b.count; });
  run.pitch = longest->pitch;
  run.count = longest->count;
  std::copy(longest + 1, rest.begin() + n, longest);
  --n;
  std::array<uint64_t, 4> index{};
  while (true) {
    RunGroup group = run;
    for (size_t i = 0; i < n; ++i) group.start += index[i] * rest[i].pitch;
    out.push_back(group);
    size_t i = 0;
    while (i < n && ++index[i] == rest[i].count) index[i++] = 0;
    if (i == n) return;
  }
}

uint64_t Total(const std::vector<RunGroup>& groups) {
  uint64_t total = 0;
  for (const RunGroup& g : groups) total += g.length * g.count;
  return total;
}

Operand Block(uint64_t address, uint64_t planes, uint64_t plane_pitch, uint64_t rows, uint64_t row_pitch, uint64_t cols,
              uint64_t step = 1) {
  Operand x{address, {{0, rows, 0, 1}}, {{0, 1, step, cols}}, row_pitch, planes, plane_pitch};
  if (step <= 1) x.cols = {{0, step == 0 ? 1 : cols, 0, 1}};
  return x;
}

template <typename T>
Operand WindowSource(const T& x, uint64_t planes) {
  return {x.src,
          TouchedLines({x.out_h, x.kernel_h, x.stride_h, x.dilation_h, x.pad_top, x.in_h}),
          TouchedLines({x.out_w, x.kernel_w, x.stride_w, x.dilation_w, x.pad_left, x.in_w}),
          x.src_row_pitch,
          planes,
          x.src_plane_pitch};
}

ActivationOperands Operands(const Sync&) { return {}; }
ActivationOperands Operands(const LoadWeights&) { return {}; }
ActivationOperands Operands(const LoadMatrix&) { return {}; }
ActivationOperands Operands(const LoadVector&) { return {}; }
ActivationOperands Operands(const std::monostate&) { return {}; }

ActivationOperands Operands(const Load& x) {
  return {{}, {}, {}, Block(x.addr, x.planes, x.plane_pitch, x.rows, x.row_pitch, x.cols)};
}

ActivationOperands Operands(const LoadPacked& x) {
  return {{}, {}, {}, Block(x.addr, 1, 0, x.rows, x.row_pitch, x.cols)};
}

ActivationOperands Operands(const Save& x) {
  return {Block(x.addr, x.planes, x.plane_pitch, x.rows, x.row_pitch, x.cols), {}, {}, {}};
}

ActivationOperands Operands(const Conv& x) {
  ActivationOperands result;
  result.source = WindowSource(x, x.ic_groups);
  if (x.keep != 0) return result;
  result.destination = Block(x.dst, x.oc_groups, x.dst_plane_pitch, x.out_h, x.dst_row_pitch, x.out_w, x.dst_step);
  if (x.residual != 0) {
    result.residual = Block(x.res, x.oc_groups, x.res_plane_pitch, x.out_h, x.res_row_pitch, x.out_w);
  }
  return result;
}

template <typename T>  // Depthwise or Pool
ActivationOperands WindowOperands(const T& x) {
  ActivationOperands result;
  result.source = WindowSource(x, x.groups);
  if (x.keep == 0) {
    result.destination = Block(x.dst, x.groups, x.dst_plane_pitch, x.out_h, x.dst_row_pitch, x.out_w);
  }
  return result;
}
ActivationOperands Operands(const Depthwise& x) { return WindowOperands(x); }
ActivationOperands Operands(const Pool& x) { return WindowOperands(x); }

ActivationOperands Operands(const Elementwise& x) {
  ActivationOperands result;
  result.source = Block(x.a, x.planes, x.a_plane_pitch, x.rows, x.a_row_pitch, x.cols);
  if (x.kind == kElementwiseAdd || x.kind == kElementwiseMul) {
    result.second = Block(x.b, x.planes, x.b_plane_pitch, x.rows, x.b_row_pitch, x.cols, x.b_step);
  }
  result.destination = Block(x.dst, x.planes, x.dst_plane_pitch, x.rows, x.dst_row_pitch, x.cols);
  return result;
}

}  // namespace

std::vector<RunGroup> TouchedLines(const WindowAxis& axis) {
  const auto in = static_cast<int64_t>(axis.in);
  const auto stride = static_cast<int64_t>(axis.stride);
  const auto last_out = static_cast<int64_t>(axis.out) - 1;
  if (in == 0) return {};
  if ((axis.dilation == 1 || axis.kernel == 1) && (axis.out == 1 || axis.stride <= axis.kernel)) {
    const int64_t first = std::max<int64_t>(0, -axis.pad);
    const int64_t last = std::min(in - 1, last_out * stride + static_cast<int64_t>(axis.kernel) - 1 - axis.pad);
    if (first > last) return {};
    return {{static_cast<uint64_t>(first), static_cast<uint64_t>(last - first + 1), 0, 1}};
  }
  // Each tap touches an arithmetic progression of lines: count where progressions begin and end, residue by residue.
  std::vector<int32_t> taps(static_cast<size_t>(in), 0);
  for (uint64_t k = 0; k < axis.kernel; ++k) {
    const int64_t offset = static_cast<int64_t>(k * axis.dilation) - axis.pad;
    const int64_t lo = std::max<int64_t>(0, CeilDiv(-offset, stride));
    if (offset >= in) break;
    const int64_t hi = std::min(last_out, (in - 1 - offset) / stride);
    if (lo > hi) continue;
    ++taps[static_cast<size_t>(lo * stride + offset)];
    if (const int64_t end = (hi + 1) * stride + offset; end < in) --taps[static_cast<size_t>(end)];
  }
  std::vector<Run> runs;
  for (int64_t i = 0; i < in; ++i) {
    auto& here = taps[static_cast<size_t>(i)];
    if (i >= stride) here += taps[static_cast<size_t>(i - stride)];
    if (here == 0) continue;
    const auto line = static_cast<uint64_t>(i);
    if (!runs.empty() && runs.back().start + runs.back().length == line) {
      ++runs.back().length;
    } else {
      runs.push_back({line, 1});
    }
  }
  std::vector<RunGroup> groups;
  GroupRuns(runs, groups);
  return groups;
}

uint64_t Operand::Last() const {
  return address + rows.back().Last() * row_pitch + cols.back().Last() + (planes - 1) * plane_pitch;
}

ActivationOperands OperandsOf(const Instruction& instruction) {
  return std::visit([](const auto& x) { return Operands(x); }, instruction);
}

void AppendRuns(const Operand& operand, uint64_t words, std::vector<RunGroup>& out) {
  if (operand.empty()) return;
  assert(operand.Last() < words);
  if (Total(operand.rows) * Total(operand.cols) * operand.planes > words) {
    GroupRuns(Cover(operand).Runs(), out);
    return;
  }
  for (const RunGroup& r : operand.rows) {
    for (const RunGroup& c : operand.cols) {
      AppendLattice(operand.address + r.start * operand.row_pitch + c.start, c.length,
                    {{{c.count, c.pitch},
                      {r.length, operand.row_pitch},
                      {r.count, r.pitch * operand.row_pitch},
                      {operand.planes, operand.plane_pitch}}},
                    out);
    }
  }
}

void AppendStrided(uint64_t start, uint64_t length, uint64_t rows, uint64_t row_stride, uint64_t planes,
                   uint64_t plane_stride, std::vector<RunGroup>& out) {
  AppendLattice(start, length, {{{rows, row_stride}, {planes, plane_stride}, {1, 0}, {1, 0}}}, out);
}

bool Overlap(const Operand& a, const Operand& b, uint64_t words) {
  if (a.empty() || b.empty()) return false;
  if (a.Last() < b.First() || b.Last() < a.First()) return false;
  std::vector<RunGroup> runs[2];
  AppendRuns(a, words, runs[0]);
  AppendRuns(b, words, runs[1]);
  Bitmap bits[2] = {Bitmap(0, words - 1), Bitmap(0, words - 1)};
  for (int i = 0; i < 2; ++i) {
    for (const RunGroup& g : runs[i]) {
      for (uint64_t k = 0; k < g.count; ++k) bits[i].Set(g.start + k * g.pitch, g.length);
    }
  }
  return bits[0].Meets(bits[1]);
}

}  // namespace xrun
