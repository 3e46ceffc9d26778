#include "compiler/strips.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "compiler/conv_phases.h"
#include "compiler/lower_layer.h"
#include "isa/timing.h"

namespace xrun::compiler {
namespace {

constexpr uint32_t kFieldLimit = 16383;  // rows and columns of tiles

uint64_t RoundUp(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

/// Only the sum, into the partial buffer: no output stage.
void SetKeep(Conv* c) {
  Conv keep;
  keep.src = c->src;
  keep.src_row_pitch = c->src_row_pitch;
  keep.src_plane_pitch = c->src_plane_pitch;
  keep.in_w = c->in_w;
  keep.in_h = c->in_h;
  keep.out_w = c->out_w;
  keep.out_h = c->out_h;
  keep.ic_groups = c->ic_groups;
  keep.oc_groups = c->oc_groups;
  keep.kernel_h = c->kernel_h;
  keep.kernel_w = c->kernel_w;
  keep.stride_h = c->stride_h;
  keep.stride_w = c->stride_w;
  keep.dilation_h = c->dilation_h;
  keep.dilation_w = c->dilation_w;
  keep.pad_top = c->pad_top;
  keep.pad_left = c->pad_left;
  keep.fill = c->fill;
  keep.dst_step = 1;
  keep.accumulate = c->accumulate;
  keep.keep = 1;
  keep.weight_zero = c->weight_zero;
  keep.clamp_lo = keep.clamp2_lo = -128;
  keep.clamp_hi = keep.clamp2_hi = 127;
  *c = keep;
}

/// Whether the array can compute channel groups of a depthwise layer. Beside the diagonal of a block of weights stands
/// the zero point of its row: sums over the whole group then must fit the accumulator too.
bool CanShare(const Layer& layer, const OverlayTensor& out, const HardwareConfig& config) {
  if (out.groups == 1) return false;
  const int64_t sum = int64_t{layer.kernel_h} * layer.kernel_w * config.channels * 128 * 128;
  return std::all_of(layer.params.begin(), layer.params.end(), [&](const ChannelParams& p) {
    return !layer.has_weight_zero || std::abs(int64_t{p.bias}) + 2 * sum < int64_t{1} << 31;
  });
}

bool WholePlane(const OverlayTensor& t, const OverlayTensor& root) {
  return !t.reshaped && t.y0 == 0 && t.x0 == 0 && t.height == root.height && t.width == root.width;
}

}  // namespace

uint64_t WholeWords(const OverlayTensor& tensor, const HardwareConfig& config) {
  return RoundUp(tensor.words(), config.banks());
}

StripContext::StripContext(const Partition& partition_in, const HardwareConfig& config_in,
                           const DepthwiseShare& share_in)
    : partition(partition_in), config(config_in), share(share_in), live(LiveRanges(partition_in)) {
  for (const Layer& layer : partition.layers) layers.push_back(Describe(layer));
}

StripLayer StripContext::Describe(const Layer& layer) const {
  StripLayer s;
  s.engine = layer.kind == LayerKind::kConv || layer.kind == LayerKind::kMatMul ? kConv : kVector;
  using Role = StripLayer::Operand::Role;
  s.operands.push_back({layer.input, Root(layer.input), Role::kMain});
  if (layer.input_b != kNone) s.operands.push_back({layer.input_b, Root(layer.input_b), Role::kSecond});
  if (layer.out.residual) {
    s.operands.push_back({layer.out.residual->tensor, Root(layer.out.residual->tensor), Role::kResidual});
  }
  s.output_root = Root(layer.output);

  const OverlayTensor &in = tensor(layer.input), &out = tensor(layer.output);
  if (!WholePlane(out, tensor(s.output_root))) return s;
  for (const StripLayer::Operand& operand : s.operands) {
    const OverlayTensor& root = tensor(operand.root);
    if (!WholePlane(tensor(operand.tensor), root) || root.height > kFieldLimit || root.width > kFieldLimit) return s;
  }
  if (out.height > kFieldLimit || out.width > kFieldLimit) return s;
  const uint64_t cp = config.channels;
  // Operand a of the rows' instructions is a row's first pixels.
  if (out.samples == 1 && RepeatsPixels(layer, in, out) && in.width >= layer.cell_w) {
    s.engine = kVector;
    s.repeats = s.simple = true;
    return s;
  }
  switch (layer.kind) {
    case LayerKind::kConv: {
      if (!layer.phases.empty() || layer.cell_h != 1 || layer.cell_w != 1) return s;
      const PhaseView phase = PhasesOf(layer, out)[0];
      const std::vector<int32_t> logical = out.LogicalChannels(config.channels);
      GroupRange groups;
      for (uint32_t og = 0; og < out.groups; ++og) {
        GroupRange here = InputGroups(layer, phase, in, out, logical, og, config.channels);
        if (here.count == 0) here = {0, 1};
        if (og != 0 && !(here == groups)) return s;
        groups = here;
      }
      s.in_group0 = groups.first;
      s.in_groups = groups.count;
      s.table_rows = layer.out.table ? config.table_rows() : 0;
      s.group_rows = config.param_rows() + layer.kernel_h * layer.kernel_w * groups.count;
      if (s.table_rows + s.group_rows > config.weight_rows) return s;
      s.weight_bytes = (s.table_rows + uint64_t{s.group_rows} * out.groups) * config.weight_row_bytes();
      break;
    }
    case LayerKind::kDepthwise:
    case LayerKind::kPool: {
      if (layer.kind == LayerKind::kPool && layer.average) {
        const auto taps = [&](int axis, uint32_t size, uint32_t results) {
          for (uint32_t o = 1; o < results; ++o) {
            if (CountedTaps(layer, axis, size, o) != CountedTaps(layer, axis, size, 0)) return int64_t{0};
          }
          return CountedTaps(layer, axis, size, 0);
        };
        if (taps(0, in.sample_height(), out.sample_height()) * taps(1, in.width, out.width) == 0) return s;
      }
      s.table_rows = layer.out.table ? config.vector_table_rows() : 0;
      s.vector_rows = s.table_rows;
      if (layer.kind == LayerKind::kDepthwise) {
        const uint32_t taps = layer.kernel_h * layer.kernel_w;
        s.vector_rows += out.groups * (16 + taps);
        const uint32_t ring = (layer.out.table ? config.table_rows() : 0) + config.param_rows() + taps;
        if (share.allowed && CanShare(layer, out, config) && ring <= config.weight_rows) {
          s.vector_group_rows = 16 + taps;
          s.array_group_rows = ring;
        }
      }
      const uint32_t least = s.array_group_rows == 0 ? s.vector_rows : s.table_rows + s.vector_group_rows;
      if (least > config.vector_rows) return s;
      s.weight_bytes = s.vector_rows * cp;
      break;
    }
    case LayerKind::kMatMul:  // its second operand comes through the weight ring, and whole
      return s;
    case LayerKind::kElementwise: {
      if (in.height != out.height || in.width != out.width) return s;
      if (layer.input_b != kNone && out.samples > 1) {
        const OverlayTensor& b = tensor(layer.input_b);
        s.seamless = b.samples == 1 || b.height == out.height;
      }
      s.table_rows = s.vector_rows = layer.out.table ? config.vector_table_rows() : 0;
      s.weight_bytes = s.vector_rows * cp;
      break;
    }
  }
  // Windows whose rows or columns all lie in the padding have nothing to read: not for strips.
  if (layer.kind != LayerKind::kElementwise) {
    const InputSpan cols =
        MakeInputSpan(0, out.width, 0, layer.kernel_w, layer.stride_w, layer.dilation_w, layer.pad_left, in.width);
    if (cols.count == 0) return s;
    for (uint32_t y = 0; y < out.sample_height(); ++y) {
      if (MakeInputSpan(y, 1, 0, layer.kernel_h, layer.stride_h, layer.dilation_h, layer.pad_top, in.sample_height())
              .count == 0) {
        return s;
      }
    }
    s.seamless =
        out.samples == 1 || (layer.pad_top == 0 && in.sample_height() == layer.stride_h * out.sample_height() &&
                             (layer.kernel_h - 1) * layer.dilation_h + 1 <= layer.stride_h);
  }
  s.simple = true;
  return s;
}

InputSpan StripContext::KernelRows(int32_t index, uint32_t y0, uint32_t yn, uint32_t kh0, uint32_t khn) const {
  const Layer& layer = partition.layers[static_cast<size_t>(index)];
  const OverlayTensor &in = tensor(layer.input), &out = tensor(layer.output);
  const bool seamless = layers[static_cast<size_t>(index)].seamless;
  const uint32_t sample = seamless ? 0 : y0 / out.sample_height();
  InputSpan rows = MakeInputSpan(y0 - sample * out.sample_height(), yn, kh0, khn, layer.stride_h, layer.dilation_h,
                                 layer.pad_top, seamless ? in.height : in.sample_height());
  rows.first += sample * in.sample_height();
  return rows;
}

InputSpan StripContext::Rows(int32_t index, const StripLayer::Operand& operand, uint32_t y0, uint32_t yn) const {
  const Layer& layer = partition.layers[static_cast<size_t>(index)];
  const OverlayTensor &t = tensor(operand.tensor), &out = tensor(layer.output);
  if (layers[static_cast<size_t>(index)].repeats) {
    const uint32_t first = y0 / layer.cell_h;
    return {first, yn == 0 ? 0 : (y0 + yn - 1) / layer.cell_h + 1 - first, 0};
  }
  if (operand.role == StripLayer::Operand::kMain && layer.kind != LayerKind::kElementwise) {
    const auto stretches = Stretches(index, y0, yn);
    InputSpan rows = KernelRows(index, stretches.front().first, stretches.front().second, 0, layer.kernel_h);
    const InputSpan last = KernelRows(index, stretches.back().first, stretches.back().second, 0, layer.kernel_h);
    rows.count = last.first + last.count - rows.first;
    return rows;
  }
  if (operand.role == StripLayer::Operand::kSecond && t.sample_height() == 1 && out.sample_height() != 1) {
    if (t.samples == 1) return {0, 1, 0};
    const uint32_t first = y0 / out.sample_height();
    return {first, (y0 + yn - 1) / out.sample_height() - first + 1, 0};
  }
  if (operand.role == StripLayer::Operand::kSecond && t.height == 1) return {0, 1, 0};
  return {y0, yn, 0};
}

std::vector<std::pair<uint32_t, uint32_t>> StripContext::Stretches(int32_t index, uint32_t y0, uint32_t yn) const {
  if (layers[static_cast<size_t>(index)].seamless) return {{y0, yn}};
  const uint32_t height = tensor(partition.layers[static_cast<size_t>(index)].output).sample_height();
  std::vector<std::pair<uint32_t, uint32_t>> stretches;
  for (uint32_t y = y0; y < y0 + yn;) {
    const uint32_t n = std::min(y0 + yn, (y / height + 1) * height) - y;
    stretches.emplace_back(y, n);
    y += n;
  }
  return stretches;
}

size_t StripContext::KeyHash::operator()(const std::vector<uint32_t>& key) const {
  uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a, by words
  for (const uint32_t x : key) hash = (hash ^ x) * 0x100000001B3ULL;
  return static_cast<size_t>(hash ^ hash >> 32);
}

uint64_t StripContext::Cycles(const std::vector<uint32_t>& key, const std::function<Instruction()>& make) const {
  const auto known = cycles_.find(key);
  if (known != cycles_.end()) return known->second;
  const uint64_t cycles = CyclesOf(make(), config).total() + config.decode_cycles;
  cycles_.emplace(key, cycles);
  return cycles;
}

const Strips::Buffer* Strips::Find(int32_t root) const {
  for (const Buffer& b : buffers) {
    if (b.root == root) return &b;
  }
  return nullptr;
}

View ViewOf(const StripContext& context, const Strips& strips, int32_t index, uint32_t strip, uint32_t row) {
  const OverlayTensor& t = context.tensor(index);
  const int32_t root = context.Root(index);
  if (const Strips::Buffer* b = strips.Find(root)) {
    const uint32_t plane = b->capacity * b->pitch;
    const auto at = static_cast<uint32_t>(b->place[strip] + row);
    return {b->address + (t.group0 - b->group0) * plane + at * b->pitch, b->pitch, plane};
  }
  const OverlayTensor& owner = context.tensor(root);
  const uint32_t plane = owner.height * owner.width;
  const uint32_t base = owner.on_chip ? owner.on_chip->addr : 0;  // planning: places are not known yet
  return {base + t.group0 * plane + row * owner.width, owner.width, plane};
}

std::vector<RowWork> WorkOf(const StripContext& context, const Strips& strips, const Strips::Work& work,
                            uint32_t strip) {
  const Layer& layer = context.partition.layers[static_cast<size_t>(work.layer)];
  const StripLayer& info = context.layers[static_cast<size_t>(work.layer)];
  std::vector<RowWork> works;
  for (const auto& [y0, yn] : context.Stretches(work.layer, work.First(strip), work.Rows(strip))) {
    RowWork w;
    w.y0 = y0;
    w.yn = yn;
    for (const StripLayer::Operand& operand : info.operands) {
      const InputSpan rows = context.Rows(work.layer, operand, w.y0, w.yn);
      const View view = ViewOf(context, strips, operand.tensor, strip, rows.first);
      switch (operand.role) {
        case StripLayer::Operand::kMain:
          w.rows = rows;
          w.src = view;
          w.src.addr += info.in_group0 * view.plane_pitch;
          break;
        case StripLayer::Operand::kSecond:
          w.b = view;
          break;
        case StripLayer::Operand::kResidual:
          w.res = view;
          break;
      }
    }
    w.dst = ViewOf(context, strips, layer.output, strip, w.y0);
    w.in_groups = info.in_groups;
    w.out_groups = context.tensor(layer.output).groups;
    works.push_back(w);
  }
  return works;
}

RowWork GroupsOf(RowWork work, uint32_t first, uint32_t count) {
  work.src.addr += first * work.src.plane_pitch;
  work.dst.addr += first * work.dst.plane_pitch;
  work.in_groups = work.out_groups = count;
  return work;
}

std::vector<SharePiece> SharePieces(const StripContext& context, const Strips& strips, size_t index, uint32_t strip) {
  const Strips::Work& work = strips.works[index];
  const Layer& layer = context.partition.layers[static_cast<size_t>(work.layer)];
  const OverlayTensor &in = context.tensor(layer.input), &out = context.tensor(layer.output);
  const std::vector<RowWork> stretches = WorkOf(context, strips, work, strip);
  std::vector<SharePiece> pieces;
  for (uint32_t g = out.groups - work.array_groups; g < out.groups; ++g) {
    for (const RowWork& stretch : stretches) pieces.push_back({g, ConvOf(layer, in, out, GroupsOf(stretch, g, 1))});
  }
  return pieces;
}

std::vector<ConvPiece> ConvPieces(const StripContext& context, const Strips& strips, size_t index, uint32_t strip) {
  const Strips::Work& work = strips.works[index];
  const Layer& layer = context.partition.layers[static_cast<size_t>(work.layer)];
  const OverlayTensor &in = context.tensor(layer.input), &out = context.tensor(layer.output);
  const StripLayer& info = context.layers[static_cast<size_t>(work.layer)];
  const std::vector<RowWork> stretches = WorkOf(context, strips, work, strip);
  const auto [kernel_rows, in_groups] = strips.sum_parts[index];
  const bool in_parts = kernel_rows < layer.kernel_h || in_groups < info.in_groups;
  std::vector<ConvPiece> pieces;
  for (const auto& [og0, ogn] : Split(out.groups, strips.chunk_groups[index])) {
    // Chunks of a result that is not kept whole take turns in its buffer.
    const auto slot_of = [&, first = og0](int32_t root) {
      const Strips::Buffer* buffer = strips.Find(root);
      return buffer != nullptr && buffer->in_chunks() ? first % buffer->stored : first;
    };
    const uint32_t slot = slot_of(info.output_root);
    const uint32_t res_slot = layer.out.residual ? slot_of(context.Root(layer.out.residual->tensor)) : 0;
    for (const RowWork& stretch : stretches) {
      const bool first_stretch = &stretch == &stretches.front(), last_stretch = &stretch == &stretches.back();
      RowWork chunk = stretch;
      chunk.out_groups = ogn;
      chunk.dst.addr += slot * chunk.dst.plane_pitch;
      chunk.res.addr += res_slot * chunk.res.plane_pitch;
      for (const auto& [kh0, khn] : Split(layer.kernel_h, kernel_rows)) {
        for (const auto& [ig0, ign] : Split(info.in_groups, in_groups)) {
          const bool first = kh0 == 0 && ig0 == 0;
          const bool last = kh0 + khn == layer.kernel_h && ig0 + ign == info.in_groups;
          RowWork part = chunk;
          part.rows = context.KernelRows(work.layer, stretch.y0, stretch.yn, kh0, khn);
          part.src.addr += ig0 * part.src.plane_pitch + (part.rows.first - stretch.rows.first) * part.src.row_pitch;
          part.in_groups = ign;
          Conv c = ConvOf(layer, in, out, part);
          c.kernel_h = khn;
          c.accumulate = first ? 0 : 1;
          if (!last) SetKeep(&c);
          ConvPiece piece{
              {og0, ogn, ig0, ign, kh0, khn, 0, layer.kernel_w, last}, c, stretches.front().dst, stretches.front().res};
          piece.res.addr += res_slot * piece.res.plane_pitch;
          piece.dst.addr += slot * piece.dst.plane_pitch;
          // Partial sums are those of one stretch: parts of weights come again for the next.
          piece.first_reader = in_parts || first_stretch;
          piece.last_reader = in_parts || last_stretch;
          piece.chunk_begins = first && first_stretch;
          piece.chunk_done = last && last_stretch;
          pieces.push_back(piece);
        }
      }
    }
  }
  return pieces;
}

}  // namespace xrun::compiler
