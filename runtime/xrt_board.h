#ifndef XRUN_RUNTIME_XRT_BOARD_H_
#define XRUN_RUNTIME_XRT_BOARD_H_

// The insides of the XRT device: what its buffers, programs and lanes share. Only the sources xrt_*.cpp include this,
// and only here are XRT's headers included.

// Headers have moved and features have come since 2.13; all of it is found by feature test, never by version number.
#if __has_include(<xrt/experimental/xrt_xclbin.h>)
#include <xrt/experimental/xrt_system.h>
#include <xrt/experimental/xrt_xclbin.h>
#else
#include <experimental/xrt_system.h>
#include <experimental/xrt_xclbin.h>
#endif
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>
#if __has_include(<xrt/xrt_hw_context.h>)
#include <xrt/xrt_hw_context.h>
#define XRUN_XRT_HAS_HW_CONTEXT 1
#endif

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "isa/launch_image.h"
#include "runtime/xrt_device.h"

namespace xrun::runtime {

/// What one launch needs on the device: the run, and one buffer that holds the request table and, behind it, the status
/// page, so that one sync brings both there.
struct XrtSlot {
  /// Whether XRT has ended the run. Its packet is looked at, which needs no call into the driver.
  bool IsOver() const { return run.state() >= ERT_CMD_STATE_COMPLETED; }

  xrt::bo memory, status;  ///< `status` is a part of `memory`
  uint8_t* host = nullptr;
  uint64_t status_at = 0;  ///< offset of the status page
  xrt::run run;
  uint32_t step = ~0U;     ///< whose image the run's argument is
  bool may_finish = true;  ///< false: start() failed half way, nobody will ever end the run
};

/// A launch that never ended, and all memory that it may still write. Kept until XRT says that it is over; for ever, if
/// it never does: neither XRT nor the board can be told to forget it.
struct XrtGrave {
  std::shared_ptr<const void>
      program;  ///< goes last: with it the device may be closed, and buffers must be free by then
  std::unique_ptr<XrtSlot> slot;
  std::vector<xrt::bo> buffers;
};

/// An opened device with the overlay loaded. Devices opened with the same options share one: XRT's device objects of
/// one process get into each other's way.
class XrtBoard : public std::enable_shared_from_this<XrtBoard> {
 public:
  static Result<std::shared_ptr<XrtBoard>> Open(const std::string& name, const XrtOptions& options);

  unsigned index() const { return options_.index; }
  const launch::StatusPage& identity() const { return identity_; }
  uint32_t units() const { return static_cast<uint32_t>(unit_names_.size()); }
  XrtReport Report() const;

  /// A buffer that every unit reaches, of at least one page. `cacheable` matters where host and overlay share the DRAM:
  /// the host sees it through its caches, and syncs do the work.
  Result<xrt::bo> Allocate(uint64_t bytes, bool cacheable = true);
  /// Another driver's dma-buf; at least `bytes` long.
  Result<xrt::bo> Import(int descriptor, uint64_t bytes);
  /// A run of the overlay with its table and status page; arguments 2 and 3 are set.
  Result<std::unique_ptr<XrtSlot>> MakeSlot(uint32_t requests, uint32_t status_bytes);
  /// False: launches cannot be aborted, the units are shared.
  bool Abort();
  /// Keeps what a launch that does not end may still use.
  static void Bury(XrtGrave grave);
  /// Gives back what was kept for launches that are over by now.
  static void Reap();

  bool lost() const { return lost_; }

  /// Calls `f`; what XRT throws becomes a failure that begins with `what`. A device that is gone is remembered.
  template <typename F>
  auto Try(std::string_view what, F&& f) -> Result<decltype(f())> {
    if (lost_) return Gone();
    try {
      if constexpr (std::is_void_v<decltype(f())>) {
        f();
        return Result<void>();
      } else {
        return f();
      }
    } catch (...) {
      return Caught(what);
    }
  }

  std::atomic<uint64_t> launches{0}, hangs{0}, errors{0};

 private:
  explicit XrtBoard(XrtOptions options) : options_(std::move(options)) {}
  Status Load(const std::string& name);
  Status FindUnits(const xrt::xclbin& image);
  Status Identify();
  Failure Gone() const;
  /// The exception under way as a failure.
  Failure Caught(std::string_view what);

  const XrtOptions options_;  ///< limit and verify are each device's own
  xrt::device device_;
  xrt::uuid uuid_;
#ifdef XRUN_XRT_HAS_HW_CONTEXT
  std::optional<xrt::hw_context> context_;
#endif
  xrt::kernel kernel_;
  std::vector<std::string> unit_names_, bank_texts_;
  uint32_t bank_ = 0;
  launch::StatusPage identity_;
  std::atomic<bool> lost_{false};
};

class XrtBuffer final : public DeviceBuffer {
 public:
  /// `shared`: someone beside the runtime holds the host's address, so it stays.
  XrtBuffer(std::shared_ptr<XrtBoard> board, xrt::bo memory, uint64_t bytes, bool shared = false);
  Status SyncToDevice(uint64_t offset, uint64_t bytes) override;
  Status SyncFromDevice(uint64_t offset, uint64_t bytes) override;
  Result<int> Export() const override;
  uint64_t address() const { return address_; }
  /// Moves to other memory on the device, with the host's bytes, and returns the memory it had: a launch that was given
  /// up may still write there. A shared one stays where it is and returns another handle of it. When it cannot move, it
  /// cannot be used any more.
  Result<xrt::bo> Move();

 private:
  const std::shared_ptr<XrtBoard> board_;
  xrt::bo memory_;
  uint64_t address_ = 0;
  const bool shared_;
  bool lost_ = false;
};

/// A program on the device; shared by its lanes.
struct XrtProgramMemory {
  std::shared_ptr<XrtBoard> board;
  XrtOptions options;
  std::shared_ptr<const Program> program;
  xrt::bo weights;
  std::vector<xrt::bo> images;                       ///< as Program::overlay_steps
  uint32_t status_bytes = launch::kStatusPageBytes;  ///< with time marks, the most of any step
};

std::unique_ptr<Lane> MakeXrtLane(std::shared_ptr<const XrtProgramMemory> program, uint32_t max_requests,
                                  std::unique_ptr<XrtSlot> slot);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_XRT_BOARD_H_
