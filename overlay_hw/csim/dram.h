#ifndef XRUN_OVERLAY_HW_CSIM_DRAM_H_
#define XRUN_OVERLAY_HW_CSIM_DRAM_H_

// DRAM in C-sim: host memory by regions of a device's address space. Regions stand still while engines run; several
// engines may read and write at once, as long as tokens order who touches the same bytes.
//
// A beat may reach past a region's end: bytes outside read as 0, and are not written. A beat wholly outside every
// region is a bus error.
//
// The kernel has up to two DRAM ports. Every process that reads has a reader, every one that writes a writer, which
// send a burst at address a to port (a div burst bytes) mod ports, as rtl/xrun_reader.v and rtl/xrun_writer.v do.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
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
    beats_read = beats_written = errors = 0;
  }

  /// `error` is set where there is nothing, and left alone elsewhere; so in Write.
  void Read(uint64_t address, uint32_t bytes, uint64_t* words, bool& error) {
    beats_read.fetch_add(1, std::memory_order_relaxed);
    for (uint32_t i = 0; i < bytes / 8; ++i) words[i] = 0;
    const Region* r = Find(address, bytes, error);
    if (r == nullptr) return;
    for (uint32_t i = 0; i < bytes; ++i) {
      if (address + i < r->address || address + i >= r->address + r->bytes) continue;
      words[i / 8] |= static_cast<uint64_t>(r->data[address + i - r->address]) << (i % 8 * 8);
    }
  }
  void Write(uint64_t address, uint32_t bytes, const uint64_t* words, const bool* enabled, bool& error) {
    beats_written.fetch_add(1, std::memory_order_relaxed);
    const Region* r = Find(address, bytes, error);
    if (r == nullptr) return;
    for (uint32_t i = 0; i < bytes; ++i) {
      if (!enabled[i] || address + i < r->address || address + i >= r->address + r->bytes) continue;
      r->data[address + i - r->address] = static_cast<uint8_t>(words[i / 8] >> (i % 8 * 8));
    }
  }

  std::atomic<uint64_t> beats_read{0}, beats_written{0}, errors{0};

 private:
  struct Region {
    uint64_t address, bytes;
    uint8_t* data;
  };
  const Region* Find(uint64_t address, uint32_t bytes, bool& error) {
    for (const Region& r : regions_) {
      if (address + bytes > r.address && address < r.address + r.bytes) return &r;
    }
    error = true;
    errors.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  std::vector<Region> regions_;
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
  void Read(uint64_t address, uint32_t bytes, uint64_t* words, bool& error) {
    Count(address, bytes);
    memory_->Read(address, bytes, words, error);
  }
  void Write(uint64_t address, uint32_t bytes, const uint64_t* words, const bool* enabled, bool& error) {
    Count(address, bytes);
    memory_->Write(address, bytes, words, enabled, error);
  }
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

/// How long DRAM takes; all 0: everything is there at once, which is how launches run. In cycles of the engine's loops.
struct DramPace {
  uint64_t latency = 0;      ///< from the address of a burst to its first beat, from its last beat to the response
  uint64_t beat_cycles = 0;  ///< of one port, for a beat of an engine
};

/// A reader or a writer: between a process and the masters.
class DramRouter {
 public:
  /// `bursts`: that may be under way on each port.
  template <size_t kPorts>
  void Join(std::array<DramMaster, kPorts>& masters, uint32_t burst_bytes, uint32_t beat_bytes, uint32_t bursts) {
    static_assert(kPorts <= kMostDramPorts, "there are two ports at most");
    ports_ = kPorts;
    burst_bytes_ = burst_bytes;
    beat_bytes_ = beat_bytes;
    bursts_ = bursts;
    for (uint32_t i = 0; i < ports_; ++i) masters_[i] = &masters[i];
  }
  void set_pace(const DramPace& pace) { pace_ = pace; }
  /// For a launch: as if just built, but for its pace.
  void Clear() {
    runs_.clear();
    under_way_ = 0;
    for (uint64_t& at : free_at_) at = 0;
  }
  /// Beats asked for and not taken, or runs announced whose response was not taken: none when a launch has ended.
  uint64_t under_way() const { return under_way_; }
  uint32_t ports() const { return ports_; }
  const DramMaster* master(uint32_t port) const { return masters_[port]; }

 protected:
  struct Run {
    uint64_t address;
    uint32_t beats;
  };
  uint32_t PortOf(uint64_t address) const { return static_cast<uint32_t>(address / burst_bytes_ % ports_); }
  /// Beats of a run up to the next burst boundary.
  uint32_t PieceOf(const Run& run) const {
    const auto fit = static_cast<uint32_t>((burst_bytes_ - run.address % burst_bytes_) / beat_bytes_);
    return run.beats < fit ? run.beats : fit;
  }
  DramMaster* masters_[kMostDramPorts] = {};
  uint32_t ports_ = 1, burst_bytes_ = 1, beat_bytes_ = 1, bursts_ = 1;
  DramPace pace_;
  std::deque<Run> runs_;
  uint64_t under_way_ = 0;
  uint64_t free_at_[kMostDramPorts] = {};  ///< when a port has done what it was given
};

class DramReader : public DramRouter {
 public:
  void Clear() {
    DramRouter::Clear();
    pieces_.clear();
    asked_at_ = 0;
    for (uint32_t& beats : promised_) beats = 0;
  }
  /// Runs begin at a multiple of a beat. False: `most` runs wait already.
  bool Ask(uint64_t now, uint64_t address, uint32_t beats, uint32_t most) {
    if (runs_.size() == most) return false;
    runs_.push_back({address, beats});
    under_way_ += beats;
    Advance(now);
    return true;
  }
  /// The next beat, in the order asked. False: it is not there yet.
  bool Take(uint64_t now, uint64_t* words, bool& error) {
    Advance(now);
    if (pieces_.empty() || pieces_.front().at > now) return false;
    Piece& piece = pieces_.front();
    const uint32_t port = PortOf(piece.run.address);
    masters_[port]->Read(piece.run.address, beat_bytes_, words, error);
    piece.run.address += beat_bytes_;
    piece.at += pace_.beat_cycles;
    --promised_[port];
    --under_way_;
    if (--piece.run.beats == 0) pieces_.pop_front();
    return true;
  }

 private:
  struct Piece {
    Run run;
    uint64_t at;  ///< when its next beat is there
  };
  /// Asks the ports for what has room: a piece a cycle.
  void Advance(uint64_t now) {
    while (!runs_.empty() && asked_at_ < now + 1) {
      Run& run = runs_.front();
      const uint32_t beats = PieceOf(run), port = PortOf(run.address);
      if (promised_[port] + beats > bursts_ * (burst_bytes_ / beat_bytes_)) return;
      promised_[port] += beats;
      const uint64_t first = now + pace_.latency;
      const uint64_t at = first > free_at_[port] ? first : free_at_[port];
      free_at_[port] = at + beats * pace_.beat_cycles;
      pieces_.push_back({{run.address, beats}, at});
      run.address += beats * beat_bytes_;
      run.beats -= beats;
      if (run.beats == 0) runs_.pop_front();
      asked_at_ = pace_.latency != 0 ? now + 1 : 0;
    }
  }
  std::deque<Piece> pieces_;
  uint32_t promised_[kMostDramPorts] = {};  ///< beats under way or waiting to be taken
  uint64_t asked_at_ = 0;
};

class DramWriter : public DramRouter {
 public:
  void Clear() {
    DramRouter::Clear();
    done_.clear();
    error_ = false;
  }
  bool Tell(uint64_t address, uint32_t beats, uint32_t most) {
    if (runs_.size() == most) return false;
    runs_.push_back({address, beats});
    ++under_way_;
    return true;
  }
  /// The next beat of what was told. False: it cannot go out yet.
  bool Put(uint64_t now, const uint64_t* words, const bool* enabled) {
    if (runs_.empty()) return false;
    Run& run = runs_.front();
    const uint32_t port = PortOf(run.address);
    // A port takes a burst in at the engine's pace, and two at most before the first has gone out at its own.
    const uint64_t burst = burst_bytes_ / beat_bytes_ * pace_.beat_cycles;
    if (free_at_[port] > now + 2 * burst) return false;
    masters_[port]->Write(run.address, beat_bytes_, words, enabled, error_);
    free_at_[port] = (free_at_[port] > now ? free_at_[port] : now) + pace_.beat_cycles;
    run.address += beat_bytes_;
    if (--run.beats == 0) {
      done_.push_back({free_at_[port] + pace_.latency, error_});
      error_ = false;
      runs_.pop_front();
    }
    return true;
  }
  /// The response to the oldest run that has none. False: it has not come yet.
  bool Response(uint64_t now, bool& error) {
    if (done_.empty() || done_.front().at > now) return false;
    error = done_.front().error;
    done_.pop_front();
    --under_way_;
    return true;
  }

 private:
  struct Done {
    uint64_t at;
    bool error;
  };
  std::deque<Done> done_;
  bool error_ = false;
};

}  // namespace csim
}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CSIM_DRAM_H_
