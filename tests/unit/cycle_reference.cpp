#include "tests/unit/cycle_reference.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace xrun::test {
namespace {

constexpr int kConvWrite = 0, kConvResidual = 1, kVectorRead = 2, kVectorWrite = 5, kLoadWrite = 6, kSaveRead = 7;

int64_t Modulo(int64_t a, int64_t m) { return ((a % m) + m) % m; }

/// A client of port B under the rotating slots. One that reads takes in a line whole, in the cycle in which its group
/// comes by; one that writes lets a line go in the first cycle in which it wants another, and the last at the end, with
/// the words that were merged in it.
class RotatingSlot {
 public:
  RotatingSlot(int slot, const HardwareConfig& config, CycleCount& count)
      : slot_(slot),
        banks_(config.banks()),
        words_(config.banks() / 8),
        writes_(slot == kConvWrite || slot == kVectorWrite || slot == kLoadWrite),
        count_(count),
        log_(count.accesses[static_cast<size_t>(kPortSlot0 + slot)]) {}

  /// Reads or writes one word; returns the cycles until its line was there.
  uint64_t Access(uint64_t word) {
    const int64_t line = static_cast<int64_t>(word / words_);
    if (held_ && line == line_) {  // in the line register
      if (writes_) merged_.insert(word);
      return 0;
    }
    const bool first = !held_;
    uint64_t cycles = 0;
    do {
      ++clock_;
      ++cycles;
    } while (Modulo(clock_ - slot_, 8) != line % 8);
    // All banks of the line are used now: they must be those of the group this slot owns now.
    for (uint64_t i = 0; i < words_; ++i) {
      const uint64_t bank = (static_cast<uint64_t>(line) * words_ + i) % banks_;
      if (static_cast<int64_t>(bank / words_) != Modulo(clock_ - slot_, 8)) {
        count_.violation = "slot " + std::to_string(slot_) + " uses bank " + std::to_string(bank) + " out of its turn";
      }
    }
    if (first) cycles = 0;  // the first wait is part of the fixed cycles
    if (writes_) {
      if (held_) LetGo(spent_ + 1);
      merged_.insert(word);
    } else {
      for (uint64_t i = 0; i < words_; ++i) log_.push_back({spent_ + cycles, static_cast<uint64_t>(line) * words_ + i});
    }
    spent_ += cycles;
    held_ = true;
    line_ = line;
    return cycles;
  }
  /// One cycle in which the client does something else.
  void Wait() { ++spent_; }
  /// The end of the instruction.
  void Flush() { LetGo(spent_); }
  uint64_t LineOf(uint64_t word) const { return word / words_; }

 private:
  void LetGo(uint64_t cycle) {
    for (uint64_t word : merged_) log_.push_back({cycle, word});
    merged_.clear();
  }
  const int slot_;
  const uint64_t banks_, words_;
  const bool writes_;
  CycleCount& count_;
  std::vector<ReferenceAccess>& log_;
  int64_t clock_ = 0, line_ = 0;
  uint64_t spent_ = 0;
  std::set<uint64_t> merged_;
  bool held_ = false;
};

/// Port A: one word a bank and cycle, lanes in order; lanes with the same address share it. `clock`: the array's.
uint64_t ReadTap(std::vector<uint64_t> addresses, const HardwareConfig& config, CycleCount& count, uint64_t clock) {
  uint64_t cycles = 0;
  do {
    ++cycles;
    std::vector<bool> busy(config.banks());
    std::set<uint64_t> served;
    std::vector<uint64_t> left;
    for (uint64_t a : addresses) {
      const uint64_t bank = a % config.banks();
      if (!busy[bank]) {
        busy[bank] = true;
        served.insert(a);
        count.accesses[kPortActivationsA].push_back({clock + cycles, a});
      } else if (served.count(a) == 0) {
        left.push_back(a);
      }
    }
    addresses = left;
  } while (!addresses.empty());
  return cycles;
}

void Run(const Conv& x, const HardwareConfig& config, CycleCount& count) {
  count.cycles = 8 + config.pixels + config.channels;
  uint64_t row = x.weights, clock = 0, results_clock = 0;
  const auto read_ring = [&](uint64_t cycle) {
    count.accesses[kPortRingA].push_back({cycle, row++ % config.weight_rows});
  };
  for (uint32_t table = 0; table < x.table + x.table2; ++table) {  // 8 bytes a cycle; a row when its first byte is due
    for (uint64_t byte = 0; byte < 256; byte += config.weight_row_bytes()) read_ring(clock + byte / 8 + 1);
    count.cycles += 32;
    clock += 32;
  }
  const int64_t groups = (int64_t{x.out_w} * x.out_h + config.pixels - 1) / config.pixels;
  RotatingSlot write(kConvWrite, config, count), read(kConvResidual, config, count);
  const int64_t pixels = int64_t{x.out_w} * x.out_h;
  for (int64_t og = 0; og < x.oc_groups; ++og) {
    for (uint64_t bytes = 0; x.keep == 0 && bytes < 16 * config.channels; bytes += config.channels * config.channels) {
      ++count.cycles;
      read_ring(++clock);
    }
    const uint64_t blocks = row;
    for (int64_t first = 0; first < pixels; first += config.pixels) {
      row = blocks;
      const int64_t end = std::min<int64_t>(pixels, first + config.pixels);
      uint64_t array = 0;
      for (int64_t kh = 0; kh < x.kernel_h; ++kh) {
        for (int64_t kw = 0; kw < x.kernel_w; ++kw) {
          for (uint64_t g = 0; g < x.ic_groups; ++g) {
            std::vector<uint64_t> addresses;
            for (int64_t p = first; p < end; ++p) {
              const int64_t iy = p / x.out_w * x.stride_h + kh * x.dilation_h - x.pad_top;
              const int64_t ix = p % x.out_w * x.stride_w + kw * x.dilation_w - x.pad_left;
              if (iy < 0 || ix < 0 || iy >= int64_t{x.in_h} || ix >= int64_t{x.in_w}) continue;
              addresses.push_back(x.src + g * x.src_plane_pitch + static_cast<uint64_t>(iy * x.src_row_pitch + ix));
            }
            array += ReadTap(addresses, config, count, clock + array);
            read_ring(clock + array);
          }
        }
      }
      clock += array;
      uint64_t results = 0, written = 0, residual = 0;
      const auto entry = static_cast<uint64_t>(x.partial + og * groups + first / config.pixels);
      if (x.accumulate != 0) count.accesses[kPortPartialA].push_back({results_clock, entry});
      if (x.keep != 0) {
        results = 1;
        count.accesses[kPortPartialB].push_back({results_clock + 1, entry});
      } else {
        for (int64_t left = (end - first) * config.channels; left > 0; left -= config.requant_lanes) ++results;
        for (int64_t p = first; p < end; ++p) {
          const auto oy = static_cast<uint64_t>(p / x.out_w), ox = static_cast<uint64_t>(p % x.out_w);
          written += write.Access(x.dst + static_cast<uint64_t>(og) * x.dst_plane_pitch + oy * x.dst_row_pitch +
                                  ox * x.dst_step);
          if (x.residual != 0) {
            residual += read.Access(x.res + static_cast<uint64_t>(og) * x.res_plane_pitch + oy * x.res_row_pitch + ox);
          }
        }
      }
      results_clock += results;
      count.cycles += std::max({array, results, written, residual});
    }
  }
  write.Flush();
  count.cycles += 24;
}

/// A table in the vector memory: 8 bytes a cycle, and at most a row.
uint64_t VectorTable(const HardwareConfig& config) {
  uint64_t cycles = 0;
  for (uint64_t bytes = 0; bytes < 256; bytes += std::min<uint64_t>(8, config.channels)) ++cycles;
  return cycles;
}

/// The rows of the vector memory that an instruction reads, one a cycle.
struct VectorRows {
  const HardwareConfig& config;
  CycleCount& count;
  uint64_t row, clock = 0;

  void Read(uint64_t rows) {
    for (uint64_t i = 0; i < rows; ++i) count.accesses[kPortVectorA].push_back({++clock, row++});
  }
  /// A table: 256 bytes, in the cycles of VectorTable.
  void Table() {
    const uint64_t end = clock + VectorTable(config);
    uint64_t rows = 0;
    while (rows * config.channels < 256) ++rows;
    Read(rows);
    clock = end;
  }
};

/// The cycles of the vector partial buffer's ports.
struct PartialClock {
  uint64_t entry, read = 0, write = 0;
};

/// A read slot of the vector engine and the row it keeps.
struct RowSlot {
  RotatingSlot slot;
  int64_t group = -1, row = -1;
  std::set<uint64_t> kept;  ///< lines
};

template <typename Window>
uint64_t GroupCycles(const Window& x, const HardwareConfig& config, uint64_t g, std::vector<RowSlot>& reads,
                     RotatingSlot& write, PartialClock& partial, CycleCount& count) {
  uint64_t compute = 0;
  uint64_t mac = 0;
  for (uint32_t kh = 0; kh < x.kernel_h; ++kh) {
    for (uint64_t left = x.kernel_w; left != 0; ++mac) {
      // Where there is one column the lanes share the taps of a row: a lane takes one, of a depthwise kernel a pair
      // does.
      uint64_t taken = 1;
      if (x.out_w == 1) {
        taken = config.vector_pixels;
        if constexpr (std::is_same_v<Window, Depthwise>) taken = (taken + 1) / 2;
      }
      left -= std::min(left, taken);
    }
  }
  if (x.out_w == 1) mac += 8;
  for (int64_t oy = 0; oy < x.out_h; ++oy) {
    for (int64_t first = 0; first < x.out_w; first += config.vector_pixels) {
      const int64_t end = std::min<int64_t>(x.out_w, first + config.vector_pixels);
      const int64_t left = first * x.stride_w - x.pad_left;
      const int64_t right = (end - 1) * x.stride_w - x.pad_left + (int64_t{x.kernel_w} - 1) * x.dilation_w;
      std::vector<uint64_t> cycles(3);
      for (int64_t kh = 0; kh < x.kernel_h; ++kh) {
        const int64_t iy = oy * x.stride_h + kh * x.dilation_h - x.pad_top;
        if (iy < 0 || iy >= int64_t{x.in_h}) continue;
        RowSlot& s = reads[static_cast<size_t>(kh % 3)];
        bool any = false;
        for (int64_t ix = std::max<int64_t>(0, left); ix <= right && ix < int64_t{x.in_w}; ++ix) {
          if (!any && (s.group != static_cast<int64_t>(g) || s.row != iy)) {
            s.group = static_cast<int64_t>(g);
            s.row = iy;
            s.kept.clear();
          }
          any = true;
          const uint64_t word = x.src + g * x.src_plane_pitch + static_cast<uint64_t>(iy * x.src_row_pitch + ix);
          if (!s.kept.empty() && s.slot.LineOf(word) <= *s.kept.rbegin()) continue;
          s.kept.insert(s.slot.LineOf(word));
          cycles[static_cast<size_t>(kh % 3)] += s.slot.Access(word);
        }
      }
      uint64_t written = 0;
      for (int64_t ox = first; x.keep == 0 && ox < end; ++ox) {
        written += write.Access(x.dst + g * x.dst_plane_pitch + static_cast<uint64_t>(oy * x.dst_row_pitch + ox));
      }
      uint64_t kept = 0;  // entries of the vector partial buffer, one a pixel, on either port one a cycle
      for (int64_t ox = first; (x.accumulate != 0 || x.keep != 0) && ox < end; ++ox) {
        ++kept;
        if (x.accumulate != 0) count.accesses[kPortVectorPartialA].push_back({++partial.read, partial.entry});
        if (x.keep != 0) count.accesses[kPortVectorPartialB].push_back({++partial.write, partial.entry});
        ++partial.entry;
      }
      compute += std::max({mac, cycles[0], cycles[1], cycles[2], written, kept});
    }
  }
  return compute;
}

template <typename Window>
void RunWindow(const Window& x, const HardwareConfig& config, CycleCount& count, uint64_t once, uint64_t rows) {
  std::vector<RowSlot> reads;
  for (int s = 0; s < 3; ++s) reads.push_back({RotatingSlot(kVectorRead + s, config, count), -1, -1, {}});
  RotatingSlot write(kVectorWrite, config, count);
  VectorRows segment{config, count, x.params};
  count.cycles += 24 + (x.table != 0 ? VectorTable(config) : 0) + once;
  if (x.table != 0) segment.Table();
  segment.Read(once);
  PartialClock partial{x.partial};
  uint64_t running = 0;  // compute of the group before, beside which the parameters of the next are read
  for (uint64_t g = 0; g < x.groups; ++g) {
    count.cycles += std::max(running, rows);
    segment.Read(rows);
    running = GroupCycles(x, config, g, reads, write, partial, count);
  }
  write.Flush();
  count.cycles += running + 24;
}

void Run(const Depthwise& x, const HardwareConfig& config, CycleCount& count) {
  RunWindow(x, config, count, 0, (x.keep != 0 ? 0 : 16) + uint64_t{x.kernel_h} * x.kernel_w);
}

void Run(const Pool& x, const HardwareConfig& config, CycleCount& count) {
  uint64_t rows = 0;
  for (uint64_t bytes = 0; x.per_count != 0 && bytes < 4 * uint64_t{x.kernel_h} * x.kernel_w; bytes += config.channels)
    ++rows;
  RunWindow(x, config, count, rows, 0);
}

void Run(const Elementwise& x, const HardwareConfig& config, CycleCount& count) {
  RotatingSlot a(kVectorRead, config, count), b(kVectorRead + 1, config, count), write(kVectorWrite, config, count);
  count.cycles = 24 + (x.table != 0 ? VectorTable(config) : 0) + 24;
  if (x.table != 0) VectorRows{config, count, x.params}.Table();
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      uint64_t of_a = 0, of_b = 0, of_write = 0;
      for (uint64_t c = 0; c < x.cols; ++c) {
        of_a += a.Access(x.a + p * x.a_plane_pitch + r * x.a_row_pitch + c);
        if (x.kind >= 2) of_b += b.Access(x.b + p * x.b_plane_pitch + r * x.b_row_pitch + c * x.b_step);
        of_write += write.Access(x.dst + p * x.dst_plane_pitch + r * x.dst_row_pitch + c);
      }
      count.cycles += std::max({of_a, of_b, of_write});
    }
  }
  write.Flush();
}

template <typename Copy>
void RunCopy(const Copy& x, const HardwareConfig& config, CycleCount& count, int slot) {
  RotatingSlot client(slot, config, count);
  count.cycles = 8 + 1;  // 1: the first line, of what writes the last
  if (slot == kSaveRead) client.Wait();
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      for (uint64_t c = 0; c < x.cols; ++c)
        count.cycles += client.Access(x.addr + p * x.plane_pitch + r * x.row_pitch + c);
    }
  }
  if (slot == kLoadWrite) client.Wait();
  client.Flush();
}

void Run(const Load& x, const HardwareConfig& config, CycleCount& count) { RunCopy(x, config, count, kLoadWrite); }
void Run(const Save& x, const HardwareConfig& config, CycleCount& count) { RunCopy(x, config, count, kSaveRead); }
void Run(const LoadWeights& x, const HardwareConfig& config, CycleCount& count) {
  for (uint64_t i = 0; i < x.rows; ++i)
    count.accesses[kPortRingB].push_back({++count.cycles, (x.row + i) % config.weight_rows});
}
void Run(const LoadVector& x, const HardwareConfig&, CycleCount& count) {
  for (uint64_t i = 0; i < x.rows; ++i) count.accesses[kPortVectorB].push_back({++count.cycles, x.addr + i});
}
void Run(const LoadMatrix& x, const HardwareConfig& config, CycleCount& count) {
  for (uint64_t i = 0; i < x.rows; ++i) {
    // A row is written whole; turned, it is taken in word by word first, beside the row before.
    for (uint64_t word = 0; word < (x.transpose != 0 ? config.channels : 1); ++word) ++count.cycles;
    count.accesses[kPortRingB].push_back({count.cycles, (x.row + i) % config.weight_rows});
  }
}
void Run(const LoadPacked& x, const HardwareConfig& config, CycleCount& count) {
  RotatingSlot client(kLoadWrite, config, count);
  uint64_t lines = 0, packer = 0;
  for (uint64_t r = 0; r < x.rows; ++r) {
    for (uint64_t c = 0; c < x.cols; ++c) {
      lines += client.Access(x.addr + r * x.row_pitch + c);
      // The packer's window moves on by at most CP bytes a cycle.
      for (uint64_t moved = 0; moved < uint64_t{x.stride} * x.channels; moved += config.channels) ++packer;
    }
  }
  client.Wait();
  client.Flush();
  count.cycles = 8 + 1 + std::max(lines, packer);
}
void Run(const Sync&, const HardwareConfig&, CycleCount&) {}
void Run(const std::monostate&, const HardwareConfig&, CycleCount&) {}

}  // namespace

CycleCount StepCycles(const Instruction& instruction, const HardwareConfig& config) {
  CycleCount count;
  std::visit([&](const auto& x) { Run(x, config, count); }, instruction);
  return count;
}

}  // namespace xrun::test
