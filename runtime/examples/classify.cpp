// classify PROGRAM.xprog PICTURE [DEVICE]: the five likeliest classes of a picture.

#include <xrun/xrun.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s PROGRAM.xprog PICTURE [DEVICE]\n", argv[0]);
    return 2;
  }
  try {
    const auto device = xrun::Device::open(argc > 3 ? argv[3] : "sim");
    xrun::Session session(device, xrun::Program::load(argv[1]));
    const xrun::TensorInfo &in = session.inputs()[0], &out = session.outputs()[0];

    // Resized, cropped and normalised as the model was calibrated: the program carries how.
    const std::vector<float> x = session.preprocess(argv[2]);
    std::vector<float> scores(out.elements());
    session.run({{in.name, x}}, {{out.name, scores}});

    std::vector<size_t> order(scores.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto best = order.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(5, order.size()));
    std::partial_sort(order.begin(), best, order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    for (auto i = order.begin(); i != best; ++i) std::printf("class %zu  %.4f\n", *i, scores[*i]);
    return 0;
  } catch (const xrun::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
