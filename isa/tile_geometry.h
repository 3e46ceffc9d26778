#ifndef XRUN_ISA_TILE_GEOMETRY_H_
#define XRUN_ISA_TILE_GEOMETRY_H_

// Which rows, columns and words an instruction's loops touch: shared by footprint.cpp and check_fields.cpp.

#include <cstdint>
#include <vector>

#include "isa/assembly.h"
#include "isa/footprint.h"

namespace xrun {

/// `count` runs of `length` consecutive integers, the i-th starting at `start + i * pitch`; the runs do not overlap.
struct RunGroup {
  uint64_t start = 0, length = 0, pitch = 0, count = 1;
  uint64_t Last() const { return start + (count - 1) * pitch + length - 1; }
  bool operator==(const RunGroup&) const = default;
};

/// A window's geometry in one direction.
struct WindowAxis {
  uint64_t out = 1, kernel = 1, stride = 1, dilation = 1;
  int64_t pad = 0;
  uint64_t in = 0;
};

/// The input lines {o·stride + k·dilation − pad} ∩ [0, in), ascending; empty if every tap is outside. Work is bounded
/// by kernel + in, whatever the product of the counts.
std::vector<RunGroup> TouchedLines(const WindowAxis& axis);

/// The activation words {address + p·plane_pitch + r·row_pitch + c, p < planes, r in rows, c in cols}: what an
/// instruction reads as one operand, or writes. No rows or no columns: touches nothing.
struct Operand {
  uint64_t address = 0;
  std::vector<RunGroup> rows, cols;
  uint64_t row_pitch = 0, planes = 0, plane_pitch = 0;

  bool empty() const { return planes == 0 || rows.empty() || cols.empty(); }
  /// The smallest and the largest word of an operand that is not empty.
  uint64_t First() const { return address + rows.front().start * row_pitch + cols.front().start; }
  uint64_t Last() const;
};

struct ActivationOperands {
  Operand source, residual, second;  ///< read; `second` is operand b of Elementwise
  Operand destination;               ///< written
};
ActivationOperands OperandsOf(const Instruction& instruction);

/// The operand's words as runs. An operand that counts more steps than `words` (of the activation memory), and so must
/// meet itself, is reduced to the set it covers: never do more than `words` units come out. Last() must be below
/// `words`.
void AppendRuns(const Operand& operand, uint64_t words, std::vector<RunGroup>& out);

/// Bytes of DRAM that `planes` x `rows` runs of `length` bytes touch.
void AppendStrided(uint64_t start, uint64_t length, uint64_t rows, uint64_t row_stride, uint64_t planes,
                   uint64_t plane_stride, std::vector<RunGroup>& out);

/// Whether two operands have a word in common, exactly.
bool Overlap(const Operand& a, const Operand& b, uint64_t words);

}  // namespace xrun

#endif  // XRUN_ISA_TILE_GEOMETRY_H_
