#include "compiler/quantize/synthetic_inputs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace xrun::compiler {

namespace {

/// splitmix64: the same numbers everywhere, unlike the standard library's distributions.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  int64_t Below(int64_t n) { return static_cast<int64_t>(Uniform() * static_cast<double>(n)); }

 private:
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

/// Adds noise on a grid of `cells` squares a side, interpolated between grid points.
void AddSmoothNoise(Random& random, int64_t h, int64_t w, int64_t cells, double strength, std::vector<double>& plane) {
  std::vector<double> grid(static_cast<size_t>((cells + 1) * (cells + 1)));
  for (double& g : grid) g = (2 * random.Uniform() - 1) * strength;
  for (int64_t y = 0; y < h; ++y) {
    const double gy = static_cast<double>(y * cells) / static_cast<double>(h);
    const auto y0 = static_cast<int64_t>(gy);
    for (int64_t x = 0; x < w; ++x) {
      const double gx = static_cast<double>(x * cells) / static_cast<double>(w);
      const auto x0 = static_cast<int64_t>(gx);
      const double fy = gy - static_cast<double>(y0);
      const double fx = gx - static_cast<double>(x0);
      const auto at = [&](int64_t i, int64_t j) { return grid[static_cast<size_t>(i * (cells + 1) + j)]; };
      plane[static_cast<size_t>(y * w + x)] += (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) +
                                               fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1));
    }
  }
}

/// Hard-edged discs, the objects of the picture.
void AddBlobs(Random& random, int64_t h, int64_t w, std::vector<double>& plane) {
  for (int blob = 0; blob < 4; ++blob) {
    const int64_t cy = random.Below(h);
    const int64_t cx = random.Below(w);
    const double radius = (0.05 + 0.25 * random.Uniform()) * static_cast<double>(std::min(h, w));
    const double strength = 1.6 * random.Uniform() - 0.8;
    for (int64_t y = 0; y < h; ++y) {
      for (int64_t x = 0; x < w; ++x) {
        const auto dy = static_cast<double>(y - cy);
        const auto dx = static_cast<double>(x - cx);
        if (dy * dy + dx * dx < radius * radius) plane[static_cast<size_t>(y * w + x)] += strength;
      }
    }
  }
}

void AddGradient(Random& random, int64_t h, int64_t w, std::vector<double>& plane) {
  const double down = 2 * random.Uniform() - 1;
  const double right = 2 * random.Uniform() - 1;
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      plane[static_cast<size_t>(y * w + x)] += down * (static_cast<double>(y) / static_cast<double>(h) - 0.5) +
                                               right * (static_cast<double>(x) / static_cast<double>(w) - 0.5);
    }
  }
}

}  // namespace

std::vector<float> SyntheticInput(const Shape& shape, int sample, int input, float lo, float hi) {
  const size_t rank = shape.size();
  const int64_t h = rank >= 3 ? shape[rank - 2] : 1;
  const int64_t w = rank >= 1 ? shape[rank - 1] : 1;
  const int64_t planes = Elements(shape) / std::max<int64_t>(h * w, 1);
  std::vector<float> result;
  result.reserve(static_cast<size_t>(Elements(shape)));
  std::vector<double> plane(static_cast<size_t>(h * w));
  for (int64_t p = 0; p < planes; ++p) {
    std::fill(plane.begin(), plane.end(), 0.0);
    // The colours of a picture go together: all planes share the seed of the large shapes, and have fine noise of their
    // own.
    const auto seed = static_cast<uint64_t>(sample) * 1000 + static_cast<uint64_t>(input);
    Random shared(seed * 2 + 1);
    Random own((seed << 20) + static_cast<uint64_t>(p) * 2);
    if (rank >= 3) {
      AddGradient(shared, h, w, plane);
      AddBlobs(shared, h, w, plane);
      AddSmoothNoise(shared, h, w, 2, 0.5, plane);
      AddSmoothNoise(own, h, w, 5, 0.3, plane);
    }
    if (rank >= 3) {
      AddSmoothNoise(own, h, w, std::clamp<int64_t>(w / 2, 1, 64), 0.2, plane);
    } else {
      for (double& v : plane) v = own.Uniform();
    }
    const auto [least, most] = std::minmax_element(plane.begin(), plane.end());
    const double size = *most - *least;
    // Contrast and brightness differ from sample to sample; the first spans the whole range.
    const double contrast = sample == 0 ? 1.0 : 0.5 + 0.5 * shared.Uniform();
    const double offset = (1 - contrast) * shared.Uniform();
    const double base = *least;
    for (const double v : plane) {
      const double unit = size > 0 ? offset + contrast * (v - base) / size : 0.5;
      result.push_back(
          static_cast<float>(static_cast<double>(lo) + unit * (static_cast<double>(hi) - static_cast<double>(lo))));
    }
  }
  return result;
}

}  // namespace xrun::compiler
