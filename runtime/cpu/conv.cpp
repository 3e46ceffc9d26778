#include <cstring>

#include "runtime/cpu/gemm.h"
#include "runtime/cpu/op_kernels.h"

namespace xrun::cpu {

namespace {

/// The numbers of one convolution, in the letters of the formulas.
struct ConvShape {
  int64_t n, c, h, w;      // input
  int64_t m, oh, ow;       // output
  int64_t groups, cg, mg;  // channels of a group, in and out
  int64_t kh, kw, sh, sw, dh, dw, top, left;

  explicit ConvShape(const OpCall& call) {
    const auto& attrs = std::get<ConvAttrs>(*call.attrs);
    const auto in = call.inputs[0].shape;
    const auto out = call.outputs[0].shape;
    n = in[0], c = in[1], h = in[2], w = in[3];
    m = out[1], oh = out[2], ow = out[3];
    groups = attrs.groups, cg = c / groups, mg = m / groups;
    kh = attrs.kernel[0], kw = attrs.kernel[1];
    sh = attrs.stride[0], sw = attrs.stride[1];
    dh = attrs.dilation[0], dw = attrs.dilation[1];
    top = attrs.pads[0], left = attrs.pads[1];
  }

  int64_t pixels() const { return oh * ow; }
  int64_t depth() const { return cg * kh * kw; }
  /// One input channel per group: rows of multiply-adds beat a matrix product that is one or two rows high.
  bool depthwise() const { return cg == 1 && mg <= 2; }
};

/// Output columns [first, last) whose tap `kx` lies inside the input row.
struct Span {
  int64_t first, last;
};
Span ValidColumns(const ConvShape& s, int64_t kx) {
  const int64_t offset = kx * s.dw - s.left;
  const int64_t first = offset >= 0 ? 0 : DivideUp(-offset, s.sw);
  const int64_t last = s.w - 1 - offset < 0 ? 0 : (s.w - 1 - offset) / s.sw + 1;
  return {std::min(first, s.ow), std::clamp<int64_t>(last, std::min(first, s.ow), s.ow)};
}

/// Writes one row of the column matrix, tap (channel plane, ky, kx) at output pixels [p0, p0 + count), to `row`.
void FillTapRow(const ConvShape& s, const float* plane, int64_t ky, int64_t kx, int64_t p0, int64_t count, float* row) {
  const Span valid = ValidColumns(s, kx);
  int64_t oy = p0 / s.ow;
  int64_t ox = p0 % s.ow;
  while (count > 0) {
    const int64_t run = std::min(count, s.ow - ox);
    const int64_t iy = oy * s.sh - s.top + ky * s.dh;
    if (iy < 0 || iy >= s.h) {
      std::fill_n(row, run, 0.0F);
    } else {
      const int64_t first = std::clamp(valid.first, ox, ox + run);
      const int64_t last = std::clamp(valid.last, first, ox + run);
      std::fill(row, row + (first - ox), 0.0F);
      const float* in = plane + iy * s.w + (first * s.sw - s.left + kx * s.dw);
      float* out = row + (first - ox);
      if (s.sw == 1) {
        if (last > first) std::memcpy(out, in, static_cast<size_t>(last - first) * sizeof(float));
      } else {
        for (int64_t i = 0; i < last - first; ++i) out[i] = in[i * s.sw];
      }
      std::fill(row + (last - ox), row + run, 0.0F);
    }
    row += run;
    count -= run;
    ox = 0;
    ++oy;
  }
}

/// Rows [k0, k0 + kc) of the column matrix at pixels [p0, p0 + count), in the order GemmBlock reads.
void PackColumns(const ConvShape& s, const Simd& simd, const float* image, int64_t p0, int64_t count, int64_t k0,
                 int64_t kc, float* packed) {
  const bool pointwise =
      s.kh * s.kw == 1 && s.sh == 1 && s.sw == 1 && s.top == 0 && s.left == 0 && s.h == s.oh && s.w == s.ow;
  const int64_t width = simd.tile_columns;
  alignas(64) float buffer[kBlockN];
  for (int64_t i = 0; i < kc; ++i) {
    const int64_t k = k0 + i;
    const float* plane = image + (k / (s.kh * s.kw)) * s.h * s.w;
    const float* row = buffer;
    if (pointwise) {
      row = plane + p0;
    } else {
      const int64_t tap = k % (s.kh * s.kw);
      FillTapRow(s, plane, tap / s.kw, tap % s.kw, p0, count, buffer);
    }
    float* out = packed + i * width;
    int64_t j = 0;
    for (; j + width <= count; j += width, out += kc * width) {
      std::memcpy(out, row + j, static_cast<size_t>(width) * sizeof(float));
    }
    if (j < count) {
      std::fill_n(out, width, 0.0F);
      std::memcpy(out, row + j, static_cast<size_t>(count - j) * sizeof(float));
    }
  }
}

int64_t PackedFloatsPerGroup(const ConvShape& s) { return PackedAFloats(s.mg, s.depth()); }

void PackPanel(const ConvShape& s, const float* weights, int64_t task, float* packed) {
  const int64_t panels = DivideUp(s.mg, kTileRows);
  const int64_t group = task / panels;
  PackAPanel(weights + group * s.mg * s.depth(), s.depth(), 1, s.mg, s.depth(), task % panels,
             packed + group * PackedFloatsPerGroup(s));
}

/// Where a worker keeps one input plane for a depthwise convolution: rows padded left and right, and their columns
/// split by phase (column mod stride), so that every tap of neighbouring outputs is a run of neighbouring floats.
struct PhasedPlane {
  int64_t phase_length, row_length;

  explicit PhasedPlane(const ConvShape& s)
      : phase_length((s.kw - 1) * s.dw / s.sw + 1 + RoundUp(s.ow, kTapSumUnit)), row_length(phase_length * s.sw) {}

  int64_t Floats(const ConvShape& s) const { return s.h * row_length; }

  void Fill(const ConvShape& s, const float* plane, float* out) const {
    std::fill_n(out, Floats(s), 0.0F);
    for (int64_t y = 0; y < s.h; ++y, plane += s.w, out += row_length) {
      for (int64_t phase = 0; phase < s.sw; ++phase) {
        const int64_t first = phase >= s.left ? 0 : DivideUp(s.left - phase, s.sw);
        const int64_t last = std::min(phase_length, DivideUp(s.left + s.w - phase, s.sw));
        const float* in = plane + (first * s.sw + phase - s.left);
        float* to = out + phase * phase_length + first;
        for (int64_t i = 0; i < last - first; ++i) to[i] = in[i * s.sw];
      }
    }
  }

  /// The run of inputs under tap kx of output column 0, in the row at `row`.
  const float* Tap(const ConvShape& s, const float* row, int64_t kx) const {
    const int64_t column = kx * s.dw;
    return row + column % s.sw * phase_length + column / s.sw;
  }
};

/// Floats a worker needs: the plane, then for one output row the taps' weights and addresses (two floats' room each).
int64_t DepthwiseFloats(const ConvShape& s) { return RoundUp(PhasedPlane(s).Floats(s) + 3 * s.kh * s.kw + 2, 16); }

void RunDepthwise(const OpCall& call, const ConvShape& s, std::byte* scratch, Workers& workers) {
  const Simd& simd = BestSimd();
  const PhasedPlane layout(s);
  float* space = ScratchCursor(scratch).TakeFloats(0);
  const float* bias = call.inputs.size() > 2 ? call.inputs[2].as<float>() : nullptr;
  workers.Run(s.n * s.m, [&](int64_t task, int worker) {
    const int64_t image = task / s.m;
    const int64_t channel = task % s.m;
    float* plane = space + worker * DepthwiseFloats(s);
    layout.Fill(s, call.inputs[0].as<float>() + (image * s.c + channel / s.mg) * s.h * s.w, plane);
    // Pointers first: the plane's length is a multiple of two floats only after rounding.
    auto** inputs = reinterpret_cast<const float**>(plane + RoundUp(layout.Floats(s), 2));
    auto* weights = reinterpret_cast<float*>(inputs + s.kh * s.kw);
    const float* kernel = call.inputs[1].as<float>() + channel * s.kh * s.kw;
    float* out = call.outputs[0].as<float>() + task * s.pixels();
    for (int64_t oy = 0; oy < s.oh; ++oy, out += s.ow) {
      int64_t taps = 0;
      for (int64_t ky = 0; ky < s.kh; ++ky) {
        const int64_t iy = oy * s.sh - s.top + ky * s.dh;
        if (iy < 0 || iy >= s.h) continue;
        for (int64_t kx = 0; kx < s.kw; ++kx, ++taps) {
          inputs[taps] = layout.Tap(s, plane + iy * layout.row_length, kx);
          weights[taps] = kernel[ky * s.kw + kx];
        }
      }
      simd.tap_sum(s.ow, taps, inputs, weights, bias == nullptr ? 0.0F : bias[channel], ClampLo(call), ClampHi(call),
                   out);
    }
  });
}

}  // namespace

size_t ConvPackedFloats(const OpCall& call) {
  const ConvShape s(call);
  return s.depthwise() ? 0 : static_cast<size_t>(s.groups * PackedFloatsPerGroup(s));
}

size_t ConvScratchBytes(const OpCall& call, int workers) {
  const ConvShape s(call);
  if (s.depthwise()) return static_cast<size_t>(workers) * ScratchCursor::Bytes(DepthwiseFloats(s));
  const size_t weights = call.packed_weights != nullptr ? 0 : ScratchCursor::Bytes(s.groups * PackedFloatsPerGroup(s));
  return weights + static_cast<size_t>(workers) * ScratchCursor::Bytes(PackedBFloats());
}

void ConvPack(const OpCall& call, float* packed) {
  const ConvShape s(call);
  if (s.depthwise()) return;
  const int64_t tasks = s.groups * DivideUp(s.mg, kTileRows);
  for (int64_t task = 0; task < tasks; ++task) PackPanel(s, call.inputs[1].as<float>(), task, packed);
}

void RunConv(const OpCall& call, std::byte* scratch, Workers& workers) {
  const ConvShape s(call);
  if (s.depthwise()) return RunDepthwise(call, s, scratch, workers);
  const Simd& simd = BestSimd();
  ScratchCursor cursor(scratch);
  const float* packed = call.packed_weights;
  if (packed == nullptr) {
    float* fresh = cursor.TakeFloats(s.groups * PackedFloatsPerGroup(s));
    workers.Run(s.groups * DivideUp(s.mg, kTileRows),
                [&](int64_t task, int) { PackPanel(s, call.inputs[1].as<float>(), task, fresh); });
    packed = fresh;
  }
  float* columns = cursor.TakeFloats(0);
  const float* x = call.inputs[0].as<float>();
  const float* bias = call.inputs.size() > 2 ? call.inputs[2].as<float>() : nullptr;
  float* y = call.outputs[0].as<float>();
  const int64_t blocks = DivideUp(s.pixels(), kBlockN);
  const int64_t parts = RowParts(s.mg, s.n * s.groups * blocks);
  const int64_t part_rows = RoundUp(DivideUp(s.mg, parts), kTileRows);
  workers.Run(s.n * s.groups * blocks * parts, [&](int64_t task, int worker) {
    const int64_t part = task % parts;
    const int64_t block = task / parts % blocks;
    const int64_t group = task / (parts * blocks) % s.groups;
    const int64_t image = task / (parts * blocks * s.groups);
    const int64_t m0 = part * part_rows;
    const int64_t m1 = std::min(s.mg, m0 + part_rows);
    if (m0 >= m1) return;
    const int64_t p0 = block * kBlockN;
    const int64_t count = std::min(kBlockN, s.pixels() - p0);
    const float* in = x + (image * s.c + group * s.cg) * s.h * s.w;
    float* packed_b = columns + worker * PackedBFloats();
    GemmBlock(simd, s.mg, m0, m1, p0, count, s.depth(), packed + group * PackedFloatsPerGroup(s),
              y + (image * s.m + group * s.mg) * s.pixels(), s.pixels(), false,
              bias == nullptr ? nullptr : bias + group * s.mg, ClampLo(call), ClampHi(call), packed_b,
              [&](int64_t k0, int64_t kc, float* out) { PackColumns(s, simd, in, p0, count, k0, kc, out); });
  });
}

void RunConvTranspose(const OpCall& call, Workers& workers) {
  // The scatter form: y[m][iy·sh + ky·dh − top][ix·sw + kx·dw − left] += x[c][iy][ix]·w[c][m][ky][kx].
  const ConvShape s(call);
  const float* x = call.inputs[0].as<float>();
  const float* weights = call.inputs[1].as<float>();
  const float* bias = call.inputs.size() > 2 ? call.inputs[2].as<float>() : nullptr;
  float* y = call.outputs[0].as<float>();
  const float lo = ClampLo(call);
  const float hi = ClampHi(call);
  workers.Run(s.n * s.m, [&](int64_t task, int) {
    const int64_t image = task / s.m;
    const int64_t channel = task % s.m;
    const int64_t group = channel / s.mg;
    float* out = y + task * s.pixels();
    std::fill_n(out, s.pixels(), bias == nullptr ? 0.0F : bias[channel]);
    for (int64_t c = 0; c < s.cg; ++c) {
      const float* plane = x + (image * s.c + group * s.cg + c) * s.h * s.w;
      const float* kernel = weights + ((group * s.cg + c) * s.mg + channel % s.mg) * s.kh * s.kw;
      for (int64_t iy = 0; iy < s.h; ++iy) {
        for (int64_t ky = 0; ky < s.kh; ++ky) {
          const int64_t oy = iy * s.sh + ky * s.dh - s.top;
          if (oy < 0 || oy >= s.oh) continue;
          for (int64_t kx = 0; kx < s.kw; ++kx) {
            const float value = kernel[ky * s.kw + kx];
            const int64_t offset = kx * s.dw - s.left;
            const int64_t first = offset >= 0 ? 0 : DivideUp(-offset, s.sw);
            const int64_t last = s.ow - 1 - offset < 0 ? 0 : std::min(s.w, (s.ow - 1 - offset) / s.sw + 1);
            float* row = out + oy * s.ow + offset;
            const float* in = plane + iy * s.w;
            for (int64_t ix = first; ix < last; ++ix) row[ix * s.sw] += value * in[ix];
          }
        }
      }
    }
    for (int64_t i = 0; i < s.pixels(); ++i) {
      const float v = out[i] < lo ? lo : out[i];
      out[i] = v > hi ? hi : v;
    }
  });
}

}  // namespace xrun::cpu
