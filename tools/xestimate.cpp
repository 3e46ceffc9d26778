// xestimate: what a configuration of the overlay costs, and on which boards it fits.

#include <cmath>
#include <cstdio>

#include "isa/hardware_config.h"
#include "tools/common/format.h"
#include "tools/common/table.h"
#include "tools/common/tool.h"
#include "tools/driver/resources.h"

namespace {

using namespace xrun;
using tools::Table;

struct EstimateFlags {
  std::string arch, board, multipliers = "packed";
  uint32_t lut_lanes = 0;
  bool resources = false;

  void AddTo(CLI::App& app) {
    app.add_flag("--resources", resources, "Cells of an UltraScale+ part: LUT, FF, DSP, BRAM, URAM, by a model");
    app.add_option("--arch", arch, "B512 … B4096, K26 or a JSON description")->required()->type_name("ARCH");
    app.add_option("--board", board, "KV260, ZCU102, ZCU104 or U50 only, with each part of the overlay")
        ->type_name("BOARD");
    app.add_option(
           "--multipliers", multipliers,
           "packed: two products a DSP, as the source stands; doubled: packed, at twice the clock; plain: one [packed]")
        ->check(CLI::IsMember({"plain", "packed", "doubled"}))
        ->type_name("HOW");
    app.add_option("--lut-lanes", lut_lanes, "Pixel lanes whose products are made of LUTs [0]")->type_name("N");
  }
};

/// How far the totals may be off, and what that rests on (overlay_hw/README.md, "Resources").
constexpr const char* kError =
    "model, not measured with Vivado: DSP ±10 %, BRAM and URAM ±10 %, LUT and FF ±35 %; overlay_hw/README.md says why";

std::string Half(uint64_t bram18) { return std::to_string(bram18 / 2) + (bram18 % 2 != 0 ? ".5" : ""); }

std::vector<std::string> Cells(const tools::Resources& r) {
  const auto count = [](uint64_t n) { return tools::FormatCount(static_cast<int64_t>(n)); };
  return {count(r.lut), count(r.ff), count(r.dsp), Half(r.bram18), count(r.uram)};
}
nlohmann::ordered_json Json(const tools::Resources& r) {
  return {{"lut", r.lut}, {"ff", r.ff}, {"dsp", r.dsp}, {"bram36", r.bram36()}, {"uram", r.uram}};
}
std::string UramText(const tools::MemoryPlacement& p) {
  std::string text;
  const auto add = [&](bool there, const char* what) {
    if (there) text += (text.empty() ? "" : ", ") + std::string(what);
  };
  add(p.activations_uram, "activations");
  add(p.ring_uram, "weight ring");
  add(p.vector_uram, "vector parameters");
  return text.empty() ? "-" : text;
}
std::vector<std::string> Row(std::string first, std::vector<std::string> cells, std::vector<std::string> last) {
  std::vector<std::string> row = {std::move(first)};
  row.insert(row.end(), cells.begin(), cells.end());
  row.insert(row.end(), last.begin(), last.end());
  return row;
}

Status Run(const EstimateFlags& flags, const tools::Tool& tool) {
  if (!flags.resources) tools::UsageError("nothing to estimate", "--resources is what there is");
  XRUN_ASSIGN_OR_RETURN(const HardwareConfig config, FindConfig(flags.arch));
  if (flags.lut_lanes > config.pixels) {
    return Failure{"--lut-lanes " + std::to_string(flags.lut_lanes) + ": " + config.name + " has " +
                       std::to_string(config.pixels) + " pixel lanes",
                   ""};
  }
  const tools::ArrayMultipliers multipliers{flags.multipliers == "doubled"  ? tools::Products::kDoubled
                                            : flags.multipliers == "packed" ? tools::Products::kPacked
                                                                            : tools::Products::kPlain,
                                            flags.lut_lanes};
  std::vector<tools::Board> boards = tools::KnownBoards();
  if (!flags.board.empty()) {
    XRUN_ASSIGN_OR_RETURN(tools::Board board, tools::FindBoard(flags.board));
    boards = {std::move(board)};
  }
  const bool text = tool.common().text();
  nlohmann::ordered_json document;
  document["arch"] = config.name;
  document["multipliers"] = flags.multipliers;
  document["lut_lanes"] = flags.lut_lanes;
  document["modelled"] = true;

  constexpr auto kRight = Table::Align::kRight;
  if (text) {
    std::printf("%s: %u × %u × %u, %s MAC a cycle at %u MHz\n", config.name.c_str(), config.pixels, config.channels,
                config.channels, tools::FormatCount(static_cast<int64_t>(config.macs_per_cycle())).c_str(),
                config.clock_mhz);
  }
  // The parts: as placed on the one board, or with everything in BRAM.
  tools::MemoryPlacement placement;
  if (!flags.board.empty()) placement = tools::FitBoard(config, multipliers, boards[0]).placement;
  const auto terms = tools::EstimateResources(config, multipliers, placement);
  Table parts(
      {{"part"}, {"LUT", kRight}, {"FF", kRight}, {"DSP", kRight}, {"BRAM36", kRight}, {"URAM", kRight}, {"why"}});
  document["parts"] = nlohmann::ordered_json::array();
  for (const tools::ResourceTerm& term : terms) {
    parts.AddRow(Row(term.name, Cells(term.cells), {term.why}));
    auto part = Json(term.cells);
    part["name"] = term.name;
    part["why"] = term.why;
    document["parts"].push_back(std::move(part));
  }
  const tools::Resources total = tools::TotalOf(terms);
  parts.AddRule();
  parts.AddRow(Row("one core", Cells(total), {""}));
  document["core"] = Json(total);
  if (text) std::printf("\n%s\n", parts.ToString().c_str());

  Table fits({{"board"},
              {"cores", kRight},
              {"LUT", kRight},
              {"FF", kRight},
              {"DSP", kRight},
              {"BRAM", kRight},
              {"URAM", kRight},
              {"in URAM"},
              {"short of"}});
  document["boards"] = nlohmann::ordered_json::array();
  for (const tools::Board& board : boards) {
    const tools::BoardFit fit = tools::FitBoard(config, multipliers, board);
    const uint64_t n = std::max(1U, fit.cores);
    const auto share = [n](uint64_t used, uint64_t there) {
      if (there == 0) return std::string("-");
      return tools::FormatPercent(static_cast<double>(n * used) / static_cast<double>(there), 0);
    };
    fits.AddRow({board.name, std::to_string(fit.cores), share(fit.core.lut, board.cells.lut),
                 share(fit.core.ff, board.cells.ff), share(fit.core.dsp, board.cells.dsp),
                 share(fit.core.bram18, board.cells.bram18), share(fit.core.uram, board.cells.uram),
                 UramText(fit.placement), (fit.cores == 0 ? "one core: " : "") + fit.limit});
    document["boards"].push_back({{"board", board.name},
                                  {"part", board.part},
                                  {"cores", fit.cores},
                                  {"core", Json(fit.core)},
                                  {"available", Json(board.cells)},
                                  {"in_uram", UramText(fit.placement)},
                                  {"short_of", fit.limit}});
  }
  document["error"] = kError;
  if (text) std::printf("%s\n%s\n", fits.ToString().c_str(), kError);
  return tool.WriteJson(document);
}

}  // namespace

int main(int argc, char** argv) {
  xrun::tools::Tool tool("xestimate", "Estimates what a configuration of the overlay costs and where it fits.");
  EstimateFlags flags;
  flags.AddTo(tool.app());
  return tool.Run(argc, argv, [&] { return Run(flags, tool); });
}
