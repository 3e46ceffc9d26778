#include "tools/driver/resources.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "isa/nearest.h"

namespace xrun::tools {
namespace {

/// A small circuit as Yosys maps it for UltraScale+: overlay_hw/resources/units.v, measured and checked by measure.py.
struct Unit {
  uint64_t lut, ff;
};
// unit accumulate_pair
constexpr Unit kAccumulatePair{139, 104};
// unit round_saturate
constexpr Unit kRoundSaturate{204, 59};
// unit reference
constexpr Unit kRoundLong{450, 146};
// unit bias_stage
constexpr Unit kBiasStage{94, 62};
// unit mux16
constexpr Unit kMux16{46, 8};
// unit mux8
constexpr Unit kMux8{24, 8};
// unit table256
constexpr Unit kTable{32, 8};
// unit vector_lane
constexpr Unit kVectorLane{94, 32};
// unit operand_pair
constexpr Unit kOperandPair{16, 18};
// unit reader
constexpr Unit kReader{911, 188};
// unit writer
constexpr Unit kWriter{869, 378};
// unit window_load
constexpr Unit kWindow{1716, 519};
// unit window_part
constexpr Unit kPartWindow{2290, 391};

/// int8 product on carry chains: four rows of ten LUTs add two partial products each, two three-input adders the rows.
/// (Yosys, which does not build it so, needs 182.)
constexpr uint64_t kLutProduct = 70;
/// Products a chain of DSPs can add in the 18 bits below the upper product: 7 · 2^14 < 2^17.
constexpr uint64_t kChain = 7;
/// An engine's decoder, loop counters, address generators; an estimate, not measured.
constexpr Unit kEngineControl{2500, 3500};
constexpr uint64_t kEngineCount = 4;
/// Readers of control and fetches, with the bursts that each may have under way; Load's has as many as the ports.
constexpr uint64_t kSmallReaders[] = {1, 2, 2, 2, 2};
constexpr uint64_t kWriters = 2, kWriterBursts = 2;
/// What the measured units stand for: bits of a beat, bursts a port.
constexpr uint64_t kUnitBits = 256, kUnitBursts = 2;
/// HLS makes products of pitches and counts when an instruction starts: a few an engine.
constexpr uint64_t kAddressDsp = 3;

constexpr uint64_t DivUp(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/// BRAM18 of a memory of `words` × `bits` with one write and one read port (simple dual port), or with two ports that
/// both do either (true dual port, half the width), in the cheapest of the shapes there are.
uint64_t Bram18(uint64_t words, uint64_t bits, bool true_dual) {
  struct Shape {
    uint64_t words, bits, halves;
    bool true_dual;
  };
  static constexpr Shape kShapes[] = {{512, 72, 2, false}, {512, 36, 1, false}, {1024, 36, 2, true},
                                      {1024, 18, 1, true}, {2048, 18, 2, true}, {2048, 9, 1, true},
                                      {4096, 9, 2, true},  {8192, 4, 2, true}};
  uint64_t best = ~uint64_t{0};
  for (const Shape& s : kShapes) {
    if (true_dual && !s.true_dual) continue;
    best = std::min(best, DivUp(words, s.words) * DivUp(bits, s.bits) * s.halves);
  }
  return best;
}
uint64_t Uram(uint64_t words, uint64_t bits) { return DivUp(words, 4096) * DivUp(bits, 72); }

/// LUTs of a small memory, one write and one read port: RAM64M8 holds 64 × 7 in 8, RAM32M16 32 × 14 in 8.
uint64_t LutRam(uint64_t words, uint64_t bits) {
  return words <= 32 ? DivUp(bits, 14) * 8 : DivUp(words, 64) * DivUp(bits, 7) * 8;
}

/// A memory in LUTs up to 64 words, else in BRAM.
Resources SmallMemory(uint64_t words, uint64_t bits) {
  if (words <= 64) return {LutRam(words, bits), 0, 0, 0, 0};
  return {0, 0, 0, Bram18(words, bits, false), 0};
}

Resources Times(uint64_t n, const Unit& unit) { return {n * unit.lut, n * unit.ff, 0, 0, 0}; }

ResourceTerm ArrayTerm(const HardwareConfig& c, const ArrayMultipliers& multipliers) {
  const uint64_t cp = c.channels, square = cp * cp;
  const uint64_t lut_lanes = std::min(multipliers.lut_lanes, c.pixels), pairs = DivUp(c.pixels - lut_lanes, 2);
  const uint64_t chains = DivUp(cp, kChain);
  const bool doubled = multipliers.products == Products::kDoubled;
  ResourceTerm term{"array", "", {}};
  if (multipliers.products == Products::kPlain) {
    // A cascade of DSPs adds by itself; one adder takes it to the accumulator.
    const uint64_t lanes = c.pixels - lut_lanes;
    term.cells = {cp * lanes * 32, cp * lanes * 32, square * lanes, 0, 0};
    term.why = "an int8 product a DSP";
  } else {
    term.cells.dsp = doubled ? DivUp(square * pairs, 2) : square * pairs;
    term.why = doubled ? "DSP at twice the clock: 4 products each" : "2 int8 products in a DSP";
    // Chains are split and added: the unit has three.
    const uint64_t accumulator = 64 + (kAccumulatePair.lut - 64) * chains / 3;
    term.cells += {cp * pairs * accumulator, cp * pairs * kAccumulatePair.ff, 0, 0, 0};
  }
  // Activations go from column to column through flip-flops, weights through the DSPs' own.
  term.cells.ff += 8 * c.pixels * square;
  // Operands enter a chain later the deeper they stand: one shift register a bit.
  term.cells.lut += 8 * (square + c.pixels * cp);
  if (lut_lanes != 0) {
    term.cells += {lut_lanes * square * kLutProduct, lut_lanes * square * 16, 0, 0, 0};
    term.cells +=
        {lut_lanes * cp * (9 * cp + 32), lut_lanes * cp * (10 * cp + 32), 0, 0, 0};  // adder tree, accumulator
    term.why += ", " + std::to_string(lut_lanes) + " lanes in LUTs";
  }
  if (doubled) term.cells += {term.cells.dsp * 12, term.cells.dsp * 84, 0, 0, 0};  // in and out of it
  term.cells += {c.pixels * (9 * cp + 32), c.pixels * (10 * cp + 32), 0, 0, 0};    // sum of x
  return term;
}

const Unit& Rounding(const ArrayMultipliers& m) { return m.products == Products::kPlain ? kRoundLong : kRoundSaturate; }

ResourceTerm OutputTerm(const HardwareConfig& c, const ArrayMultipliers& multipliers) {
  ResourceTerm term{
      "Conv output stage",
      std::to_string(c.requant_lanes) + " lanes: acc·m 2 DSP, zw·Σx 2, residual 2; two roundings, two tables",
      {}};
  term.cells.dsp = 6 * c.requant_lanes;
  term.cells += Times(c.requant_lanes, kBiasStage);
  term.cells += Times(2 * c.requant_lanes, Rounding(multipliers));
  term.cells += Times(c.requant_lanes, kOperandPair);
  term.cells += Times(2 * c.requant_lanes, kTable);
  // Finished accumulators wait here while the array goes on; one group of channel records.
  term.cells.ff += 32ULL * c.pixels * c.channels;
  term.cells += SmallMemory(2, 128ULL * c.channels);
  return term;
}

ResourceTerm VectorTerm(const HardwareConfig& c, const ArrayMultipliers& multipliers) {
  const bool plain = multipliers.products == Products::kPlain;
  const uint64_t macs = uint64_t{c.vector_pixels} * c.channels, stage = uint64_t{c.line_words()} * c.channels;
  ResourceTerm term{"Vector engine",
                    std::to_string(macs) + (plain ? " products, " : " products (2 in a DSP), ") +
                        std::to_string(stage) + " lanes of a line: 3 DSP, rounding, table",
                    {}};
  term.cells.dsp = (plain ? c.vector_pixels : DivUp(c.vector_pixels, 2)) * c.channels + 3 * stage;
  term.cells += Times(macs, kVectorLane);
  term.cells += Times(stage, Rounding(multipliers));
  term.cells += Times(stage, kBiasStage);
  term.cells += Times(stage, kOperandPair);
  term.cells += Times(stage, kTable);
  // Window registers: three slots hold the words a block needs of a kernel row; each lane takes one of 16.
  term.cells += {macs * kMux16.lut, 3 * 8 * 2 * macs, 0, 0, 0};
  return term;
}

ResourceTerm PortTerm(const HardwareConfig& c) {
  const uint64_t word = 8ULL * c.channels, line = word * c.line_words(),
                 address = std::bit_width(c.activation_rows - 1);
  ResourceTerm term{"bank ports", "each lane reads any bank; port B: 8 slots by 8 groups, 16 lines a client", {}};
  // Port A: a NB:1 selection a bit and lane, a PP:1 selection of the address a bank.
  const double steps = c.banks() / 16.0;
  term.cells += {static_cast<uint64_t>(std::ceil(steps * static_cast<double>(c.pixels * word / 8 * kMux16.lut))),
                 c.pixels * word, 0, 0, 0};
  term.cells += {c.banks() * address * DivUp(c.pixels, 4), c.banks() * address, 0, 0, 0};
  // Port B: addresses of 8 slots to 8 groups, write data of 3 slots, read data of 8 groups to 5 slots.
  const uint64_t slots = HardwareConfig::kSlots;
  term.cells += {slots * address * 3, slots * address, 0, 0, 0};
  term.cells += {slots * line, slots * line, 0, 0, 0};
  term.cells += {5 * line / 8 * kMux8.lut, 5 * line, 0, 0, 0};
  term.cells += {slots * LutRam(16, line + address), 0, 0, 0, 0};
  return term;
}

/// A reader (or writer) with FIFOs of `bits` a beat and port; the unit's, made as wide and as deep.
Resources Router(const HardwareConfig& c, const Unit& unit, uint64_t bursts, uint64_t extra_bits) {
  const uint64_t beat = 8ULL * c.dram_port_bytes * c.dram_ports;
  const auto fifos = [&](uint64_t width, uint64_t ports, uint64_t words) {
    return ports * SmallMemory(words, width + extra_bits).lut;
  };
  const uint64_t unit_beats = kUnitBursts * 256 / (kUnitBits / 8);
  const uint64_t logic = unit.lut - fifos(kUnitBits, 2, unit_beats);
  const uint64_t words = bursts * c.dram_burst_bytes / (beat / 8);
  Resources cells{logic * (kUnitBits + beat) / (2 * kUnitBits) + fifos(beat, c.dram_ports, words), unit.ff, 0, 0, 0};
  if (words > 64) cells.bram18 = c.dram_ports * SmallMemory(words, beat + extra_bits).bram18;
  return cells;
}

ResourceTerm DramTerm(const HardwareConfig& c) {
  ResourceTerm term{"DRAM readers and writers",
                    "6 and 2, runs cut at bursts, a data FIFO a port; without the interconnect behind",
                    {}};
  for (uint64_t bursts : kSmallReaders) term.cells += Router(c, kReader, bursts, 2);
  term.cells += Router(c, kReader, c.dram_outstanding, 2);
  const uint64_t enables = uint64_t{c.dram_port_bytes} * c.dram_ports;
  for (uint64_t i = 0; i < kWriters; ++i) term.cells += Router(c, kWriter, kWriterBursts, enables);
  return term;
}

/// Bytes turned to their places between beats and words: logic grows with a beat's and a word's bytes.
ResourceTerm WindowTerm(const HardwareConfig& c) {
  ResourceTerm term{
      "byte windows", "Load's words, LoadPacked's two parts with their beats, Save: rows begin at any byte", {}};
  const uint64_t beat = uint64_t{c.dram_port_bytes} * c.dram_ports, words = std::max<uint64_t>(c.channels, beat);
  constexpr uint64_t kMeasured = 32 + 32, kMeasuredPart = 16 + 32;
  term.cells = {2 * kWindow.lut * (words + beat) / kMeasured, 2 * kWindow.ff * (words + beat) / kMeasured, 0, 0, 0};
  term.cells += {2 * kPartWindow.lut * (c.channels + beat) / kMeasuredPart,
                 2 * kPartWindow.ff * (c.channels + beat) / kMeasuredPart, 0, 0, 0};
  for (int part = 0; part < 2; ++part) term.cells += SmallMemory(32, 8 * beat);
  return term;
}

ResourceTerm MemoryTerm(const char* name, uint64_t copies, uint64_t words, uint64_t bits, bool true_dual, bool uram) {
  ResourceTerm term{name,
                    std::to_string(copies == 1 ? words : copies * words) + " × " + std::to_string(bits) + " bits" +
                        (copies == 1 ? "" : " in " + std::to_string(copies) + " banks") +
                        (true_dual ? ", two ports that read and write" : ", one port in, one out"),
                    {}};
  if (uram) {
    term.cells.uram = copies * Uram(words, bits);
  } else {
    term.cells.bram18 = copies * Bram18(words, bits, true_dual);
  }
  return term;
}

/// The least part of `have` that is left when `need` is taken, as the share used of what may be used; >1: too much.
struct Use {
  double share = 0;
  const char* what = "";
};
Use LargestUse(const Resources& need, uint64_t cores, const Board& board, const FillLimits& limits) {
  const auto n = static_cast<double>(cores);
  Use worst;
  const auto take = [&](uint64_t used, uint64_t there, double limit, const char* what) {
    const double have = static_cast<double>(there) * limit;
    const double share = used == 0 ? 0 : have == 0 ? 1e9 : n * static_cast<double>(used) / have;
    if (share > worst.share) worst = {share, what};
  };
  take(need.lut, board.cells.lut, limits.lut, "LUT");
  take(need.ff, board.cells.ff, limits.ff, "FF");
  take(need.dsp, board.cells.dsp, limits.dsp, "DSP");
  take(need.bram18, board.cells.bram18, limits.bram, "BRAM");
  take(need.uram, board.cells.uram, limits.uram, "URAM");
  return worst;
}

}  // namespace

Resources& Resources::operator+=(const Resources& o) {
  lut += o.lut;
  ff += o.ff;
  dsp += o.dsp;
  bram18 += o.bram18;
  uram += o.uram;
  return *this;
}

std::vector<ResourceTerm> EstimateResources(const HardwareConfig& c, const ArrayMultipliers& multipliers,
                                            const MemoryPlacement& placement) {
  const uint64_t cp = c.channels;
  std::vector<ResourceTerm> terms = {ArrayTerm(c, multipliers), OutputTerm(c, multipliers), VectorTerm(c, multipliers),
                                     PortTerm(c)};
  terms.push_back(
      MemoryTerm("activation banks", c.banks(), c.activation_rows, 8 * cp, true, placement.activations_uram));
  terms.push_back(MemoryTerm("weight ring", 1, c.weight_rows, 8 * cp * cp, false, placement.ring_uram));
  terms.push_back(MemoryTerm("vector parameters", 1, c.vector_rows, 8 * cp, false, placement.vector_uram));
  const uint64_t partial_bits = 32 * c.pixels * (cp + 1);
  terms.push_back(
      {"partial buffers",
       placement.partial_bram ? "int32, Conv in BRAM, Vector" : "int32, Conv and Vector; in LUTs up to 64 entries",
       placement.partial_bram ? Resources{0, 0, 0, Bram18(c.partial_entries, partial_bits, false), 0}
                              : SmallMemory(c.partial_entries, partial_bits)});
  terms.back().cells += SmallMemory(c.vector_partial_entries, 32 * cp);
  ResourceTerm control{"engines' control", "decoders of 512 bits, loop counters, address generators; estimated", {}};
  control.cells = Times(kEngineCount, kEngineControl);
  control.cells.dsp = kEngineCount * kAddressDsp;
  terms.push_back(std::move(control));
  terms.push_back(DramTerm(c));
  terms.push_back(WindowTerm(c));
  return terms;
}

Resources TotalOf(const std::vector<ResourceTerm>& terms) {
  Resources total;
  for (const ResourceTerm& term : terms) total += term.cells;
  return total;
}

const std::vector<Board>& KnownBoards() {
  static const std::vector<Board> boards = {
      {"KV260", "xck26", {117120, 234240, 1248, 288, 64}},
      {"ZCU102", "xczu9eg", {274080, 548160, 2520, 1824, 0}},
      {"ZCU104", "xczu7ev", {230400, 460800, 1728, 624, 96}},
      // What its shell leaves of 872k LUT, 1743k FF, 5952 DSP, 1344 BRAM36, 640 URAM; a core may not cross the two
      // dies.
      {"U50", "xcu50, what the shell leaves", {730000, 1460000, 5340, 2256, 608}},
  };
  return boards;
}

Result<Board> FindBoard(std::string_view name) {
  std::vector<std::string> known;
  std::string list;
  for (const Board& board : KnownBoards()) {
    if (board.name == name) return board;
    known.push_back(board.name);
    list += (list.empty() ? "" : ", ") + board.name;
  }
  return Failure{"unknown board '" + std::string(name) + "'; did you mean '" + Nearest(name, known) + "'?",
                 "known are " + list};
}

BoardFit FitBoard(const HardwareConfig& config, const ArrayMultipliers& multipliers, const Board& board,
                  const FillLimits& limits) {
  BoardFit fit;
  for (uint64_t cores = 1;; ++cores) {
    Use best{1e18, ""};
    MemoryPlacement placement;
    Resources core;
    for (unsigned bits = 0; bits < 16; ++bits) {
      const MemoryPlacement p{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
      const Resources total = TotalOf(EstimateResources(config, multipliers, p));
      const Use use = LargestUse(total, cores, board, limits);
      if (use.share < best.share) {
        best = use;
        placement = p;
        core = total;
      }
    }
    if (best.share > 1) {
      fit.limit = best.what;
      if (cores > 1) return fit;
    } else {
      fit.cores = static_cast<uint32_t>(cores);
    }
    fit.placement = placement;
    fit.core = core;
    if (best.share > 1) return fit;
  }
}

}  // namespace xrun::tools
