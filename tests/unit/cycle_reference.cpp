#include "tests/unit/cycle_reference.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace xrun::test {
namespace {

constexpr int kConvWrite = 0, kConvResidual = 1, kVectorRead = 2, kVectorWrite = 5, kLoadWrite = 6, kSaveRead = 7;

int64_t Modulo(int64_t a, int64_t m) { return ((a % m) + m) % m; }

/// A client of port B under the rotating slots.
class RotatingSlot {
 public:
  RotatingSlot(int slot, const HardwareConfig& config, CycleCount& count)
      : slot_(slot), banks_(config.banks()), words_(config.banks() / 8), count_(count) {}

  /// Reads or writes one word; returns the cycles until its line was there.
  uint64_t Access(uint64_t word) {
    ++count_.bank_accesses;
    const int64_t line = static_cast<int64_t>(word / words_);
    if (held_ && line == line_) return 0;  // in the line register
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
    held_ = true;
    line_ = line;
    return first ? 0 : cycles;  // the first wait is part of the fixed cycles
  }
  uint64_t LineOf(uint64_t word) const { return word / words_; }

 private:
  const int slot_;
  const uint64_t banks_, words_;
  CycleCount& count_;
  int64_t clock_ = 0, line_ = 0;
  bool held_ = false;
};

/// Port A: one word a bank and cycle.
uint64_t ReadTap(std::set<uint64_t> addresses, const HardwareConfig& config, CycleCount& count) {
  uint64_t cycles = 0;
  do {
    std::vector<bool> busy(config.banks());
    for (auto a = addresses.begin(); a != addresses.end();) {
      const uint64_t bank = *a % config.banks();
      if (busy[bank]) {
        ++a;
        continue;
      }
      busy[bank] = true;
      ++count.bank_accesses;
      a = addresses.erase(a);
    }
    ++cycles;
  } while (!addresses.empty());
  return cycles;
}

void Run(const Conv& x, const HardwareConfig& config, CycleCount& count) {
  count.cycles = 8 + config.pixels + config.channels;
  if (x.table != 0) count.cycles += 32;
  if (x.table2 != 0) count.cycles += 32;
  RotatingSlot write(kConvWrite, config, count), read(kConvResidual, config, count);
  const int64_t pixels = int64_t{x.out_w} * x.out_h;
  for (int64_t og = 0; og < x.oc_groups; ++og) {
    for (uint64_t bytes = 0; x.keep == 0 && bytes < 16 * config.channels; bytes += config.channels * config.channels)
      ++count.cycles;
    for (int64_t first = 0; first < pixels; first += config.pixels) {
      const int64_t end = std::min<int64_t>(pixels, first + config.pixels);
      uint64_t array = 0;
      for (int64_t kh = 0; kh < x.kernel_h; ++kh) {
        for (int64_t kw = 0; kw < x.kernel_w; ++kw) {
          for (uint64_t g = 0; g < x.ic_groups; ++g) {
            std::set<uint64_t> addresses;
            for (int64_t p = first; p < end; ++p) {
              const int64_t iy = p / x.out_w * x.stride_h + kh * x.dilation_h - x.pad_top;
              const int64_t ix = p % x.out_w * x.stride_w + kw * x.dilation_w - x.pad_left;
              if (iy < 0 || ix < 0 || iy >= int64_t{x.in_h} || ix >= int64_t{x.in_w}) continue;
              addresses.insert(x.src + g * x.src_plane_pitch + static_cast<uint64_t>(iy * x.src_row_pitch + ix));
            }
            array += ReadTap(addresses, config, count);
          }
        }
      }
      uint64_t results = 0, written = 0, residual = 0;
      if (x.keep != 0) {
        results = 1;
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
      count.cycles += std::max({array, results, written, residual});
    }
  }
  count.cycles += 24;
}

/// A table in the vector memory: 8 bytes a cycle, and at most a row.
uint64_t VectorTable(const HardwareConfig& config) {
  uint64_t cycles = 0;
  for (uint64_t bytes = 0; bytes < 256; bytes += std::min<uint64_t>(8, config.channels)) ++cycles;
  return cycles;
}

/// A read slot of the vector engine and the row it keeps.
struct RowSlot {
  RotatingSlot slot;
  int64_t group = -1, row = -1;
  std::set<uint64_t> kept;  ///< lines
};

template <typename Window>
uint64_t GroupCycles(const Window& x, const HardwareConfig& config, uint64_t g, std::vector<RowSlot>& reads,
                     RotatingSlot& write) {
  uint64_t compute = 0;
  const uint64_t taps = uint64_t{x.kernel_h} * x.kernel_w;
  uint64_t mac = 0;
  if (x.out_w == 1) {
    for (uint64_t done = 0; done < taps; done += config.vector_pixels) ++mac;  // lanes share the taps
    mac += 8;
  } else {
    mac = taps;
  }
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
      for (int64_t ox = first; (x.accumulate != 0 || x.keep != 0) && ox < end; ++ox) ++kept;
      compute += std::max({mac, cycles[0], cycles[1], cycles[2], written, kept});
    }
  }
  return compute;
}

template <typename Window>
void RunWindow(const Window& x, const HardwareConfig& config, CycleCount& count, uint64_t rows) {
  std::vector<RowSlot> reads;
  for (int s = 0; s < 3; ++s) reads.push_back({RotatingSlot(kVectorRead + s, config, count), -1, -1, {}});
  RotatingSlot write(kVectorWrite, config, count);
  count.cycles += 24 + (x.table != 0 ? VectorTable(config) : 0);
  uint64_t running = 0;  // compute of the group before, beside which the parameters of the next are read
  for (uint64_t g = 0; g < x.groups; ++g) {
    count.cycles += std::max(running, rows);
    running = GroupCycles(x, config, g, reads, write);
  }
  count.cycles += running + 24;
}

void Run(const Depthwise& x, const HardwareConfig& config, CycleCount& count) {
  RunWindow(x, config, count, (x.keep != 0 ? 0 : 16) + uint64_t{x.kernel_h} * x.kernel_w);
}

void Run(const Pool& x, const HardwareConfig& config, CycleCount& count) {
  for (uint64_t bytes = 0; x.per_count != 0 && bytes < 4 * uint64_t{x.kernel_h} * x.kernel_w; bytes += config.channels)
    ++count.cycles;
  RunWindow(x, config, count, 0);
}

void Run(const Elementwise& x, const HardwareConfig& config, CycleCount& count) {
  RotatingSlot a(kVectorRead, config, count), b(kVectorRead + 1, config, count), write(kVectorWrite, config, count);
  count.cycles = 24 + (x.table != 0 ? VectorTable(config) : 0) + 24;
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
}

template <typename Copy>
void RunCopy(const Copy& x, const HardwareConfig& config, CycleCount& count, int slot) {
  RotatingSlot client(slot, config, count);
  count.cycles = 8 + 1;
  for (uint64_t p = 0; p < x.planes; ++p) {
    for (uint64_t r = 0; r < x.rows; ++r) {
      for (uint64_t c = 0; c < x.cols; ++c)
        count.cycles += client.Access(x.addr + p * x.plane_pitch + r * x.row_pitch + c);
    }
  }
}

void Run(const Load& x, const HardwareConfig& config, CycleCount& count) { RunCopy(x, config, count, kLoadWrite); }
void Run(const Save& x, const HardwareConfig& config, CycleCount& count) { RunCopy(x, config, count, kSaveRead); }
void Run(const LoadWeights& x, const HardwareConfig&, CycleCount& count) { count.cycles = x.rows; }
void Run(const LoadVector& x, const HardwareConfig&, CycleCount& count) { count.cycles = x.rows; }
void Run(const LoadMatrix& x, const HardwareConfig& config, CycleCount& count) {
  for (uint64_t i = 0; i < x.rows; ++i) {
    // A row is written whole; turned, it is taken in word by word first, beside the row before.
    for (uint64_t word = 0; word < (x.transpose != 0 ? config.channels : 1); ++word) ++count.cycles;
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
