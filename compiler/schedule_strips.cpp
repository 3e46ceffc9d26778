#include <cassert>

#include "compiler/conv_phases.h"
#include "compiler/pack_weights.h"
#include "compiler/strips.h"

namespace xrun::compiler {
namespace {

class StripEmitter {
 public:
  StripEmitter(Emitter& emitter, const StripContext& context, const Strips& strips)
      : e_(emitter), c_(context), s_(strips), segments_(strips.works.size(), kNone), params_(strips.works.size(), 0) {}

  void Run() {
    LoadParameters();
    if (!s_.stream) {
      for (const size_t i : s_.weight_order) {
        if (s_.works[i].array_groups != 0) {
          segments_[i] = LoadShare(i, FirstShared(i), s_.works[i].array_groups);
          continue;
        }
        const Layer& layer = LayerAt(i);
        segments_[i] =
            LoadWeightsOf(i, {0, Groups(i), 0, InfoAt(i).in_groups, 0, layer.kernel_h, 0, layer.kernel_w, true});
      }
    }
    for (const Strips::Event& event : s_.events) {
      switch (event.kind) {
        case Strips::Event::kLoad:
          EmitLoad(event);
          break;
        case Strips::Event::kCopy:
          EmitCopy(event);
          break;
        case Strips::Event::kLayer:
          EmitLayer(event.index, event.strip);
          break;
      }
    }
  }

 private:
  const Layer& LayerAt(size_t work) const { return e_.partition.layers[static_cast<size_t>(s_.works[work].layer)]; }
  const StripLayer& InfoAt(size_t work) const { return c_.layers[static_cast<size_t>(s_.works[work].layer)]; }
  uint32_t Groups(size_t work) const { return e_.tensor(LayerAt(work).output).groups; }

  /// The first group that the array computes of a depthwise layer.
  uint32_t FirstShared(size_t work) const { return Groups(work) - s_.works[work].array_groups; }
  uint32_t VectorRows(size_t work) const {
    return InfoAt(work).vector_rows - s_.works[work].array_groups * InfoAt(work).vector_group_rows;
  }

  /// Segments of vector memory, all there until the group ends.
  void LoadParameters() {
    uint32_t rows = 0;
    for (size_t i = 0; i < s_.works.size(); ++i) rows += VectorRows(i);
    e_.ReserveVectorRows(rows);
    for (size_t i = 0; i < s_.works.size(); ++i) {
      if (VectorRows(i) == 0) continue;
      const Layer& layer = LayerAt(i);
      e_.SetLayer(s_.works[i].layer);
      const std::vector<uint8_t> bytes = layer.kind == LayerKind::kDepthwise
                                             ? PackDepthwiseSegment(layer, e_.tensor(layer.output), 0, FirstShared(i),
                                                                    0, layer.kernel_h, true, e_.config)
                                             : PackTable(layer.out.table, {}, e_.config);
      assert(bytes.size() == size_t{VectorRows(i)} * e_.config.channels);
      params_[i] = e_.LoadVectorSegment(e_.weights.Append(bytes), VectorRows(i));
    }
  }

  int32_t LoadWeightsOf(size_t i, ConvPart part) {
    const Layer& layer = LayerAt(i);
    const OverlayTensor &in = e_.tensor(layer.input), &out = e_.tensor(layer.output);
    const PhaseView phase = PhasesOf(layer, out)[0];
    part.ig0 += InfoAt(i).in_group0;
    const Emitter::Packed packed = e_.PackConv(layer, phase, in, out, part);
    e_.SetLayer(s_.works[i].layer);
    return e_.LoadSegment(packed.offset, packed.rows, LoadPart());
  }

  /// The same of some groups of a depthwise layer.
  int32_t LoadShare(size_t i, uint32_t first, uint32_t count) {
    const Layer& layer = LayerAt(i);
    const Emitter::Packed packed = e_.PackShare(layer, e_.tensor(layer.input), e_.tensor(layer.output), first, count);
    assert(packed.rows == count * InfoAt(i).array_group_rows);
    e_.SetLayer(s_.works[i].layer);
    return e_.LoadSegment(packed.offset, packed.rows, LoadPart());
  }

  /// Weights that stay for the group may begin to come while those of the group before are still there.
  uint32_t LoadPart() const { return s_.stream ? 0 : e_.config.weight_rows / 8; }

  View BufferView(const Strips::Buffer& b, size_t strip, uint32_t row) const {
    const auto at = static_cast<uint32_t>(b.place[strip] + row);
    return {b.address + at * b.pitch, b.pitch, b.capacity * b.pitch};
  }

  void EmitLoad(const Strips::Event& event) {
    const Strips::Buffer& b = s_.buffers[event.index];
    if (b.in_chunks()) return;  // with the convolution's weights
    const uint32_t s = event.strip, first = s == 0 || b.wraps[s] ? b.low[s] : b.from[s];
    const OverlayTensor& root = e_.tensor(b.root);
    e_.SetLayer(FirstReader(b.root));
    e_.EmitLoad(root, {b.group0, b.groups, first, b.to[s] - first, 0, root.width}, BufferView(b, s, first));
  }
  int32_t FirstReader(int32_t root) const {
    for (const Strips::Work& w : s_.works) {
      for (const auto& operand : c_.layers[static_cast<size_t>(w.layer)].operands) {
        if (operand.root == root) return w.layer;
      }
    }
    assert(false && "a buffer that nobody reads");
    return s_.first;
  }

  void EmitCopy(const Strips::Event& event) {
    const Strips::Buffer& b = s_.buffers[event.index];
    const uint32_t s = event.strip;
    for (const Strips::Work& w : s_.works) {
      if (c_.layers[static_cast<size_t>(w.layer)].output_root == b.root) e_.SetLayer(w.layer);
    }
    e_.Emit(kVector, RowCopy(b.groups, b.from[s] - b.low[s], e_.tensor(b.root).width, BufferView(b, s - 1, b.low[s]),
                             BufferView(b, s, b.low[s])));
  }

  void EmitLayer(size_t i, uint32_t strip) {
    const Strips::Work& w = s_.works[i];
    const Layer& layer = LayerAt(i);
    const OverlayTensor& out = e_.tensor(layer.output);
    e_.SetLayer(w.layer);
    if (InfoAt(i).engine == kConv) {
      EmitConv(i, strip);
      return;
    }
    const std::vector<RowWork> works = WorkOf(c_, s_, w, strip);
    for (const RowWork& work : works) EmitVector(i, work);
    if (w.array_groups != 0) EmitShare(i, strip);
    SaveRows(i, strip, works.front().dst, 0, out.groups);
  }

  void EmitVector(size_t i, const RowWork& work) {
    const Layer& layer = LayerAt(i);
    const OverlayTensor &in = e_.tensor(layer.input), &out = e_.tensor(layer.output);
    if (InfoAt(i).repeats) {
      for (uint32_t row = 0; row < work.yn; ++row) e_.Emit(kVector, RepeatOf(layer, in, out, work, row));
      return;
    }
    switch (layer.kind) {
      case LayerKind::kDepthwise: {
        Depthwise d = DepthwiseOf(layer, in, out, GroupsOf(work, 0, FirstShared(i)));
        d.params = params_[i];
        e_.Emit(kVector, d);
        break;
      }
      case LayerKind::kPool: {
        Pool p = PoolOf(layer, in, out, work);
        p.params = params_[i];
        e_.Emit(kVector, p);
        break;
      }
      case LayerKind::kElementwise: {
        Elementwise x =
            ElementwiseOf(layer, in, layer.input_b == kNone ? nullptr : &e_.tensor(layer.input_b), out, work);
        x.params = params_[i];
        e_.Emit(kVector, x);
        break;
      }
      case LayerKind::kConv:
      case LayerKind::kMatMul:
        assert(false && "not the vector engine's");
    }
  }

  void EmitConv(size_t i, uint32_t strip) {
    const std::vector<uint32_t>& done = s_.works[i].done;
    int32_t segment = segments_[i];
    for (const ConvPiece& piece : ConvPieces(c_, s_, i, strip)) {
      if (s_.stream && piece.first_reader) segment = LoadWeightsOf(i, piece.part);
      if (s_.stream && piece.chunk_begins) LoadResidualChunk(i, piece);
      e_.Emit(kConv, piece.conv, segment, piece.last_reader && (s_.stream || done[strip] == done.back()));
      if (piece.chunk_done) SaveRows(i, strip, piece.dst, piece.part.og0, piece.part.ogn);
    }
  }

  /// Output groups of a residual operand that passes in chunks.
  void LoadResidualChunk(size_t i, const ConvPiece& piece) {
    const Layer& layer = LayerAt(i);
    if (!layer.out.residual) return;
    const Strips::Buffer* b = s_.Find(c_.Root(layer.out.residual->tensor));
    if (b == nullptr || !b->in_chunks()) return;
    const OverlayTensor& root = e_.tensor(b->root);
    e_.EmitLoad(root, {b->group0 + piece.part.og0, piece.part.ogn, b->low[0], b->to[0] - b->low[0], 0, root.width},
                piece.res);
  }

  /// The array's groups of a depthwise layer.
  void EmitShare(size_t i, uint32_t strip) {
    const std::vector<uint32_t>& done = s_.works[i].done;
    const std::vector<SharePiece> pieces = SharePieces(c_, s_, i, strip);
    const uint32_t rows = InfoAt(i).array_group_rows;
    for (size_t at = 0; at < pieces.size();) {
      const uint32_t first = pieces[at].group, last = std::min(first + s_.chunk_groups[i], Groups(i));
      const int32_t segment = s_.stream ? LoadShare(i, first, last - first) : segments_[i];
      const uint32_t row0 = s_.stream ? first : FirstShared(i);
      for (; at < pieces.size() && pieces[at].group < last; ++at) {
        const bool chunk_ends = at + 1 == pieces.size() || pieces[at + 1].group == last;
        e_.Emit(kConv, pieces[at].conv, segment, chunk_ends && (s_.stream || done[strip] == done.back()),
                (pieces[at].group - row0) * rows);
      }
    }
  }

  /// What a strip made of some output groups into DRAM, where the result has a place there.
  void SaveRows(size_t i, uint32_t strip, const View& from, uint32_t og0, uint32_t ogn) {
    const Layer& layer = LayerAt(i);
    const Strips::Work& w = s_.works[i];
    const OverlayTensor& t = e_.tensor(layer.output);
    const int32_t root_index = c_.Root(layer.output);
    const OverlayTensor& root = e_.tensor(root_index);
    const Strips::Buffer* b = s_.Find(root_index);
    if (b != nullptr ? !b->saves : root.base == kBaseWorkspace) return;
    e_.EmitSave(root, {t.group0 + og0, ogn, w.First(strip), w.Rows(strip), 0, root.width}, from);
  }

  Emitter& e_;
  const StripContext& c_;
  const Strips& s_;
  std::vector<int32_t> segments_;  ///< by work, when weights stay
  std::vector<uint32_t> params_;   ///< by work: first vector memory row
};

}  // namespace

Status ScheduleStrips(Emitter& emitter, const StripContext& context, const Strips& strips, std::string* report) {
  StripEmitter(emitter, context, strips).Run();
  std::string names;
  for (const Strips::Work& w : strips.works) {
    const Layer& layer = emitter.partition.layers[static_cast<size_t>(w.layer)];
    names += (names.empty() ? "" : ", ") + layer.name;
    if (w.array_groups != 0) {
      names += " (" + std::to_string(w.array_groups) + " of " + std::to_string(emitter.tensor(layer.output).groups) +
               " channel groups on the array)";
    }
  }
  *report = "strips " + names + ": " + std::to_string(strips.strips) + " of " + std::to_string(strips.rows) +
            " rows, " + std::to_string(strips.words) + " words, about " +
            std::to_string(static_cast<uint64_t>(strips.cycles)) + " cycles";
  return {};
}

}  // namespace xrun::compiler
