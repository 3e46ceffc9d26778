#ifndef XRUN_OVERLAY_HW_CSIM_COUNTS_H_
#define XRUN_OVERLAY_HW_CSIM_COUNTS_H_

// What C-sim counts: iterations of the engines' loops and accesses of memory ports. An engine's stages (an array, a
// port's client, an output stage) run side by side in hardware: each counts its own iterations of a unit of work (a
// pixel group, a block of output columns, a row), and the unit takes as many cycles as its longest stage. Where the
// source is clocked (Conv, windows), iterations are cycles as they are; elsewhere stages run one after the other here.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <numeric>
#include <vector>

namespace xrun {
namespace hw {
namespace csim {

/// Most stages of an engine; what they are is said where they count.
constexpr int kStages = 7;

struct LoopCounts {
  uint64_t cycles = 0;  ///< iterations as above, without the fixed fill and drain
  uint64_t stage[kStages] = {};
  uint64_t clock[kStages] = {};  ///< of the instruction: stands still while the stage has nothing to do
  uint64_t iteration = 0;        ///< counts up with every iteration; ports compare it

  // Clocked: an iteration of the engine's loop is a clock cycle in which every stage takes its step (Conv).
  bool clocked = false;
  int units = 0;                       ///< stages that a unit of work passes: the first so many
  std::deque<uint64_t> done[kStages];  ///< iterations of units that a stage has done and another one has not
  uint64_t overhang = 0;               ///< what a unit's stages take beside its longest, at most

  // Vector: units are blocks, and stages of different blocks are under way; the parameters' (6) are by group.
  bool by_block = false;
  uint64_t unit[kStages] = {};  ///< of each stage: block or group under way
  std::vector<std::array<uint64_t, kStages>> blocks;
  std::vector<uint64_t> rows;  ///< of each group's parameters

  void Iterate(int s) {
    if (!by_block) {
      ++stage[s];
    } else if (s == kStages - 1) {
      if (unit[s] >= rows.size()) rows.resize(unit[s] + 1);
      ++rows[unit[s]];
    } else {
      if (unit[s] >= blocks.size()) blocks.resize(unit[s] + 1);
      ++blocks[unit[s]][static_cast<size_t>(s)];
    }
    ++clock[s];
    if (!clocked) ++iteration;
  }
  uint64_t Longest() const {
    uint64_t most = 0;
    for (uint64_t s : stage) most = s > most ? s : most;
    return most;
  }
  uint64_t TakeLongest() {
    const uint64_t most = Longest();
    for (uint64_t& s : stage) s = 0;
    return most;
  }
  /// An iteration of stage `s` beside which nothing else runs.
  void Cycle(int s) {
    ++cycles;
    ++clock[s];
    if (!clocked) ++iteration;
  }
  /// From here on iterations are clock cycles, until EndClock; units pass stages 0 … `stages` - 1.
  void BeginClock(int stages) {
    clocked = true;
    units = stages;
  }
  void EndClock() { clocked = false; }
  /// A unit whose longest stage takes `most` cycles, all of them `sum`.
  void EndUnit(uint64_t most, uint64_t sum) {
    cycles += most;
    if (sum - most > overhang) overhang = sum - most;
  }
  /// Stage `s` has done with a unit. A unit that all stages have done with took as long as the longest.
  void EndStage(int s) {
    done[s].push_back(stage[s]);
    stage[s] = 0;
    for (int i = 0; i < units; ++i) {
      if (done[i].empty()) return;
    }
    uint64_t most = 0, sum = 0;
    for (int i = 0; i < units; ++i) {
      most = done[i].front() > most ? done[i].front() : most;
      sum += done[i].front();
      done[i].pop_front();
    }
    EndUnit(most, sum);
  }
  /// Vector: from here on iterations are clock cycles, until EndBlocks.
  void BeginBlocks() {
    clocked = by_block = true;
    blocks.clear();
    rows.clear();
  }
  void Unit(int s, uint64_t number) { unit[s] = number; }
  /// Each group has `per_group` blocks; a group's parameters are read beside the group before.
  void EndBlocks(uint64_t per_group) {
    clocked = by_block = false;
    uint64_t running = 0;
    for (size_t g = 0; g < rows.size() || g * per_group < blocks.size(); ++g) {
      const uint64_t of_rows = g < rows.size() ? rows[g] : 0;
      cycles += running > of_rows ? running : of_rows;
      running = 0;
      for (size_t b = g * per_group; b < (g + 1) * per_group && b < blocks.size(); ++b) {
        const uint64_t before = cycles;
        EndUnit(*std::max_element(blocks[b].begin(), blocks[b].end()),
                std::accumulate(blocks[b].begin(), blocks[b].end(), uint64_t{0}));
        running += cycles - before;
        cycles = before;
      }
    }
    cycles += running;
  }
  /// The stages of a unit end: it took as long as the longest.
  void EndUnit() { cycles += TakeLongest(); }
  void Reset() {
    for (int s = 0; s < kStages; ++s) stage[s] = clock[s] = 0;
    for (std::deque<uint64_t>& d : done) d.clear();
    cycles = overhang = 0;
  }
};

/// Of the engine this thread runs.
inline LoopCounts& Counts() {
  static thread_local LoopCounts counts;
  return counts;
}

/// One word, row or entry that moved through a port, and when: on the clock of the stage that uses the port.
struct PortAccess {
  uint64_t cycle, address;
};

/// Accesses of one memory port by its banks: one a bank and iteration is what a port can do.
class PortCount {
 public:
  explicit PortCount(size_t banks) : last_(banks, ~uint64_t{0}) {}
  void Access(size_t bank, uint64_t row) {
    ++accesses;
    uint64_t& last = last_[bank];
    if (last == Counts().iteration) ++violations;
    last = Counts().iteration;
    if (log != nullptr) log->push_back({Counts().clock[stage], row * last_.size() + bank});
  }
  uint64_t accesses = 0;
  uint64_t violations = 0;  ///< iterations in which a bank was accessed once more than it can be
  int stage = 0;            ///< whose port it is
  std::vector<PortAccess>* log = nullptr;

 private:
  std::vector<uint64_t> last_;
};

#ifdef XRUN_HW_MUTATIONS
/// Test builds only: the change to an engine that is switched on; 0: none.
inline int& Mutation() {
  static int mutation = 0;
  return mutation;
}
#endif

}  // namespace csim
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CSIM_COUNTS_H_
