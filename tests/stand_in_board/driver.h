#ifndef XRUN_TESTS_STAND_IN_BOARD_DRIVER_H_
#define XRUN_TESTS_STAND_IN_BOARD_DRIVER_H_

#include <ert.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

struct axlf;

namespace xrun::stand_in {

using Clock = std::chrono::steady_clock;

/// How the board fails: as XRT's own low-level libraries do.
[[noreturn]] inline void Fail(int code, const std::string& what) {
  throw std::system_error(code, std::system_category(), "stand-in board: " + what);
}

/// A command on its way through a unit. The shim keeps `packet` alive by `keep`.
struct Command {
  ert_start_kernel_cmd* packet = nullptr;
  std::shared_ptr<void> keep;
  std::function<void()> event;    ///< to be called once when the state has changed
  uint64_t epoch = 0;             ///< of the device handle
  Clock::time_point submitted{};  ///< set by Board::Submit
  uint64_t client = 0;            ///< the process that it is from; 0 is the board's own
};

/// What the shim asks for: the calls that a real board's kernel driver takes. `Board` answers them in the process
/// itself, `RemoteBoard` asks the board of a server, which several processes share. Failures are std::system_error, as
/// XRT's own.
class Driver {
 public:
  /// The server's that XRUN_STAND_IN_SOCKET names, or this process's own.
  static Driver& Get();
  virtual ~Driver() = default;

  virtual void Load(const axlf* image) = 0;
  virtual void CheckAlive(uint64_t epoch) = 0;
  virtual uint64_t epoch() = 0;
  virtual uint64_t generation() = 0;
  virtual void OpenContext(const unsigned char* uuid, unsigned unit, bool shared) = 0;
  virtual void CloseContext(unsigned unit, uint64_t epoch) = 0;
  virtual uint64_t Allocate(uint32_t bank, uint64_t bytes) = 0;
  /// `generation`: when it was allocated; with another xclbin come other banks.
  virtual void Release(uint64_t address, uint64_t bytes, uint64_t epoch, uint64_t generation) = 0;
  /// Copies between board and host.
  virtual void CopyTo(uint64_t address, const void* from, uint64_t bytes) = 0;
  virtual void CopyFrom(uint64_t address, void* to, uint64_t bytes) = 0;
  virtual void Submit(Command command) = 0;
  virtual uint32_t ReadRegister(unsigned unit, uint32_t offset) = 0;
  virtual void WriteRegister(unsigned unit, uint32_t offset, uint32_t value) = 0;
};

}  // namespace xrun::stand_in

#endif  // XRUN_TESTS_STAND_IN_BOARD_DRIVER_H_
