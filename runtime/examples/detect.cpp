// detect PROGRAM.xprog PICTURE [DEVICE]: objects in a picture by a network of the YOLOX kind, boxes decoded and
// overlapping ones suppressed here. Boxes are in pixels of the network's input.
//
// Its output is [1, cells, 5 + classes], a row a cell of the grids of 8, 16, 32 … pixels, one grid after another: x and
// y from the cell's corner, logarithms of width and height, all in cells; then objectness and classes in 0…1.

#include <xrun/xrun.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace {

constexpr float kLeastScore = 0.3F, kMostOverlap = 0.45F;

struct Box {
  float x0, y0, x1, y1, score;
  size_t label;
};

struct Cell {
  float x, y, size;
};

/// The grids whose cells are as many as the output has rows; empty if none are.
std::vector<Cell> CellsOf(int64_t height, int64_t width, size_t rows) {
  std::vector<Cell> cells;
  for (int64_t size = 8; size <= 64 && cells.size() < rows; size *= 2) {
    for (int64_t y = 0; y < height / size; ++y) {
      for (int64_t x = 0; x < width / size; ++x) {
        cells.push_back({static_cast<float>(x), static_cast<float>(y), static_cast<float>(size)});
      }
    }
  }
  if (cells.size() != rows) cells.clear();
  return cells;
}

std::vector<Box> Decode(const std::vector<float>& rows, const std::vector<Cell>& cells) {
  const size_t columns = rows.size() / cells.size();
  std::vector<Box> boxes;
  for (size_t i = 0; i < cells.size(); ++i) {
    const float* row = rows.data() + i * columns;
    const float* best = std::max_element(row + 5, row + columns);
    const float score = row[4] * *best;
    if (score < kLeastScore) continue;
    const Cell& cell = cells[i];
    const float x = (row[0] + cell.x) * cell.size, y = (row[1] + cell.y) * cell.size;
    const float w = std::exp(row[2]) * cell.size, h = std::exp(row[3]) * cell.size;
    boxes.push_back({x - w / 2, y - h / 2, x + w / 2, y + h / 2, score, static_cast<size_t>(best - (row + 5))});
  }
  return boxes;
}

float Overlap(const Box& a, const Box& b) {
  const float w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0), h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (w <= 0 || h <= 0) return 0;
  const auto area = [](const Box& box) { return (box.x1 - box.x0) * (box.y1 - box.y0); };
  return w * h / (area(a) + area(b) - w * h);
}

/// Best first; a box that overlaps a better one of its class too much is left out.
std::vector<Box> Suppress(std::vector<Box> boxes) {
  std::stable_sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.score > b.score; });
  std::vector<Box> kept;
  for (const Box& box : boxes) {
    const bool again = std::any_of(kept.begin(), kept.end(), [&](const Box& better) {
      return better.label == box.label && Overlap(better, box) > kMostOverlap;
    });
    if (!again) kept.push_back(box);
  }
  return kept;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s PROGRAM.xprog PICTURE [DEVICE]\n", argv[0]);
    return 2;
  }
  try {
    const auto device = xrun::Device::open(argc > 3 ? argv[3] : "sim");
    xrun::Session session(device, xrun::Program::load(argv[1]));
    const xrun::TensorInfo &in = session.inputs()[0], &out = session.outputs()[0];
    std::vector<Cell> cells;
    if (in.shape.size() == 4 && out.shape.size() == 3 && out.shape[0] == 1 && out.shape[2] > 5) {
      cells = CellsOf(in.shape[2], in.shape[3], static_cast<size_t>(out.shape[1]));
    }
    if (cells.empty()) {
      std::fprintf(stderr, "%s: output '%s' of %s is not [1, cells, 5 + classes] for an input of %s\n", argv[1],
                   out.name.c_str(), out.shape_text().c_str(), in.shape_text().c_str());
      return 1;
    }
    const std::vector<float> x = session.preprocess(argv[2]);
    std::vector<float> rows(out.elements());
    session.run({{in.name, x}}, {{out.name, rows}});
    for (const Box& box : Suppress(Decode(rows, cells))) {
      std::printf("class %zu  %.2f  %.1f,%.1f to %.1f,%.1f\n", box.label, box.score, box.x0, box.y0, box.x1, box.y1);
    }
    return 0;
  } catch (const xrun::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
