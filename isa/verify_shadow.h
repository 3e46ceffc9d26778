#ifndef XRUN_ISA_VERIFY_SHADOW_H_
#define XRUN_ISA_VERIFY_SHADOW_H_

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "isa/verify_step.h"

namespace xrun {

/// Who last wrote and read each unit of every memory. An execution in the records is its sequence + 1, 0 is nobody;
/// since an engine's instructions are in order, the last of each engine stands for all before it.
class Shadow {
 public:
  explicit Shadow(const VerifiedStep& step);

  /// Takes note of everything an execution touches. `before` is what happened before it on the other engines. Fails on
  /// a read of what nobody wrote and on an access without order to the one before it, naming both instructions.
  Status Execute(Engine engine, uint32_t sequence, const VectorClock& before);

  /// All engines are done with `request`: its outputs must be complete. Its DRAM is forgotten.
  Status FinishRequest(uint32_t request);

 private:
  /// A word of activation memory. Engines that read: Conv, Vector, Save.
  struct ActivationRecord {
    uint32_t writer = 0;  ///< engine in the upper two bits
    std::array<uint32_t, 3> readers{};
  };
  /// A unit that one engine writes and one reads.
  struct Record {
    uint32_t writer = 0, reader = 0;
  };
  /// Buffer of one request, in granules, as pages made when first written or read.
  struct DramBuffer {
    static constexpr size_t kPageRecords = 4096;
    std::vector<std::unique_ptr<Record[]>> pages;
  };
  using RequestBuffers = std::array<DramBuffer, kBaseRegisters>;

  struct Execution {
    Engine engine;
    uint32_t sequence;
    VectorClock limits;  ///< largest record of each engine that is ordered before this one
  };

  Status Touch(const Execution& x, const Access& access);
  Status TouchActivation(const Execution& x, const Access& access);
  Status TouchDram(const Execution& x, const Access& access);
  /// Memories with one writing and one reading engine.
  Status TouchRows(const Execution& x, const Access& access, const char* unit, std::vector<Record>& rows, Engine writer,
                   Engine reader);
  Status TouchPartial(const Execution& x, const Access& access);
  Status Forget(RequestBuffers& buffers);
  /// The page's records, made if need be; null when the shadow would grow too large.
  Record* DramPage(DramBuffer& buffer, size_t page);

  Failure Uninitialized(const Execution& x, const std::string& unit) const;
  /// Whether the halves of a staggered step meet in a unit that `writer` wrote last (an execution's record).
  bool HalvesMeet(const Execution& x, Engine writer, uint32_t record) const {
    return step_.step->stagger && step_.IsLate(x.engine, x.sequence) != step_.IsLate(writer, record - 1);
  }
  Failure OtherHalf(const Execution& x, const std::string& unit, Engine writer, uint32_t record) const;
  Failure Race(const Execution& x, bool write, const std::string& unit, Engine other, uint32_t record,
               bool other_wrote) const;

  const VerifiedStep& step_;
  const HardwareConfig& config_;
  std::vector<ActivationRecord> activation_;
  std::vector<Record> ring_, vector_memory_;
  std::vector<uint32_t> partial_, vector_partial_;  ///< writers; one engine each, so never a race
  std::array<RequestBuffers, kVerifiedRequests> dram_;
  size_t dram_pages_ = 0;
};

}  // namespace xrun

#endif  // XRUN_ISA_VERIFY_SHADOW_H_
