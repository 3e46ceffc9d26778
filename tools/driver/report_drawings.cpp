#include "tools/driver/report_drawings.h"

#include <algorithm>
#include <cstdio>

#include "tools/common/format.h"

namespace xrun::tools {
namespace {

constexpr double kWidth = 1200, kLeft = 90, kRight = 20;
constexpr double kPlot = kWidth - kLeft - kRight;

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

std::string Count(uint64_t n) { return FormatCount(static_cast<int64_t>(n)); }

/// Neighbouring numbers get hues far apart.
std::string Colour(size_t number, int lightness) {
  return "hsl(" + std::to_string(number * 137 % 360) + ",55%," + std::to_string(lightness) + "%)";
}

std::string Box(double x, double y, double width, double height, const std::string& fill, const std::string& title) {
  return "<rect x=\"" + Number(x) + "\" y=\"" + Number(y) + "\" width=\"" + Number(width) + "\" height=\"" +
         Number(height) + "\" fill=\"" + fill + "\" stroke=\"#555\" stroke-width=\"0.3\"><title>" + Escaped(title) +
         "</title></rect>\n";
}

std::string Line(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<line x1=\"" + Number(x1) + "\" y1=\"" + Number(y1) + "\" x2=\"" + Number(x2) + "\" y2=\"" + Number(y2) +
         "\" " + style + "/>\n";
}

std::string Label(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x=\"" + Number(x) + "\" y=\"" + Number(y) + "\" text-anchor=\"" + anchor + "\">" + Escaped(text) +
         "</text>\n";
}

std::string Svg(double height, const std::string& title, const std::string& body) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + Number(kWidth) + " " + Number(height) +
         "\" width=\"100%\" font-family=\"sans-serif\" font-size=\"12\">\n<title>" + Escaped(title) + "</title>\n" +
         Box(0, 0, kWidth, height, "#fff", title) + body + "</svg>\n";
}

/// Borders of the groups in cycles, one more than groups.
std::vector<uint64_t> Borders(const compiler::MemoryMap& map, size_t step, const std::vector<LayerProfile>& layers) {
  std::vector<uint64_t> borders = {UINT64_MAX};
  for (const LayerProfile& layer : layers) {
    if (layer.step == step) borders[0] = std::min(borders[0], layer.start);
  }
  if (borders[0] == UINT64_MAX) borders[0] = 0;
  for (const compiler::MemoryMap::Group& group : map.groups) {
    uint64_t end = borders.back();
    for (const LayerProfile& layer : layers) {
      const bool here = std::find(group.nodes.begin(), group.nodes.end(), layer.node) != group.nodes.end();
      if (layer.step == step && here) end = std::max(end, layer.end);
    }
    borders.push_back(end);
  }
  return borders;
}

const char* KindName(compiler::MemoryPiece::Kind kind) {
  switch (kind) {
    case compiler::MemoryPiece::kTensor:
      return "whole tensor ";
    case compiler::MemoryPiece::kBuffer:
      return "rows of ";
    case compiler::MemoryPiece::kTiles:
      return "tiles of ";
  }
  return "";
}

constexpr double kMapHeight = 300, kMapFoot = 40;

std::string Map(const compiler::MemoryMap& map, size_t step, double top, const std::vector<LayerProfile>& layers) {
  const std::vector<uint64_t> borders = Borders(map, step, layers);
  const double span = static_cast<double>(std::max<uint64_t>(1, borders.back() - borders[0]));
  const auto x = [&](size_t border) {
    return kLeft + kPlot * static_cast<double>(borders[border] - borders[0]) / span;
  };
  const double bottom = top + kMapHeight;
  const auto y = [&](uint64_t words) {
    return bottom - kMapHeight * static_cast<double>(words) / static_cast<double>(map.total_words);
  };
  std::string text = Line(kLeft, top, kLeft, bottom, "stroke=\"#000\"") +
                     Line(kLeft, bottom, kWidth - kRight, bottom, "stroke=\"#000\"") +
                     Label(kLeft - 6, bottom, "end", "0") + Label(kLeft - 6, top + 10, "end", Count(map.total_words)) +
                     Label(kLeft - 6, top + kMapHeight / 2, "end", "words") +
                     Label(kLeft, bottom + 16, "start", Count(borders[0])) +
                     Label(kWidth - kRight, bottom + 16, "end", "cycle " + Count(borders.back()));
  for (size_t g = 0; g < map.groups.size(); ++g) {
    // An invisible column that names the group where no piece covers it, and a tick.
    text += Box(x(g), bottom, x(g + 1) - x(g), 5, g % 2 == 0 ? "#888" : "#ddd",
                "group " + std::to_string(g) + ": " + map.groups[g].name);
  }
  for (size_t p = 0; p < map.pieces.size(); ++p) {
    const compiler::MemoryPiece& piece = map.pieces[p];
    text += Box(x(piece.first_group), y(piece.address + piece.words), x(piece.last_group + 1) - x(piece.first_group),
                y(piece.address) - y(piece.address + piece.words),
                Colour(p, piece.kind == compiler::MemoryPiece::kTensor ? 62 : 82),
                std::string(KindName(piece.kind)) + piece.name + "; words " + Count(piece.address) + " to " +
                    Count(piece.address + piece.words) + "; groups " + std::to_string(piece.first_group) + " to " +
                    std::to_string(piece.last_group));
  }
  text += Line(kLeft, y(map.bound_words), kWidth - kRight, y(map.bound_words),
               "class=\"bound\" stroke=\"#c00\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"");
  text += "<g fill=\"#c00\">" +
          Label(kWidth - kRight, std::max(top + 12, y(map.bound_words) - 4), "end",
                "lower bound " + Count(map.bound_words)) +
          "</g>\n";
  return text;
}

}  // namespace

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        // Control characters are not allowed in XML at all.
        escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return escaped;
}

std::string MemorySvg(const std::vector<compiler::MemoryMap>& maps, const HardwareConfig& config,
                      const std::vector<LayerProfile>& layers) {
  std::string body;
  double top = 10;
  for (size_t s = 0; s < maps.size(); ++s) {
    const compiler::MemoryMap& map = maps[s];
    body += Label(kLeft, top + 12, "start",
                  "overlay step " + std::to_string(s) + ": " + Count(map.peak_words) + " words used, " +
                      Count(map.bound_words) + " live at the same time, of " + Count(map.total_words) +
                      (map.planned ? "" : "; no groups were searched: a layer each, tiles not shown"));
    body += Map(map, s, top + 24, layers);
    top += 24 + kMapHeight + kMapFoot;
  }
  if (maps.empty()) body = Label(kLeft, 30, "start", "nothing runs on the overlay");
  return Svg(std::max(50.0, top), "activation memory of " + config.name + ", address over modelled time", body);
}

std::string TimelineSvg(const Program& program, const OverlayStep& step, const simulator::TimingReport& report) {
  constexpr double kRow = 34, kTop = 10;
  const double span = static_cast<double>(std::max<uint64_t>(1, report.cycles));
  const auto x = [&](uint64_t cycle) { return kLeft + kPlot * static_cast<double>(cycle) / span; };
  std::string body;
  for (uint8_t e = 0; e < kEngines; ++e) {
    const double top = kTop + e * kRow;
    body += Label(kLeft - 6, top + 18, "end", std::string(EngineName(static_cast<Engine>(e))));
    body += Line(kLeft, top + kRow - 4, kWidth - kRight, top + kRow - 4, "stroke=\"#ccc\"");
    std::vector<int64_t> node_of(step.body[e].size(), -1);
    for (const NodeRange& range : step.ranges) {
      if (range.engine == e) std::fill_n(node_of.begin() + range.first, range.count, int64_t{range.node});
    }
    // Bars of one node that are less than a third of a pixel apart are one.
    struct Bar {
      uint64_t start, end;
      int64_t node;
    };
    std::vector<Bar> bars;
    for (const simulator::InstructionTime& time : report.instructions[e]) {
      if (time.prologue || time.end == time.start) continue;
      const int64_t node = node_of[time.index];
      if (!bars.empty() && bars.back().node == node && x(time.start) - x(bars.back().end) < 0.33) {
        bars.back().end = time.end;
      } else {
        bars.push_back({time.start, time.end, node});
      }
    }
    for (const Bar& bar : bars) {
      const std::string name = bar.node < 0 ? "" : program.nodes[static_cast<size_t>(bar.node)].name;
      body += Box(x(bar.start), top, std::max(0.2, x(bar.end) - x(bar.start)), kRow - 8,
                  Colour(static_cast<size_t>(bar.node + 1), 60),
                  name + ": cycles " + Count(bar.start) + " to " + Count(bar.end));
    }
  }
  const double bottom = kTop + kRow * static_cast<double>(static_cast<int>(kEngines));
  body += Label(kLeft, bottom + 14, "start", "0") +
          Label(kWidth - kRight, bottom + 14, "end", "cycle " + Count(report.cycles));
  return Svg(bottom + 24, "engines over modelled time", body);
}

}  // namespace xrun::tools
