#include "runtime/xrt_board.h"

#include <fcntl.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <new>
#include <set>
#include <thread>

namespace xrun::runtime {
namespace {

constexpr uint64_t kPage = 4096;
constexpr const char* kKernel = "xrun_overlay";
constexpr uint32_t kAddressArguments = 4;  ///< program, weights, requests, status
constexpr std::chrono::nanoseconds kShortestIdentifyLimit = std::chrono::seconds(2);

uint64_t RoundUp(uint64_t bytes) { return std::max(kPage, (bytes + kPage - 1) / kPage * kPage); }

xrt::bo::flags BufferFlags(bool cacheable) {
#ifdef __aarch64__
  // On Zynq and Kria host and overlay share the DRAM; without this flag the host sees it uncached, many times slower.
  if (cacheable) return xrt::bo::flags::cacheable;
#endif
  static_cast<void>(cacheable);
  return xrt::bo::flags::normal;
}

/// All graves of the process: they may outlive the board that they keep open.
struct Graveyard {
  std::mutex mutex;
  std::vector<XrtGrave> graves;
  std::atomic<size_t> count{0};
};
Graveyard& AllGraves() {
  static auto* graveyard = new Graveyard;
  return *graveyard;
}

bool IsOver(const XrtGrave& grave) { return grave.slot->may_finish && grave.slot->IsOver(); }

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<XrtBoard>> boards;
};
Registry& AllBoards() {
  static auto* registry = new Registry;
  return *registry;
}

}  // namespace

Failure XrtBoard::Gone() const {
  return {"the device is gone: it was removed, reset, or lost its power",
          "when it is back (xquery --doctor), open it again"};
}

Failure XrtBoard::Caught(std::string_view place) {
  const std::string what(place);
  std::string text;
  int code = 0;
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {what + ": the device has no memory left",
            "fewer requests in flight or smaller programs need less; on Zynq and Kria a larger cma= on the kernel's "
            "command line gives more (xquery --doctor)"};
  } catch (const std::system_error& error) {
    text = error.what();
    if (error.code().category() == std::system_category() || error.code().category() == std::generic_category()) {
      code = std::abs(error.code().value());
    }
  } catch (const std::exception& error) {
    text = error.what();
  }
  if (text.find("XILINX_XRT not set") != std::string::npos) {
    return {what + ": XRT looks for its driver library in $XILINX_XRT/lib, and XILINX_XRT is not set",
            "source /opt/xilinx/xrt/setup.sh, or export XILINX_XRT=DIR with DIR/lib/libxrt_core.so.2"};
  }
  switch (code) {
    case ENODEV:
    case ENXIO:
      lost_ = true;
      return Gone();
    case ENOMEM:
      return {what + ": the device has no memory left (" + text + ")", "fewer requests in flight need less"};
    case EBUSY:
      return {what + ": in use by someone else (" + text + ")",
              options_.unit.empty() ? "end the other process (fuser -v /dev/dri/renderD* names it): it has a unit for "
                                      "itself, or another xclbin; a unit that is free may be had with unit=NAME"
                                    : "end the other process, or leave out unit=, which asks for a unit of one's own"};
    case EACCES:
    case EPERM:
      return {what + ": no permission (" + text + ")", "xquery --doctor prints the command that gives it"};
    default:
      return {what + ": " + text, ""};
  }
}

Result<std::shared_ptr<XrtBoard>> XrtBoard::Open(const std::string& name, const XrtOptions& options) {
  Reap();  // what is over by now may keep another xclbin loaded
  const std::string key = std::to_string(options.index) + ' ' + options.xclbin + ' ' + options.unit;
  const std::lock_guard lock(AllBoards().mutex);
  std::weak_ptr<XrtBoard>& known = AllBoards().boards[key];
  if (auto board = known.lock(); board != nullptr && !board->lost()) return board;
  std::shared_ptr<XrtBoard> board(new XrtBoard(options));
  if (auto status = board->Load(name); !status.ok()) return std::move(status).failure().In("device '" + name + "'");
  known = board;
  return board;
}

Status XrtBoard::Load(const std::string& name) {
  const std::string path = options_.xclbin;
  if (path.empty()) {
    return Failure{"no xclbin is given", "name the overlay's: " + name + ",xclbin=FILE, or XRUN_XCLBIN=FILE"};
  }
  if (std::error_code error; !std::filesystem::exists(path, error)) return Failure{path + ": no such file", ""};
  XRUN_ASSIGN_OR_RETURN(const xrt::xclbin image, Try(path, [&] { return xrt::xclbin(path); }));
  XRUN_RETURN_IF_ERROR(FindUnits(image));
  XRUN_ASSIGN_OR_RETURN(
      device_, Try("XRT device " + std::to_string(options_.index), [&] { return xrt::device(options_.index); }));
  const std::string kernel = options_.unit.empty() ? kKernel : std::string(kKernel) + ":{" + options_.unit + "}";
#ifdef XRUN_XRT_HAS_HW_CONTEXT
  XRUN_ASSIGN_OR_RETURN(uuid_, Try("loading " + path, [&] { return device_.register_xclbin(image); }));
  XRUN_RETURN_IF_ERROR(Try("kernel " + kernel, [&] {
    context_.emplace(
        device_, uuid_,
        options_.unit.empty() ? xrt::hw_context::access_mode::shared : xrt::hw_context::access_mode::exclusive);
    kernel_ = xrt::kernel(*context_, kernel);
  }));
#else
  XRUN_ASSIGN_OR_RETURN(uuid_, Try("loading " + path, [&] { return device_.load_xclbin(image); }));
  const auto access =
      options_.unit.empty() ? xrt::kernel::cu_access_mode::shared : xrt::kernel::cu_access_mode::exclusive;
  XRUN_ASSIGN_OR_RETURN(kernel_, Try("kernel " + kernel, [&] { return xrt::kernel(device_, uuid_, kernel, access); }));
#endif
  return Identify();
}

/// The units of the overlay, and a memory bank that all of them reach with every argument. (What XRT's group_id gives
/// is the highest bank that some unit reaches.)
Status XrtBoard::FindUnits(const xrt::xclbin& image) {
  std::set<int32_t> common;
  bool first = true;
  std::string others;
  for (const xrt::xclbin::kernel& kernel : image.get_kernels()) {
    if (kernel.get_name() != kKernel) {
      others += (others.empty() ? "" : ", ") + kernel.get_name();
      continue;
    }
    for (const xrt::xclbin::ip& unit : kernel.get_cus()) {
      const std::string full = unit.get_name();
      const std::string name = full.substr(full.find(':') + 1);
      if (!options_.unit.empty() && name != options_.unit) continue;
      unit_names_.push_back(name);
      for (uint32_t a = 0; a < kAddressArguments; ++a) {
        std::set<int32_t> banks;
        for (const xrt::xclbin::mem& bank : unit.get_arg(static_cast<int32_t>(a)).get_mems()) {
          if (bank.get_used()) banks.insert(bank.get_index());
        }
        std::set<int32_t> both;
        std::set_intersection(common.begin(), common.end(), banks.begin(), banks.end(),
                              std::inserter(both, both.begin()));
        common = first ? banks : both;
        first = false;
      }
    }
  }
  if (unit_names_.empty()) {
    if (!options_.unit.empty()) return Failure{options_.xclbin + ": has no unit '" + options_.unit + "'", ""};
    return Failure{options_.xclbin + ": has no kernel " + kKernel + (others.empty() ? "" : " but " + others),
                   "it must hold the overlay"};
  }
  if (common.empty()) {
    return Failure{options_.xclbin + ": no memory bank is reached by all units with all arguments",
                   "connect them to one bank, or use a single unit: unit=" + unit_names_.front()};
  }
  bank_ = static_cast<uint32_t>(*common.begin());
  for (const xrt::xclbin::mem& bank : image.get_mems()) {
    if (!bank.get_used()) continue;
    bank_texts_.push_back(bank.get_tag() + ": " + std::to_string(bank.get_size_kb() / 1024) + " MiB" +
                          (static_cast<uint32_t>(bank.get_index()) == bank_ ? ", in use" : ""));
  }
  return {};
}

/// The empty launch: no request, only the head of the status page is written.
Status XrtBoard::Identify() {
  XRUN_ASSIGN_OR_RETURN(auto slot, MakeSlot(1, launch::kStatusPageBytes));
  XRUN_RETURN_IF_ERROR(Try("the empty launch", [&] {
    slot->memory.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    slot->run.set_arg(0, slot->status);
    slot->run.set_arg(1, slot->status);
    slot->run.set_arg(4, uint32_t{0});
    slot->run.set_arg(5, uint64_t{0});
    slot->run.set_arg(6, uint32_t{0});
    slot->run.start();
  }));
  const auto begin = std::chrono::steady_clock::now();
  // Launches of other processes may stand before it.
  const auto limit = std::max(2 * options_.limit, kShortestIdentifyLimit);
  while (!slot->IsOver()) {
    if (std::chrono::steady_clock::now() - begin > limit) {
      Bury({shared_from_this(), std::move(slot), {}});
      const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
      return Failure{
          "the overlay does not answer the empty launch within " + std::to_string(milliseconds) + " ms",
          "usual causes: long launches of another process (fuser -v /dev/dri/renderD* names it; limit=SECONDS "
          "waits twice as long), power, heat, a clock too fast for the design, a unit that hangs since an "
          "earlier launch; xquery --doctor looks, xmutil unloadapp and loadapp (Kria) or xbutil reset (Alveo) "
          "start afresh"};
    }
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  if (const auto state = slot->run.state(); state != ERT_CMD_STATE_COMPLETED) {
    return Failure{"the empty launch ended in XRT's error state " + std::to_string(state), ""};
  }
  XRUN_RETURN_IF_ERROR(Try("reading the status page", [&] {
    slot->memory.sync(XCL_BO_SYNC_BO_FROM_DEVICE, launch::kStatusPageBytes, slot->status_at);
  }));
  XRUN_ASSIGN_OR_RETURN(identity_, launch::ReadStatusPage({slot->host + slot->status_at, launch::kStatusPageBytes}));
  return {};
}

Result<xrt::bo> XrtBoard::Allocate(uint64_t bytes, bool cacheable) {
  Reap();
  const uint64_t size = RoundUp(bytes);
  return Try("a buffer of " + std::to_string(size) + " bytes in memory bank " + std::to_string(bank_),
             [&] { return xrt::bo(device_, size, BufferFlags(cacheable), bank_); });
}

Result<xrt::bo> XrtBoard::Import(int descriptor, uint64_t bytes) {
  XRUN_ASSIGN_OR_RETURN(xrt::bo memory, Try("importing a dma-buf", [&] { return xrt::bo(device_, descriptor); }));
  if (memory.size() < bytes) {
    return Failure{
        "the dma-buf has " + std::to_string(memory.size()) + " bytes, " + std::to_string(bytes) + " were asked for",
        ""};
  }
  return memory;
}

Result<std::unique_ptr<XrtSlot>> XrtBoard::MakeSlot(uint32_t requests, uint32_t status_bytes) {
  auto slot = std::make_unique<XrtSlot>();
  slot->status_at = RoundUp(uint64_t{launch::kRequestBytes} * requests);
  const uint64_t status_size = RoundUp(status_bytes);
  XRUN_ASSIGN_OR_RETURN(slot->memory, Allocate(slot->status_at + status_size));
  XRUN_RETURN_IF_ERROR(Try("a launch", [&] {
    slot->host = slot->memory.map<uint8_t*>();
    std::memset(slot->host, 0, slot->status_at + status_size);
    slot->status = xrt::bo(slot->memory, status_size, slot->status_at);
    slot->run = xrt::run(kernel_);
    slot->run.set_arg(2, slot->memory);
    slot->run.set_arg(3, slot->status);
  }));
  return slot;
}

bool XrtBoard::Abort() {
  if (options_.unit.empty()) return false;
  return Try("abort", [&] { kernel_.write_register(launch::kRegFlags, launch::kFlagAbort); }).ok();
}

void XrtBoard::Bury(XrtGrave grave) {
  Reap();
  const std::lock_guard lock(AllGraves().mutex);
  AllGraves().graves.push_back(std::move(grave));
  ++AllGraves().count;
}

void XrtBoard::Reap() {
  if (AllGraves().count == 0) return;
  std::vector<XrtGrave> over;  // destroyed after the lock is released: with the last grave a board may close
  const std::lock_guard lock(AllGraves().mutex);
  auto& graves = AllGraves().graves;
  const auto rest = std::partition(graves.begin(), graves.end(), [](const XrtGrave& g) { return !IsOver(g); });
  std::move(rest, graves.end(), std::back_inserter(over));
  graves.erase(rest, graves.end());
  AllGraves().count = graves.size();
}

XrtReport XrtBoard::Report() const {
  XrtReport report;
  const auto ask = [&](auto& to, auto&& f) {
    try {
      to = f();
    } catch (const std::exception&) {
      // Not every board has every property; what is empty is not shown.
    }
  };
  ask(report.board, [&] { return device_.get_info<xrt::info::device::name>(); });
  ask(report.bus_address, [&] { return device_.get_info<xrt::info::device::bdf>(); });
  ask(report.max_clock_mhz, [&] { return device_.get_info<xrt::info::device::max_clock_frequency_mhz>(); });
  report.xclbin = options_.xclbin;
  report.uuid = uuid_.to_string();
  report.units = unit_names_;
  report.banks = bank_texts_;
  report.launches = launches;
  report.hangs = hangs;
  report.errors = errors;
  return report;
}

// Buffers ------------------------------------------------------------------------------------------------------------

XrtBuffer::XrtBuffer(std::shared_ptr<XrtBoard> board, xrt::bo memory, uint64_t bytes, bool shared)
    : board_(std::move(board)), memory_(std::move(memory)), address_(memory_.address()), shared_(shared) {
  host_ = {memory_.map<uint8_t*>(), bytes};
}

Status XrtBuffer::SyncToDevice(uint64_t offset, uint64_t bytes) {
  assert(offset + bytes <= host_.size());
  if (lost_) {
    return Failure{"this request's memory was left to a launch that hangs, and the device had no other to give",
                   "destroy the request and make a new one"};
  }
  return board_->Try("sync to the device", [&] { memory_.sync(XCL_BO_SYNC_BO_TO_DEVICE, bytes, offset); });
}

Status XrtBuffer::SyncFromDevice(uint64_t offset, uint64_t bytes) {
  assert(offset + bytes <= host_.size());
  return board_->Try("sync from the device", [&] { memory_.sync(XCL_BO_SYNC_BO_FROM_DEVICE, bytes, offset); });
}

Result<int> XrtBuffer::Export() const {
  return board_->Try("exporting a buffer", [&] {
    // XRT closes the descriptor that it gives; the caller gets one of its own.
    const int descriptor = ::fcntl(xrt::bo(memory_).export_buffer(), F_DUPFD_CLOEXEC, 0);
    if (descriptor < 0) throw std::system_error(errno, std::system_category(), "dup");
    return descriptor;
  });
}

Result<xrt::bo> XrtBuffer::Move() {
  if (shared_) return memory_;
  lost_ = true;
  XRUN_ASSIGN_OR_RETURN(xrt::bo fresh, board_->Allocate(host_.size()));
  uint8_t* host = nullptr;
  XRUN_RETURN_IF_ERROR(board_->Try("moving a buffer", [&] {
    host = fresh.map<uint8_t*>();
    std::memcpy(host, host_.data(), host_.size());
    fresh.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  }));
  host_ = {host, host_.size()};
  address_ = fresh.address();
  std::swap(memory_, fresh);
  lost_ = false;
  return fresh;
}

}  // namespace xrun::runtime
