#ifndef XRUN_OVERLAY_HW_CSIM_DRAM_H_
#define XRUN_OVERLAY_HW_CSIM_DRAM_H_

// DRAM in C-sim: host memory by regions of a device's address space. Regions stand still while engines run; several
// engines may read and write at once, as long as tokens order who touches the same bytes.
//
// A beat may reach past a region's end: bytes outside read as 0, and are not written. A beat wholly outside every
// region is a bus error.
//
// The kernel has up to two DRAM ports, and every process a router that sends a burst at address a to port
// (a div burst bytes) mod ports, as rtl/xrun_router.v does.

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace xrun {
namespace hw {
namespace csim {

class Dram {
 public:
  /// `bytes` at device address `address`; regions lie at least 4096 bytes apart, so that no beat meets two.
  void AddRegion(uint64_t address, uint8_t* data, uint64_t bytes) { regions_.push_back({address, bytes, data}); }
  void Clear() {
    regions_.clear();
    error_ = false;
    beats_read = beats_written = 0;
  }
  bool error() const { return error_.load(std::memory_order_relaxed); }

  void Read(uint64_t address, uint32_t bytes, uint64_t* words) {
    beats_read.fetch_add(1, std::memory_order_relaxed);
    for (uint32_t i = 0; i < bytes / 8; ++i) words[i] = 0;
    const Region* r = Find(address, bytes);
    if (r == nullptr) return;
    for (uint32_t i = 0; i < bytes; ++i) {
      if (address + i < r->address || address + i >= r->address + r->bytes) continue;
      words[i / 8] |= static_cast<uint64_t>(r->data[address + i - r->address]) << (i % 8 * 8);
    }
  }
  /// Only bytes that differ from what stands there are stored: a beat that was read, changed in part and written back
  /// touches no byte of its neighbours.
  void Write(uint64_t address, uint32_t bytes, const uint64_t* words) {
    beats_written.fetch_add(1, std::memory_order_relaxed);
    const Region* r = Find(address, bytes);
    if (r == nullptr) return;
    for (uint32_t i = 0; i < bytes; ++i) {
      if (address + i < r->address || address + i >= r->address + r->bytes) continue;
      uint8_t& to = r->data[address + i - r->address];
      const auto byte = static_cast<uint8_t>(words[i / 8] >> (i % 8 * 8));
      if (to != byte) to = byte;
    }
  }

  std::atomic<uint64_t> beats_read{0}, beats_written{0};

 private:
  struct Region {
    uint64_t address, bytes;
    uint8_t* data;
  };
  const Region* Find(uint64_t address, uint32_t bytes) {
    for (const Region& r : regions_) {
      if (address + bytes > r.address && address < r.address + r.bytes) return &r;
    }
    error_.store(true, std::memory_order_relaxed);
    return nullptr;
  }
  std::vector<Region> regions_;
  std::atomic<bool> error_{false};
};

constexpr uint32_t kMostDramPorts = 2;

/// A DRAM port of the kernel, an AXI master. It has the addresses of its own bursts only.
class DramMaster {
 public:
  void Join(Dram& memory, uint32_t index, uint32_t ports, uint32_t burst_bytes) {
    memory_ = &memory;
    index_ = index;
    ports_ = ports;
    burst_bytes_ = burst_bytes;
  }
  void Read(uint64_t address, uint32_t bytes, uint64_t* words) {
    Count(address, bytes);
    memory_->Read(address, bytes, words);
  }
  void Write(uint64_t address, uint32_t bytes, const uint64_t* words) {
    Count(address, bytes);
    memory_->Write(address, bytes, words);
  }
  bool error() const { return memory_->error(); }
  void Clear() { beats = strays = 0; }

  std::atomic<uint64_t> beats{0};   ///< read and written
  std::atomic<uint64_t> strays{0};  ///< of them, in part or whole another port's

 private:
  void Count(uint64_t address, uint32_t bytes) {
    beats.fetch_add(1, std::memory_order_relaxed);
    const uint64_t first = address / burst_bytes_, last = (address + bytes - 1) / burst_bytes_;
    if (first != last || first % ports_ != index_) strays.fetch_add(1, std::memory_order_relaxed);
  }
  Dram* memory_ = nullptr;
  uint32_t index_ = 0, ports_ = 1, burst_bytes_ = 1;
};

/// Between a process and the masters.
class DramRouter {
 public:
  template <size_t kPorts>
  void Join(std::array<DramMaster, kPorts>& masters, uint32_t burst_bytes) {
    static_assert(kPorts <= kMostDramPorts, "a router has two ports at most");
    ports_ = kPorts;
    burst_bytes_ = burst_bytes;
    for (uint32_t i = 0; i < ports_; ++i) masters_[i] = &masters[i];
  }
  void Read(uint64_t address, uint32_t bytes, uint64_t* words) { PortOf(address).Read(address, bytes, words); }
  void Write(uint64_t address, uint32_t bytes, const uint64_t* words) { PortOf(address).Write(address, bytes, words); }
  bool error() const { return masters_[0]->error(); }

  uint32_t ports() const { return ports_; }
  const DramMaster* master(uint32_t port) const { return masters_[port]; }

 private:
  DramMaster& PortOf(uint64_t address) { return *masters_[address / burst_bytes_ % ports_]; }
  DramMaster* masters_[kMostDramPorts] = {};
  uint32_t ports_ = 1, burst_bytes_ = 1;
};

}  // namespace csim
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CSIM_DRAM_H_
