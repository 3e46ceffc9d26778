#ifndef XRUN_OVERLAY_HW_CSIM_COUNTS_H_
#define XRUN_OVERLAY_HW_CSIM_COUNTS_H_

// What C-sim counts: iterations of the engines' loops and accesses of memory ports. An engine's stages (an array, a
// port's client, an output stage) run side by side in hardware: each counts its own iterations of a unit of work (a
// pixel group, a block of output columns, a row), and the unit takes as many cycles as its longest stage. Where the
// source is clocked (Conv), iterations are cycles as they are; elsewhere stages run one after the other here.

#include <cstddef>
#include <cstdint>
#include <deque>
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
  uint64_t group = 0;            ///< Vector: of the group under way

  // Clocked: an iteration of the engine's loop is a clock cycle in which every stage takes its step (Conv).
  bool clocked = false;
  int units = 0;                       ///< stages that a unit of work passes: the first so many
  std::deque<uint64_t> done[kStages];  ///< iterations of units that a stage has done and another one has not
  uint64_t overhang = 0;               ///< what the shorter of a unit's first stage and its others takes, at most

  void Iterate(int s) {
    ++stage[s];
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
  /// Stage `s` has done with a unit. A unit that all stages have done with took as long as the longest.
  void EndStage(int s) {
    done[s].push_back(stage[s]);
    stage[s] = 0;
    for (int i = 0; i < units; ++i) {
      if (done[i].empty()) return;
    }
    const uint64_t first = done[0].front();
    uint64_t later = 0;
    for (int i = 0; i < units; ++i) {
      if (i != 0 && done[i].front() > later) later = done[i].front();
      done[i].pop_front();
    }
    cycles += first > later ? first : later;
    if ((first < later ? first : later) > overhang) overhang = first < later ? first : later;
  }
  /// Vector: stage `s` has read a group's parameters beside the group before; then its own work begins.
  void BeginGroup(int s) {
    cycles += group > stage[s] ? group : stage[s];
    stage[s] = group = 0;
  }
  void EndBlock() { group += TakeLongest(); }
  void EndGroups() {
    cycles += group;
    group = 0;
  }
  /// The stages of a unit end: it took as long as the longest.
  void EndUnit() { cycles += TakeLongest(); }
  void Reset() {
    for (int s = 0; s < kStages; ++s) stage[s] = clock[s] = 0;
    for (std::deque<uint64_t>& d : done) d.clear();
    cycles = group = overhang = 0;
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
