// Bench of the configuration this is compiled for.

#include "overlay_hw/csim/bench.h"

#include <array>

#include "overlay_hw/engines.h"
#include "overlay_hw/sequential.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

struct Memories {
  ActivationMemory activations;
  RingMemory ring;
  VectorMemory vector;
  PartialMemory partial;
  VectorPartialMemory vector_partial;
};

class ConfigBench : public csim::Bench {
 public:
  ConfigBench()
      : m_(new Memories()),
        conv_source_(m_->activations),
        conv_result_(m_->activations),
        conv_residual_(m_->activations),
        vector_read0_(m_->activations),
        vector_read1_(m_->activations),
        vector_read2_(m_->activations),
        vector_result_(m_->activations),
        load_result_(m_->activations),
        save_source_(m_->activations),
        ring_read_(m_->ring),
        ring_write_(m_->ring),
        partial_read_(m_->partial),
        partial_write_(m_->partial),
        vector_memory_read_(m_->vector),
        vector_memory_write_(m_->vector),
        vector_partial_read_(m_->vector_partial),
        vector_partial_write_(m_->vector_partial) {
    for (uint32_t i = 0; i < kDramPorts; ++i) masters_[i].Join(dram, i, kDramPorts, kDramBurstBytes);
    reader_.Join(masters_, kDramBurstBytes, kBusBytes, kDramOutstanding);
    writer_.Join(masters_, kDramBurstBytes, kBusBytes, kDramOutstanding);
  }

  const char* name() const override { return kConfig.name; }

  void Put(const csim::Contents& c) override {
    Word word;
    for (uint32_t a = 0; a < kActivationWords; ++a) {
      for (uint32_t i = 0; i < kCP; ++i) word.lane[i] = c.activations[a * kCP + i];
      for (uint32_t p = 0; p < kParts; ++p) m_->activations.data[a % kBanks][p][a / kBanks] = Pack(word, p);
    }
    for (uint32_t r = 0; r < kWeightRows; ++r) {
      for (uint32_t oc = 0; oc < kCP; ++oc) {
        for (uint32_t i = 0; i < kCP; ++i) word.lane[i] = c.ring[(r * kCP + oc) * kCP + i];
        for (uint32_t p = 0; p < kParts; ++p) m_->ring.data[oc][p][r] = Pack(word, p);
      }
    }
    for (uint32_t r = 0; r < kVectorRows; ++r) {
      for (uint32_t i = 0; i < kCP; ++i) word.lane[i] = c.vector[r * kCP + i];
      for (uint32_t p = 0; p < kParts; ++p) m_->vector.data[p][r] = Pack(word, p);
    }
    for (uint32_t e = 0; e < kPartialEntries; ++e) {
      for (uint32_t l = 0; l < kPP; ++l) {
        for (uint32_t i = 0; i < kCP; ++i) m_->partial.data[l][i][e] = c.partial[(e * kPP + l) * kCP + i];
        m_->partial.data[l][kCP][e] = c.partial_sum[e * kPP + l];
      }
    }
    for (uint32_t e = 0; e < kVectorPartialEntries; ++e) {
      for (uint32_t i = 0; i < kCP; ++i) m_->vector_partial.data[i][e] = c.vector_partial[e * kCP + i];
    }
  }

  void Get(csim::Contents& c) override {
    c.activations.resize(size_t{kActivationWords} * kCP);
    c.ring.resize(size_t{kWeightRows} * kWeightRowBytes);
    c.vector.resize(size_t{kVectorRows} * kCP);
    c.partial.resize(size_t{kPartialEntries} * kPP * kCP);
    c.partial_sum.resize(size_t{kPartialEntries} * kPP);
    c.vector_partial.resize(size_t{kVectorPartialEntries} * kCP);
    for (uint32_t a = 0; a < kActivationWords; ++a) {
      for (uint32_t p = 0; p < kParts; ++p)
        Bytes(m_->activations.data[a % kBanks][p][a / kBanks], p, &c.activations[a * kCP]);
    }
    for (uint32_t r = 0; r < kWeightRows; ++r) {
      for (uint32_t oc = 0; oc < kCP; ++oc) {
        for (uint32_t p = 0; p < kParts; ++p) Bytes(m_->ring.data[oc][p][r], p, &c.ring[(r * kCP + oc) * kCP]);
      }
    }
    for (uint32_t r = 0; r < kVectorRows; ++r) {
      for (uint32_t p = 0; p < kParts; ++p) Bytes(m_->vector.data[p][r], p, &c.vector[r * kCP]);
    }
    for (uint32_t e = 0; e < kPartialEntries; ++e) {
      for (uint32_t l = 0; l < kPP; ++l) {
        for (uint32_t i = 0; i < kCP; ++i) c.partial[(e * kPP + l) * kCP + i] = m_->partial.data[l][i][e];
        c.partial_sum[e * kPP + l] = m_->partial.data[l][kCP][e];
      }
    }
    for (uint32_t e = 0; e < kVectorPartialEntries; ++e) {
      for (uint32_t i = 0; i < kCP; ++i) c.vector_partial[e * kCP + i] = m_->vector_partial.data[i][e];
    }
  }

  Trap Judge(Engine engine, const uint64_t* bits) override {
    const InstructionWord word = WordFrom(bits);
    switch (engine) {
      case kLoad:
        return NeedsOfLoad(word).trap;
      case kConv:
        return NeedsOfConv(word).trap;
      case kVector:
        return NeedsOfVector(word).trap;
      default:
        return NeedsOfSave(word).trap;
    }
  }

  csim::BenchResult Execute(Engine engine, const uint64_t* bits, const uint64_t* address,
                            const uint64_t* limit) override {
    csim::BenchResult result;
    const InstructionWord word = WordFrom(bits);
    result.trap = Judge(engine, bits);
    if (result.trap != Trap::kNone) return result;
    BaseRegisters registers;
    for (uint32_t i = 0; i < kBaseRegisters; ++i) {
      registers.address[i] = address[i];
      registers.limit[i] = limit[i];
    }
    csim::LoopCounts& counts = csim::Counts();
    counts.Reset();
    counts.iteration += 1;  // whatever came before is not of this cycle
    const uint64_t before = counts.iteration, beats = dram.beats_read + dram.beats_written;
    Begin(result);
    DramReadPort read = &reader_;
    DramWritePort write = &writer_;
    switch (engine) {
      case kLoad:
        result.trap = ExecuteLoad(word, registers, read, load_result_, ring_write_, vector_memory_write_);
        break;
      case kConv:
        result.trap =
            ExecuteConv(word, conv_source_, conv_result_, conv_residual_, ring_read_, partial_read_, partial_write_);
        break;
      case kVector:
        result.trap = ExecuteVector(word, vector_read0_, vector_read1_, vector_read2_, vector_result_,
                                    vector_memory_read_, vector_partial_read_, vector_partial_write_);
        break;
      default:
        result.trap = ExecuteSave(word, registers, write, save_source_);
        break;
    }
    result.cycles = counts.cycles;
    result.iterations = counts.iteration - before;
    result.overhang = counts.overhang;
    result.beats = dram.beats_read + dram.beats_written - beats;
    Finish(result);
    return result;
  }

  void SetPace(const csim::DramPace& pace) override {
    reader_.set_pace(pace);
    writer_.set_pace(pace);
  }

  void Launch(const csim::BenchLaunch& launch) override {
    const LaunchArguments arguments = {launch.program, launch.weights, launch.requests, launch.status,
                                       launch.request_count};
    DramReadPort read = &reader_;
    DramWritePort write = &writer_;
    RunSequential(arguments, read, write, conv_source_, conv_result_, conv_residual_, vector_read0_, vector_read1_,
                  vector_read2_, vector_result_, load_result_, save_source_, ring_read_, ring_write_, partial_read_,
                  partial_write_, vector_memory_read_, vector_memory_write_, vector_partial_read_,
                  vector_partial_write_);
  }

 private:
  /// The bytes of part `p` to the word at `word`.
  static void Bytes(const Part& part, uint32_t p, int8_t* word) {
    const uint64_t bits = part.to_uint64();
    for (uint32_t i = 0; i < kPartBytes; ++i)
      word[p * kPartBytes + i] = static_cast<int8_t>(static_cast<uint8_t>(bits >> (8 * i)));
  }
  static InstructionWord WordFrom(const uint64_t* bits) {
    InstructionWord word;
    for (int i = 0; i < kInstructionWords; ++i) word.part[i] = bits[i];
    return word;
  }
  /// From here on accesses are written down in `result`, until Finish().
  void Begin(csim::BenchResult& result) {
    // Stages of the engines, as their files number them, in the order of BenchPort.
    static const int kStageOf[csim::kBenchPorts] = {0, 2, 3, 1, 2, 3, 4, 0, 0, 0, 0, 1, 1, 6, 0, 5, 4};
    for (int i = 0; i < csim::kBenchPorts; ++i) {
      csim::PortCount& count = *Ports()[i];
      count.violations = count.accesses = 0;
      count.stage = kStageOf[i];
      count.log = &result.accesses[i];
    }
  }
  void Finish(csim::BenchResult& result) {
    for (csim::PortCount* count : Ports()) {
      result.violations += count->violations;
      count->log = nullptr;
    }
  }
  std::array<csim::PortCount*, csim::kBenchPorts> Ports() {
    return {{&conv_source_.count, &conv_result_.count, &conv_residual_.count, &vector_read0_.count,
             &vector_read1_.count, &vector_read2_.count, &vector_result_.count, &load_result_.count,
             &save_source_.count, &ring_read_.count, &ring_write_.count, &partial_read_.count, &partial_write_.count,
             &vector_memory_read_.count, &vector_memory_write_.count, &vector_partial_read_.count,
             &vector_partial_write_.count}};
  }

  std::unique_ptr<Memories> m_;
  ActivationPort conv_source_, conv_result_, conv_residual_, vector_read0_, vector_read1_, vector_read2_,
      vector_result_, load_result_, save_source_;
  RingPort ring_read_, ring_write_;
  PartialPort partial_read_, partial_write_;
  VectorPort vector_memory_read_, vector_memory_write_;
  VectorPartialPort vector_partial_read_, vector_partial_write_;
  std::array<csim::DramMaster, kDramPorts> masters_;
  csim::DramReader reader_;
  csim::DramWriter writer_;
};

}  // namespace

std::unique_ptr<csim::Bench> MakeBench() { return std::unique_ptr<csim::Bench>(new ConfigBench()); }

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
