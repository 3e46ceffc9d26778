#include <string>

#include "isa/arithmetic.h"
#include "isa/assembly.h"
#include "isa/footprint.h"
#include "isa/launch.h"
#include "isa/tile_geometry.h"

namespace xrun {
namespace {

/// Keeps the first complaint about one instruction.
class Complaint {
 public:
  explicit Complaint(std::string_view mnemonic) : mnemonic_(mnemonic) {}

  /// Complains unless `holds`.
  void Require(bool holds, const char* what) {
    if (status_.ok() && !holds) status_ = Failure{mnemonic_ + ": " + what, ""};
  }
  void Range(const char* field, int64_t value, int64_t lo, int64_t hi) {
    if (!status_.ok() || (value >= lo && value <= hi)) return;
    status_ = Failure{mnemonic_ + ": " + field + " is " + std::to_string(value) + ", outside " + std::to_string(lo) +
                          "…" + std::to_string(hi),
                      ""};
  }
  void AtLeastOne(const char* field, uint64_t value) {
    if (status_.ok() && value == 0) status_ = Failure{mnemonic_ + ": " + field + " is 0, must be at least 1", ""};
  }
  void Ordered(const char* lo_name, int64_t lo, const char* hi_name, int64_t hi) {
    if (!status_.ok() || lo <= hi) return;
    status_ = Failure{
        mnemonic_ + ": " + lo_name + " " + std::to_string(lo) + " is above " + hi_name + " " + std::to_string(hi), ""};
  }
  /// Units up to and including `last` of a memory of `size` units.
  void Within(const char* what, uint64_t last, uint64_t size, const char* memory) {
    if (!status_.ok() || last < size) return;
    status_ = Failure{
        mnemonic_ + ": " + what + " reaches " + memory + " " + std::to_string(last) + ", of " + std::to_string(size),
        ""};
  }

  bool ok() const { return status_.ok(); }
  Status Take() && { return std::move(status_); }

 private:
  std::string mnemonic_;
  Status status_;
};

bool IsMultiplier(int64_t m) { return m == 0 || (m >= Multiplier::kMinM && m <= Multiplier::kMaxM); }

void CheckMultiplier(Complaint& c, int64_t m, uint32_t shift) {
  c.Require(IsMultiplier(m), "the multiplier is neither 0 nor in 2^23…2^24-1");
  c.Range("shift", shift, Multiplier::kMinShift, Multiplier::kMaxShift);
}

/// Multipliers of an addition lie strictly within ±2^24.
void CheckAddMultiplier(Complaint& c, const char* field, int64_t m) {
  c.Range(field, m, -int64_t{Multiplier::kMaxM}, Multiplier::kMaxM);
}

template <typename T>
void CheckWindow(Complaint& c, const T& x, uint32_t max_stride) {
  c.AtLeastOne("out_w", x.out_w);
  c.AtLeastOne("out_h", x.out_h);
  c.AtLeastOne("kernel_h", x.kernel_h);
  c.AtLeastOne("kernel_w", x.kernel_w);
  c.Range("stride_h", x.stride_h, 1, max_stride);
  c.Range("stride_w", x.stride_w, 1, max_stride);
  c.AtLeastOne("dilation_h", x.dilation_h);
  c.AtLeastOne("dilation_w", x.dilation_w);
}

// ------------------------------------------------------------------------------------------- ranges of single fields

void Ranges(Complaint&, const Sync&) {}

template <typename T>
void CopyRanges(Complaint& c, const T& x) {
  c.AtLeastOne("planes", x.planes);
  c.AtLeastOne("rows", x.rows);
  c.AtLeastOne("cols", x.cols);
}
void Ranges(Complaint& c, const Load& x) { CopyRanges(c, x); }
void Ranges(Complaint& c, const Save& x) { CopyRanges(c, x); }

void Ranges(Complaint&, const LoadWeights&) {}

void Ranges(Complaint& c, const LoadVector& x) { c.AtLeastOne("rows", x.rows); }

void Ranges(Complaint& c, const LoadPacked& x) {
  c.AtLeastOne("in_cols", x.in_cols);
  c.AtLeastOne("channels", x.channels);
  c.Require((x.taps != 0) != (x.head != 0), "one of taps and head says how much of an image row is in a word");
  c.Require(x.in_rows != 0 || x.top == 0, "top without in_rows");
  c.AtLeastOne("stride", x.stride);
  c.AtLeastOne("rows", x.rows);
  c.AtLeastOne("cols", x.cols);
}

void Ranges(Complaint& c, const LoadMatrix& x) {
  c.AtLeastOne("rows", x.rows);
  c.AtLeastOne("words", x.words);
  c.AtLeastOne("lanes", x.lanes);
}

void Ranges(Complaint& c, const Conv& x) {
  CheckWindow(c, x, 31);
  c.Range("dst_step", x.dst_step, 1, 15);
  c.AtLeastOne("ic_groups", x.ic_groups);
  c.AtLeastOne("oc_groups", x.oc_groups);
  c.Require(x.table2 == 0 || x.residual != 0, "table2 without residual");
  if (x.keep != 0) return;  // the output stage's fields mean nothing
  c.Ordered("clamp_lo", x.clamp_lo, "clamp_hi", x.clamp_hi);
  if (x.residual == 0) return;
  c.Range("add_shift", x.add_shift, 0, kMaxAddShift);
  CheckAddMultiplier(c, "m_main", x.m_main);
  CheckAddMultiplier(c, "m_res", x.m_res);
  c.Ordered("clamp2_lo", x.clamp2_lo, "clamp2_hi", x.clamp2_hi);
}

void Ranges(Complaint& c, const Depthwise& x) {
  CheckWindow(c, x, 31);
  c.AtLeastOne("groups", x.groups);
  if (x.keep == 0) c.Ordered("clamp_lo", x.clamp_lo, "clamp_hi", x.clamp_hi);
}

void Ranges(Complaint& c, const Pool& x) {
  CheckWindow(c, x, static_cast<uint32_t>(FieldMax(14, false)));
  c.AtLeastOne("groups", x.groups);
  if (x.per_count != 0) {
    c.Require(x.average != 0, "per_count belongs to average, not to maximum");
    c.Require(x.accumulate == 0, "per_count with accumulate: the number of taps is not known");
    c.Require(x.keep == 0, "per_count with keep: the number of taps is not known");
  }
  if (x.keep != 0) return;
  if (x.average != 0 ? x.per_count == 0 : x.requantize != 0) CheckMultiplier(c, x.m, x.shift);
  c.Ordered("clamp_lo", x.clamp_lo, "clamp_hi", x.clamp_hi);
}

void Ranges(Complaint& c, const Elementwise& x) {
  c.AtLeastOne("planes", x.planes);
  c.AtLeastOne("rows", x.rows);
  c.AtLeastOne("cols", x.cols);
  c.Ordered("clamp_lo", x.clamp_lo, "clamp_hi", x.clamp_hi);
  switch (x.kind) {
    case kElementwiseCopy:
      break;
    case kElementwiseRequantize:
    case kElementwiseMul:
      CheckMultiplier(c, x.m_a, x.shift);
      break;
    case kElementwiseAdd:
      c.Range("shift", x.shift, 0, kMaxAddShift);
      CheckAddMultiplier(c, "m_a", x.m_a);
      CheckAddMultiplier(c, "m_b", x.m_b);
      break;
    default:
      c.Range("kind", x.kind, kElementwiseCopy, kElementwiseMul);
  }
}

// -------------------------------------------------------------------------------------------------- on-chip addresses

void CheckOperand(Complaint& c, const char* name, const Operand& operand, const HardwareConfig& config) {
  if (!operand.empty()) c.Within(name, operand.Last(), config.activation_words(), "activation word");
}

/// Read and written words of one instruction may not meet; `allowed` names the one exception that holds.
void CheckOverlap(Complaint& c, const char* what, const Operand& read, const Operand& written, bool allowed,
                  const HardwareConfig& config) {
  if (!c.ok() || allowed) return;
  c.Require(!Overlap(read, written, config.activation_words()), what);
}

void OnChip(Complaint&, const Sync&, const ActivationOperands&, const HardwareConfig&) {}
void OnChip(Complaint&, const Load&, const ActivationOperands&, const HardwareConfig&) {}
void OnChip(Complaint&, const Save&, const ActivationOperands&, const HardwareConfig&) {}

template <typename T>
void RingRows(Complaint& c, const T& x, const HardwareConfig& config) {
  c.Within("row", x.row, config.weight_rows, "weight ring row");
  c.Range("rows", x.rows, 0, config.weight_rows);
  c.Range("acquire", x.acquire, 0, config.weight_rows);
}

void OnChip(Complaint& c, const LoadWeights& x, const ActivationOperands&, const HardwareConfig& config) {
  RingRows(c, x, config);
}

void OnChip(Complaint& c, const LoadMatrix& x, const ActivationOperands&, const HardwareConfig& config) {
  RingRows(c, x, config);
  c.Range("words", x.words, 1, config.channels);
  c.Range("lanes", x.lanes, 1, config.channels);
  c.Require(x.int4 == 0 || config.channels % 2 == 0, "int4 needs an even number of channels");
}

void OnChip(Complaint& c, const LoadPacked& x, const ActivationOperands&, const HardwareConfig& config) {
  c.Range("bytes of a word", int64_t{HeadBytes(x)} + x.tail, 1, config.channels);
}

void OnChip(Complaint& c, const LoadVector& x, const ActivationOperands&, const HardwareConfig& config) {
  c.Within("addr", uint64_t{x.addr} + x.rows - 1, config.vector_rows, "vector memory row");
}

void OnChip(Complaint& c, const Conv& x, const ActivationOperands& operands, const HardwareConfig& config) {
  c.Within("weights", x.weights, config.weight_rows, "weight ring row");
  c.Range("segment rows", static_cast<int64_t>(ConvSegmentRows(x, config)), 0, config.weight_rows);
  c.Range("release", x.release, 0, config.weight_rows);
  if (x.accumulate != 0 || x.keep != 0) {
    c.Within("partial", x.partial + x.oc_groups * PixelGroups(x, config) - 1, config.partial_entries, "partial entry");
  }
  CheckOverlap(c, "source and destination overlap", operands.source, operands.destination, false, config);
  const bool in_place =
      x.res == x.dst && x.res_row_pitch == x.dst_row_pitch && x.res_plane_pitch == x.dst_plane_pitch && x.dst_step == 1;
  CheckOverlap(c, "residual and destination overlap without being the same", operands.residual, operands.destination,
               in_place, config);
}

template <typename T>
void VectorWindow(Complaint& c, const T& x, uint64_t segment_rows, const ActivationOperands& operands,
                  const HardwareConfig& config) {
  if (segment_rows != 0) c.Within("params", x.params + segment_rows - 1, config.vector_rows, "vector memory row");
  if (x.accumulate != 0 || x.keep != 0) {
    c.Within("partial", x.partial + uint64_t{x.groups} * x.out_h * x.out_w - 1, config.vector_partial_entries,
             "vector partial entry");
  }
  CheckOverlap(c, "source and destination overlap", operands.source, operands.destination, false, config);
}

void OnChip(Complaint& c, const Depthwise& x, const ActivationOperands& operands, const HardwareConfig& config) {
  VectorWindow(c, x, DepthwiseSegmentRows(x, config), operands, config);
}

void OnChip(Complaint& c, const Pool& x, const ActivationOperands& operands, const HardwareConfig& config) {
  VectorWindow(c, x, PoolSegmentRows(x, config), operands, config);
}

void OnChip(Complaint& c, const Elementwise& x, const ActivationOperands& operands, const HardwareConfig& config) {
  if (x.table != 0) {
    c.Within("params", uint64_t{x.params} + config.vector_table_rows() - 1, config.vector_rows, "vector memory row");
  }
  const bool in_place = x.a == x.dst && x.a_row_pitch == x.dst_row_pitch && x.a_plane_pitch == x.dst_plane_pitch;
  CheckOverlap(c, "operand a and destination overlap without being the same", operands.source, operands.destination,
               in_place, config);
  CheckOverlap(c, "operand b and destination overlap", operands.second, operands.destination, false, config);
}

template <typename Check>
Status VisitInstruction(const Instruction& instruction, Check&& check) {
  return std::visit(
      [&](const auto& x) -> Status {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::monostate>) {
          return Failure{"an empty instruction", ""};
        } else {
          Complaint complaint(x.Mnemonic());
          check(complaint, x);
          return std::move(complaint).Take();
        }
      },
      instruction);
}

}  // namespace

Status CheckRanges(const Instruction& instruction, Engine engine) {
  return VisitInstruction(instruction, [&](Complaint& c, const auto& x) {
    const uint32_t own = 1U << engine;
    c.Require(x.kEngine == kAnyEngine || x.kEngine == engine, "not an instruction of this engine");
    c.Require((x.wait & own) == 0, "waits for tokens from its own engine");
    c.Require((x.signal & own) == 0, "signals to its own engine");
    Ranges(c, x);
  });
}

Status CheckOnChip(const Instruction& instruction, const HardwareConfig& config) {
  return VisitInstruction(instruction, [&](Complaint& c, const auto& x) {
    const ActivationOperands operands = OperandsOf(instruction);
    CheckOperand(c, "source", operands.source, config);
    CheckOperand(c, "residual", operands.residual, config);
    CheckOperand(c, "operand b", operands.second, config);
    CheckOperand(c, "destination", operands.destination, config);
    OnChip(c, x, operands, config);
  });
}

uint64_t CapabilitiesOf(const Instruction& instruction) {
  const auto* x = std::get_if<LoadPacked>(&instruction);
  const bool packed_rows = x != nullptr && (x->head != 0 || x->tail != 0 || x->skip != 0 || x->row_step != 0 ||
                                            x->top != 0 || x->in_rows != 0);
  return packed_rows ? launch::kPackedRowsCapability : 0;
}

Status CheckFields(const Instruction& instruction, Engine engine, const HardwareConfig& config) {
  XRUN_RETURN_IF_ERROR(CheckRanges(instruction, engine));
  return CheckOnChip(instruction, config);
}

}  // namespace xrun
