#ifndef XRUN_TESTS_STAND_IN_BOARD_BOARD_H_
#define XRUN_TESTS_STAND_IN_BOARD_BOARD_H_

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "isa/hardware_config.h"
#include "isa/launch_image.h"
#include "simulator/simulator.h"
#include "tests/stand_in_board/driver.h"

// The stand-in board: memory banks of its own, and compute units that run the instruction-level simulator on them when
// a command's registers arrive. shim.cpp shows it to XRT, board_server.cpp to other processes. Nothing here knows
// libxrun.

namespace xrun::stand_in {

/// What can go wrong with the next launch, allocation or access.
enum class Fault : uint8_t {
  kHang,              ///< the unit stops half way and heeds nothing any more, until Repair()
  kStall,             ///< it stops half way; its own cycle limit or an abort ends the launch
  kErrorState,        ///< the command ends with ERT_CMD_STATE_ERROR, having done nothing
  kLostCompletion,    ///< the launch is done, but neither state nor event of the command say so, until Repair()
  kCorruptOutput,     ///< one bit of one output is wrong
  kRefuseAllocation,  ///< the next buffer is refused
  kRemoval,           ///< the device is gone when the launch is half done; handles opened before stay dead
  kBusyUnit,          ///< another user holds the unit for `busy_time` first
};
constexpr int kFaults = 8;
const char* Name(Fault fault);
/// What a unit that hung writes over its outputs when it is repaired.
constexpr uint8_t kLateWrite = 0x5A;

struct BoardOptions {
  /// A launch takes at least this long for each of its requests.
  std::chrono::nanoseconds latency{0};
  /// Bytes a second of the DRAM that all units share; 0: as fast as may be.
  uint64_t dram_bytes_per_second = 0;
  std::chrono::nanoseconds busy_time = std::chrono::milliseconds(20);
  /// A busy machine, on purpose: the unit's thread gets so much too late to what it does for a launch. It takes no time
  /// on the board.
  std::chrono::nanoseconds lateness{0};

  /// "latency_us=200,dram_mbytes=500", what the environment variable XRUN_STAND_IN holds.
  static BoardOptions Parse(const std::string& text);
};

/// Everything that is to be given back: equal before and after, nothing has leaked. What was opened before a removal no
/// longer counts: the driver took it back.
struct BoardCounts {
  size_t buffers = 0;   ///< with memory on the board
  uint64_t bytes = 0;   ///< of the board
  size_t contexts = 0;  ///< on units
  size_t commands = 0;  ///< queued or running
  bool operator==(const BoardCounts&) const = default;
};

class Board final : public Driver {
 public:
  /// The one of this process; never destroyed, because XRT's own static objects may outlive ours.
  static Board& Get();

  void SetOptions(const BoardOptions& options);

  /// `fault` happens to the next launch of requests (or allocation) after `skip` others.
  void Inject(Fault fault, uint32_t skip = 0);
  /// Faults injected that have not happened yet are dropped; hung units are reset: their commands end with
  /// ERT_CMD_STATE_TIMEOUT; a removed device is plugged in again.
  void Repair();
  /// How many faults of those injected have happened.
  uint32_t faults_happened() const { return faults_happened_; }

  BoardCounts counts();
  /// Launches of requests finished, by unit.
  std::vector<uint64_t> launches();

  void Load(const axlf* image) override;
  void CheckAlive(uint64_t epoch) override;
  uint64_t epoch() override { return epoch_; }
  uint64_t generation() override { return generation_; }
  void OpenContext(const unsigned char* uuid, unsigned unit, bool shared) override;
  void CloseContext(unsigned unit, uint64_t epoch) override;
  uint64_t Allocate(uint32_t bank, uint64_t bytes) override;
  void Release(uint64_t address, uint64_t bytes, uint64_t epoch, uint64_t generation) override;
  void CopyTo(uint64_t address, const void* from, uint64_t bytes) override;
  void CopyFrom(uint64_t address, void* to, uint64_t bytes) override;  ///< see AwaitLateUnits
  void Submit(Command command) override;
  uint32_t ReadRegister(unsigned unit, uint32_t offset) override;
  void WriteRegister(unsigned unit, uint32_t offset, uint32_t value) override;

  /// A process is gone: drops its commands that no unit has begun, and returns when none is running any more, so that
  /// their memory can be given to others. How many were dropped or waited for.
  size_t Abandon(uint64_t client);
  /// Calls `f` while a unit is at work for `client`, which does not end before `f` returns. False: none is at the
  /// moment.
  bool WhileAtWork(uint64_t client, const std::function<void()>& f);

 private:
  struct Bank {
    uint64_t base = 0, bytes = 0;
    std::map<uint64_t, uint64_t> free;  ///< address, bytes
  };
  /// A decoded image, kept while the bytes it was made from stay the same.
  struct Prepared {
    std::vector<uint8_t> image;
    uint32_t status_bytes = 0;
    Program program;
    std::shared_ptr<const simulator::PreparedStep> step;
  };
  struct Unit {
    explicit Unit(const HardwareConfig& config) : machine(config) {}
    simulator::Machine machine;
    std::array<uint8_t, launch::kStatusPageBytes> page{};    ///< copied to board memory when it changes
    std::map<uint64_t, std::unique_ptr<Prepared>> prepared;  ///< by address of the image
    std::mutex mutex;
    std::condition_variable wake, caught_up;
    std::deque<Command> queue;
    bool busy = false, stop = false, reset = false;
    uint64_t client = 0;           ///< whose launch is under way
    Clock::time_point free_at{};   ///< when the launch before it ended, in the board's time
    uint64_t status_at = 0;        ///< of the launch under way
    Clock::time_point limit_at{};  ///< when its cycle limit has ended it; max: nothing does
    std::atomic<bool> abort{false};
    std::array<uint32_t, 64> registers{};
    uint64_t launches = 0;
    uint32_t contexts = 0;
    bool exclusive = false;
    std::thread thread;
  };

  Board();
  /// Board memory; throws where there is none.
  std::span<uint8_t> Memory(uint64_t address, uint64_t bytes);
  void StopUnits();
  void UnitLoop(Unit& unit);
  ert_cmd_state Execute(Unit& unit, const Command& command);
  Prepared& PreparedAt(Unit& unit, uint64_t image, uint64_t weights);
  std::optional<Fault> TakeFault(bool launch);
  /// Sleeps until Repair() or, if the unit `heeds` them, the launch's limit or an abort. True: Repair().
  bool WaitForRepair(Unit& unit, bool heeds);
  /// On a board a launch is over when its cycle limit is, whatever the host is busy with. Here a unit is a thread of
  /// the host and may get there later: who reads its status page waits until it has, so no host ever sees a launch run
  /// on beyond its limit, however slow the machine. Units that hang are not waited for.
  void AwaitLateUnits(uint64_t address, uint64_t bytes);
  void BeLate();
  /// Sleeps until the unit has spent the time that options say.
  void Occupy(Unit& unit, Clock::time_point begin, uint64_t requests, uint64_t dram_bytes);

  mutable std::mutex mutex_;
  /// Taken by a unit before it tells that a launch is over, and by who copies from board memory: a driver's barriers.
  std::mutex order_;
  BoardOptions options_;
  std::optional<HardwareConfig> config_;
  std::array<unsigned char, 16> uuid_{};
  std::vector<std::shared_ptr<Unit>> units_;
  std::vector<Bank> banks_;
  uint8_t* memory_ = nullptr;
  uint64_t memory_bytes_ = 0;
  BoardCounts counts_;
  std::deque<std::pair<Fault, uint32_t>> faults_;
  std::atomic<uint32_t> faults_happened_{0};
  std::atomic<uint64_t> epoch_{0};
  std::atomic<uint64_t> generation_{0};
  std::atomic<bool> removed_{false};
  Clock::time_point dram_free_{};
};

}  // namespace xrun::stand_in

#endif  // XRUN_TESTS_STAND_IN_BOARD_BOARD_H_
