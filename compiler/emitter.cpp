#include "compiler/emitter.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <string_view>

namespace xrun::compiler {

InputSpan MakeInputSpan(uint32_t out_first, uint32_t out_count, uint32_t kernel_first, uint32_t kernel_count,
                        uint32_t stride, uint32_t dilation, int32_t pad, uint32_t size) {
  const int64_t first = int64_t{out_first} * stride + int64_t{kernel_first} * dilation - pad;
  const int64_t last =
      (int64_t{out_first} + out_count - 1) * stride + (int64_t{kernel_first} + kernel_count - 1) * dilation - pad;
  const int64_t begin = std::clamp<int64_t>(first, 0, size);
  const int64_t end = std::clamp<int64_t>(last + 1, 0, size);
  if (end <= begin) return {0, 0, 0};
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin), static_cast<int32_t>(begin - first)};
}

std::vector<std::pair<uint32_t, uint32_t>> Split(uint32_t n, uint32_t part) {
  std::vector<std::pair<uint32_t, uint32_t>> parts;
  for (uint32_t i = 0; i < n; i += part) parts.emplace_back(i, std::min(part, n - i));
  return parts;
}

std::vector<uint32_t> TileSizes(uint32_t n, uint32_t limit) {
  std::vector<uint32_t> sizes;
  const uint32_t top = limit == 0 ? n : std::min(n, limit);
  for (uint64_t parts = 1; parts <= n; parts = parts < 4 ? parts + 1 : parts + parts / 2) {
    const uint32_t size = std::min(top, CeilDiv(n, parts));
    if (sizes.empty() || sizes.back() != size) sizes.push_back(size);
  }
  if (sizes.back() != 1) sizes.push_back(1);
  return sizes;
}

Emitter::Emitter(const Partition& partition_in, const HardwareConfig& config_in, const TilingLimits& limits_in,
                 WeightImage* weights_in, Schedule* schedule)
    : partition(partition_in),
      config(config_in),
      limits(limits_in),
      weights(*weights_in),
      schedule_(schedule),
      loaded_(partition_in.tensors.size(), false),
      live_(LiveRanges(partition_in)) {}

void Emitter::BeginLayer(int32_t layer) {
  layer_ = layer;
  tile_base_ = 0;
  // Everything on chip whose life covers this layer stays below the tiles.
  for (size_t i = 0; i < live_.size(); ++i) {
    const OverlayTensor& t = partition.tensors[i];
    if (t.on_chip && live_[i].first <= layer && layer <= live_[i].last) {
      tile_base_ = std::max(tile_base_, t.on_chip->addr + static_cast<uint32_t>(t.words()));
    }
  }
  BeginLayer(layer, CeilDiv(tile_base_, config.banks()) * config.banks(), config.activation_words());
}

void Emitter::BeginLayer(int32_t layer, uint32_t base, uint32_t end) {
  layer_ = layer;
  tile_base_ = tile_next_ = base;
  tile_end_ = std::max(base, end);
}

void Emitter::ReserveVectorRows(uint32_t rows) {
  assert(rows <= config.vector_rows);
  if (vector_next_ + rows > config.vector_rows) vector_next_ = 0;
}

Emitter::Buffers Emitter::Allocate(uint32_t words, uint32_t count) {
  Buffers buffers;
  for (uint32_t i = 0; i < count; ++i) {
    buffers.addresses_.push_back(tile_next_);
    tile_next_ += words;
  }
  assert(tile_next_ <= tile_end_);
  return buffers;
}

void Emitter::Emit(Engine engine, Instruction instruction, int32_t segment, bool releases, uint32_t row) {
  schedule_->body.push_back({std::move(instruction), engine, layer_, segment, row, releases});
}

namespace {

/// Fills the addressing fields that Load and Save share; joins rows and planes that follow on each other on both sides.
template <typename Transfer>
Transfer MakeTransfer(const OverlayTensor& t, const Box& box, const View& view, uint32_t word_bytes) {
  Transfer x;
  x.base = t.base;
  const uint64_t row = uint64_t{t.width} * word_bytes, plane = row * t.height;
  x.offset = static_cast<uint32_t>(t.offset + box.g0 * plane + box.y0 * row + uint64_t{box.x0} * word_bytes);
  x.plane_stride = static_cast<uint32_t>(plane);
  x.row_stride = static_cast<uint32_t>(row);
  x.planes = box.gn;
  x.rows = box.yn;
  x.cols = box.xn;
  x.addr = view.addr;
  x.plane_pitch = view.plane_pitch;
  x.row_pitch = view.row_pitch;
  if (x.rows == 1 || (x.cols == t.width && x.row_pitch == x.cols)) {
    x.cols *= x.rows;
    x.rows = 1;
    if (x.planes == 1 || (x.cols == t.width * t.height && x.plane_pitch == x.cols)) {
      x.cols *= x.planes;
      x.planes = 1;
    }
  }
  if (x.rows == 1) x.row_pitch = x.row_stride = 0;
  if (x.planes == 1) x.plane_pitch = x.plane_stride = 0;
  return x;
}

}  // namespace

Box Emitter::InRoot(const OverlayTensor& t, Box box) {
  box.g0 += t.group0;
  box.y0 += t.y0;
  box.x0 += t.x0;
  return box;
}

namespace {

/// Calls `transfer` for each sample of a stack that has places of its own in DRAM: the sample, the box's part of it,
/// and where that lies on chip.
template <typename Transfer>
void ForEachSample(const OverlayTensor& stack, const Box& box, const View& view, const Transfer& transfer) {
  OverlayTensor sample = stack;
  sample.samples = 1;
  sample.places.clear();
  sample.height = stack.sample_height();
  for (uint32_t s = 0; s < stack.samples; ++s) {
    const uint32_t begin = std::max(box.y0, s * sample.height),
                   end = std::min(box.y0 + box.yn, (s + 1) * sample.height);
    if (begin >= end) continue;
    sample.base = stack.places[s].base;
    sample.offset = stack.places[s].offset;
    Box part = box;
    part.y0 = begin - s * sample.height;
    part.yn = end - begin;
    View at = view;
    at.addr += (begin - box.y0) * view.row_pitch;
    transfer(sample, part, at);
  }
}

}  // namespace

void Emitter::EmitLoad(const OverlayTensor& root, const Box& box, const View& view) {
  if (box.words() == 0) return;
  if (!root.places.empty()) {
    ForEachSample(root, box, view,
                  [&](const auto& sample, const Box& part, const View& at) { EmitLoad(sample, part, at); });
    return;
  }
  if (root.packed) {
    EmitPacked(root, box, view);
    return;
  }
  Emit(kLoad, MakeTransfer<Load>(root, box, view, config.channels));
}

void Emitter::EmitPacked(const OverlayTensor& t, const Box& box, const View& view) {
  const OverlayTensor::Packed& p = *t.packed;
  for (uint32_t g = 0; g < box.gn; ++g) {
    const OverlayTensor::Packed::Word& word = p.words[box.g0 + g];
    LoadPacked load;
    load.base = t.base;
    load.row_stride = p.in_cols * p.channels;
    load.in_cols = p.in_cols;
    load.channels = p.channels;
    load.stride = p.stride;
    load.left = p.left + static_cast<int32_t>(box.x0 * p.stride);
    load.head = word.head;
    load.tail = word.tail;
    load.skip = word.skip;
    if (word.tail == 0) {
      load.left += static_cast<int32_t>(word.skip / p.channels);
      load.skip = word.skip % p.channels;
    }
    if (load.skip == 0 && word.head % p.channels == 0) {
      load.taps = word.head / p.channels;
      load.head = 0;
    }
    // Rows of the image are counted from one inside; a word whose rows are all inside need not know how many there are.
    const int32_t first = static_cast<int32_t>(box.y0 * p.row_step + word.row) + p.top;
    const uint32_t below = (box.yn - 1) * p.row_step + (word.tail != 0 ? 1 : 0);
    const int32_t origin = std::clamp(first, 0, static_cast<int32_t>(p.in_rows) - 1);
    load.offset = static_cast<uint32_t>(t.offset + static_cast<uint64_t>(origin) * load.row_stride);
    load.row_step = p.row_step == 1 ? 0 : p.row_step;
    if (first != origin || static_cast<uint32_t>(first) + below >= p.in_rows) {
      load.top = first - origin;
      load.in_rows = std::min(p.in_rows - static_cast<uint32_t>(origin), below + 1);
    }
    load.rows = box.yn;
    load.cols = box.xn;
    load.addr = view.addr + g * view.plane_pitch;
    load.row_pitch = view.row_pitch;
    load.fill = t.zero_point;
    Emit(kLoad, load);
  }
}

void Emitter::EmitSave(const OverlayTensor& root, const Box& box, const View& view) {
  if (!root.places.empty()) {
    ForEachSample(root, box, view,
                  [&](const auto& sample, const Box& part, const View& at) { EmitSave(sample, part, at); });
    return;
  }
  Emit(kSave, MakeTransfer<Save>(root, box, view, config.channels));
}

OverlayTensor Emitter::Memory(const OverlayTensor& t) const {
  OverlayTensor memory = Root(t);
  if (!t.reshaped) return memory;
  memory.height = t.height;
  memory.width = t.width;
  if (memory.on_chip) {
    memory.on_chip->row_pitch = t.width;
    memory.on_chip->plane_pitch = t.height * t.width;
  }
  return memory;
}

View Emitter::Read(int32_t index, const Box& wanted, Buffers* buffers, uint32_t row_pitch) {
  const OverlayTensor& t = tensor(index);
  const OverlayTensor root = Memory(t);
  const Box box = InRoot(t, wanted);
  if (root.on_chip) {
    const OverlayTensor::OnChip& c = *root.on_chip;
    const auto root_index = static_cast<size_t>(t.is_view() ? t.parent : index);
    const bool arrives = root.base >= kBaseInput0 && root.base < kBaseOutput0;
    if (arrives && !loaded_[root_index]) {
      loaded_[root_index] = true;
      EmitLoad(root, {0, root.groups, 0, root.height, 0, root.width}, {c.addr, c.row_pitch, c.plane_pitch});
    }
    return {c.addr + box.g0 * c.plane_pitch + box.y0 * c.row_pitch + box.x0, c.row_pitch, c.plane_pitch};
  }
  const View view{buffers->Next(), row_pitch, row_pitch * box.yn};
  EmitLoad(root, box, view);
  return view;
}

View Emitter::Write(int32_t index, const Box& wanted, Buffers* buffers) {
  const OverlayTensor& t = tensor(index);
  assert(!t.reshaped && "reshaped views are read only");
  const OverlayTensor& root = Root(t);
  if (root.on_chip) {
    const Box box = InRoot(t, wanted);
    const OverlayTensor::OnChip& c = *root.on_chip;
    return {c.addr + box.g0 * c.plane_pitch + box.y0 * c.row_pitch + box.x0, c.row_pitch, c.plane_pitch};
  }
  return {buffers->Next(), wanted.xn, wanted.xn * wanted.yn};
}

void Emitter::WriteDone(int32_t index, const Box& wanted, const View& view) {
  const OverlayTensor& t = tensor(index);
  const OverlayTensor& root = Root(t);
  if (root.on_chip && root.base == kBaseWorkspace) return;
  EmitSave(root, InRoot(t, wanted), view);
}

int32_t Emitter::LoadSegment(uint64_t offset, uint32_t rows, uint32_t part) {
  SegmentBuilder segment = NewSegment();
  for (const auto& [first, count] : Split(rows, part == 0 ? rows : part)) {
    AddWeights(&segment, offset + uint64_t{first} * config.weight_row_bytes(), count);
  }
  return segment.segment;
}

Emitter::SegmentBuilder Emitter::NewSegment() { return {static_cast<int32_t>(schedule_->segments++)}; }

void Emitter::AddWeights(SegmentBuilder* segment, uint64_t offset, uint32_t rows) {
  LoadWeights load;
  load.base = kBaseWeights;
  load.offset = static_cast<uint32_t>(offset);
  load.rows = load.acquire = rows;
  Emit(kLoad, load, segment->segment, false, segment->rows);
  segment->rows += rows;
}

void Emitter::AddMatrix(SegmentBuilder* segment, LoadMatrix blocks) {
  blocks.acquire = blocks.rows;
  Emit(kLoad, blocks, segment->segment, false, segment->rows);
  segment->rows += blocks.rows;
}

uint32_t Emitter::LoadVectorSegment(uint64_t offset, uint32_t rows) {
  if (vector_next_ + rows > config.vector_rows) vector_next_ = 0;
  LoadVector load;
  load.base = kBaseWeights;
  load.offset = static_cast<uint32_t>(offset);
  load.addr = vector_next_;
  load.rows = rows;
  Emit(kLoad, load);
  const uint32_t addr = vector_next_;
  vector_next_ += rows;
  return addr;
}

uint64_t WeightImage::Reserve(uint64_t bytes) {
  const uint64_t offset = (measured_ + 63) / 64 * 64;
  measured_ = offset + bytes;
  return offset;
}

Emitter::Packed Emitter::PackConv(const Layer& layer, const PhaseView& phase, const OverlayTensor& in,
                                  const OverlayTensor& out, const ConvPart& part) {
  if (!weights.measures()) {
    const std::vector<uint8_t> bytes = PackConvSegment(layer, phase, in, out, part, config);
    return {weights.Append(bytes), static_cast<uint32_t>(bytes.size() / config.weight_row_bytes())};
  }
  const uint32_t rows = ConvSegmentRows(layer, part, config);
  return {weights.Reserve(uint64_t{rows} * config.weight_row_bytes()), rows};
}

Emitter::Packed Emitter::PackShare(const Layer& layer, const OverlayTensor& in, const OverlayTensor& out,
                                   uint32_t first, uint32_t count) {
  const ConvPart one{0, 1, 0, 1, 0, layer.kernel_h, 0, layer.kernel_w, true};
  const uint32_t rows = count * ConvSegmentRows(layer, one, config);
  if (weights.measures()) return {weights.Reserve(uint64_t{rows} * config.weight_row_bytes()), rows};
  const PhaseView phase = PhasesOf(layer, out)[0];
  std::vector<uint8_t> bytes;
  for (uint32_t g = first; g < first + count; ++g) {
    ConvPart part = one;
    part.og0 = part.ig0 = g;
    const std::vector<uint8_t> group = PackConvSegment(layer, phase, in, out, part, config);
    bytes.insert(bytes.end(), group.begin(), group.end());
  }
  return {weights.Append(bytes), rows};
}

uint64_t WeightImage::Append(const std::vector<uint8_t>& data) {
  if (measures_) return Reserve(data.size());
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  const size_t hash = std::hash<std::string_view>()(text);
  const auto [first, last] = pieces_.equal_range(hash);
  for (auto piece = first; piece != last; ++piece) {
    const auto at = bytes_.begin() + static_cast<std::ptrdiff_t>(piece->second.offset);
    if (piece->second.size == data.size() && std::equal(data.begin(), data.end(), at)) return piece->second.offset;
  }
  bytes_.resize((bytes_.size() + 63) / 64 * 64);
  const uint64_t offset = bytes_.size();
  bytes_.insert(bytes_.end(), data.begin(), data.end());
  pieces_.emplace(hash, Piece{offset, data.size()});
  return offset;
}

void WeightImage::Truncate(uint64_t size) {
  measured_ = size;
  if (measures_) return;
  bytes_.resize(size);
  std::erase_if(pieces_, [&](const auto& piece) { return piece.second.offset + piece.second.size > size; });
}

}  // namespace xrun::compiler
