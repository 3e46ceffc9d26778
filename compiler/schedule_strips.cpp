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

  /// Segments of vector memory, all there until the group ends.
  void LoadParameters() {
    uint32_t rows = 0;
    for (size_t i = 0; i < s_.works.size(); ++i) rows += InfoAt(i).vector_rows;
    e_.ReserveVectorRows(rows);
    for (size_t i = 0; i < s_.works.size(); ++i) {
      if (InfoAt(i).vector_rows == 0) continue;
      const Layer& layer = LayerAt(i);
      e_.SetLayer(s_.works[i].layer);
      const std::vector<uint8_t> bytes =
          layer.kind == LayerKind::kDepthwise
              ? PackDepthwiseSegment(layer, e_.tensor(layer.output), 0, Groups(i), 0, layer.kernel_h, true, e_.config)
              : PackTable(layer.out.table, {}, e_.config);
      assert(bytes.size() == size_t{InfoAt(i).vector_rows} * e_.config.channels);
      params_[i] = e_.LoadVectorSegment(e_.weights.Append(bytes), InfoAt(i).vector_rows);
    }
  }

  int32_t LoadWeightsOf(size_t i, ConvPart part) {
    const Layer& layer = LayerAt(i);
    const OverlayTensor &in = e_.tensor(layer.input), &out = e_.tensor(layer.output);
    const PhaseView phase = PhasesOf(layer, out)[0];
    part.ig0 += InfoAt(i).in_group0;
    const Emitter::Packed packed = e_.PackConv(layer, phase, in, out, part);
    e_.SetLayer(s_.works[i].layer);
    // Weights that stay for the group may begin to come while those of the group before are still there.
    const uint32_t load_part = s_.stream ? 0 : e_.config.weight_rows / 8;
    return e_.LoadSegment(packed.offset, packed.rows, load_part);
  }

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
        Depthwise d = DepthwiseOf(layer, in, out, work);
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
    names += (names.empty() ? "" : ", ") + emitter.partition.layers[static_cast<size_t>(w.layer)].name;
  }
  *report = "strips " + names + ": " + std::to_string(strips.strips) + " of " + std::to_string(strips.rows) +
            " rows, " + std::to_string(strips.words) + " words, about " +
            std::to_string(static_cast<uint64_t>(strips.cycles)) + " cycles";
  return {};
}

}  // namespace xrun::compiler
