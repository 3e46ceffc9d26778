// The sequential top's dispatcher: engines take turns, each goes on until it has to wait.

#include "overlay_hw/sequential.h"

#include "isa/launch.h"

namespace xrun {
namespace hw {
namespace XRUN_HW_CONFIG {
namespace {

/// An engine's stream and where it stands.
struct Stream {
  uint64_t at;  ///< DRAM address of the prologue; the body follows
  uint32_t prologue, body;
  uint32_t next;  ///< instruction, counted from the prologue's first
  uint32_t request, completed, waiting, unsent;
  bool finished;
  Trap trap;
};

struct Dispatcher {
  Stream stream[kEngines];
  uint8_t tokens[kEngines][kEngines];
  uint32_t ring_free;
  BaseRegisters load_registers, save_registers;
};

void LoadRegisters(const LaunchArguments& arguments, uint64_t weight_bytes, uint32_t request, DramPort& dram,
                   ByteReader& reader, BaseRegisters& registers) {
  const uint64_t entry = arguments.requests + static_cast<uint64_t>(request) * launch::kRequestBytes;
  for (uint32_t r = 0; r < kBaseRegisters; ++r) {
    const uint64_t at = entry + r * launch::kRequestRegisterBytes;
    registers.address[r] = r == kBaseWeights ? arguments.weights : ReadUint64(dram, reader, at);
    registers.limit[r] = r == kBaseWeights ? weight_bytes : r == kBaseStatus ? 0 : ReadUint64(dram, reader, at + 8);
  }
}

void PutUint32(DramPort& dram, ByteWriter& writer, uint64_t address, uint32_t value) {
  int8_t bytes[4];
  for (uint32_t i = 0; i < 4; ++i) bytes[i] = static_cast<int8_t>(static_cast<uint8_t>(value >> (8 * i)));
  WriteBytes(dram, writer, address, bytes);
}
void PutUint64(DramPort& dram, ByteWriter& writer, uint64_t address, uint64_t value) {
  PutUint32(dram, writer, address, static_cast<uint32_t>(value));
  PutUint32(dram, writer, address + 4, static_cast<uint32_t>(value >> 32));
}

void WriteHead(uint64_t page, DramPort& dram) {
  ByteWriter writer;
  StartBeats(writer);
  for (uint32_t i = 0; i < launch::kStatusPageBytes; i += 4) PutUint32(dram, writer, page + i, 0);
  PutUint32(dram, writer, page, launch::kStatusMagic);
  PutUint32(dram, writer, page + launch::kStatusVersionAt, launch::kStatusLayoutVersion);
  PutUint32(dram, writer, page + launch::kStatusIsaMajor, kIsaMajor | static_cast<uint32_t>(kIsaMinor) << 16);
  PutUint64(dram, writer, page + launch::kStatusCapabilities, launch::kCapabilities);
  PutUint64(dram, writer, page + launch::kStatusFingerprint, kConfig.fingerprint);
  const uint32_t fields[] = {kConfig.pixels,
                             kConfig.channels,
                             kConfig.activation_rows,
                             kConfig.weight_rows,
                             kConfig.partial_entries,
                             kConfig.vector_rows,
                             kConfig.vector_partial_entries,
                             kConfig.requant_lanes,
                             kConfig.vector_pixels,
                             kConfig.clock_mhz,
                             kConfig.dram_ports,
                             kConfig.dram_port_bytes,
                             kConfig.dram_efficiency,
                             kConfig.dram_burst_bytes,
                             kConfig.dram_outstanding,
                             kConfig.dram_read_latency,
                             kConfig.dram_write_response,
                             kConfig.decode_cycles,
                             kConfig.token_cycles,
                             kConfig.launch_cycles};
  const uint32_t count = sizeof fields / sizeof fields[0];
  PutUint32(dram, writer, page + launch::kStatusFieldCount, count);
  for (uint32_t i = 0; i < count; ++i) PutUint32(dram, writer, page + launch::kStatusConfig + 4 * i, fields[i]);
  FlushBeat(dram, writer);
}

void WriteTail(uint64_t page, launch::State state, Trap trap, uint32_t completed, const Dispatcher& d, DramPort& dram) {
  ByteWriter writer;
  StartBeats(writer);
  PutUint32(dram, writer, page + launch::kStatusState, static_cast<uint32_t>(state));
  PutUint32(dram, writer, page + launch::kStatusTrap, static_cast<uint32_t>(trap));
  PutUint32(dram, writer, page + launch::kStatusCompleted, completed);
  for (uint32_t e = 0; e < kEngines; ++e) {
    const uint64_t at = page + launch::kStatusEngines + e * launch::kStatusEngineBytes;
    PutUint32(dram, writer, at + launch::kEngineTrap, static_cast<uint32_t>(d.stream[e].trap));
    PutUint32(dram, writer, at + launch::kEngineRequest, d.stream[e].request);
    PutUint32(dram, writer, at + launch::kEngineCompleted, d.stream[e].completed);
    PutUint32(dram, writer, at + launch::kEngineWaiting, d.stream[e].waiting);
  }
  FlushBeat(dram, writer);
}

/// Sends what counters take; true when nothing is left.
bool SendSignals(Dispatcher& d, uint32_t engine) {
  Stream& s = d.stream[engine];
  for (uint32_t to = 0; to < kEngines; ++to) {
    if ((s.unsent >> to & 1) == 0 || d.tokens[engine][to] == kTokenLimit) continue;
    ++d.tokens[engine][to];
    s.unsent &= ~(1U << to);
  }
  return s.unsent == 0;
}

Needs NeedsOf(uint32_t engine, const InstructionWord& word) {
  switch (engine) {
    case kLoad:
      return NeedsOfLoad(word);
    case kConv:
      return NeedsOfConv(word);
    case kVector:
      return NeedsOfVector(word);
    default:
      return NeedsOfSave(word);
  }
}

}  // namespace

void RunSequential(const LaunchArguments& arguments, DramPort& dram, ActivationPort& conv_source,
                   ActivationPort& conv_result, ActivationPort& conv_residual, ActivationPort& vector_read0,
                   ActivationPort& vector_read1, ActivationPort& vector_read2, ActivationPort& vector_result,
                   ActivationPort& load_result, ActivationPort& save_source, RingPort& ring_read, RingPort& ring_write,
                   PartialPort& partial_read, PartialPort& partial_write, VectorPort& vector_memory_read,
                   VectorPort& vector_memory_write, VectorPartialPort& vector_partial_read,
                   VectorPartialPort& vector_partial_write) {
  WriteHead(arguments.status, dram);
  if (arguments.request_count == 0) return;
  Dispatcher d;
  const uint64_t image = arguments.program;
  uint64_t weight_bytes = 0;
  bool staggered = false;
  {
    ByteReader reader;
    weight_bytes = ReadUint64(dram, reader, image + launch::kImageWeightBytes);
    staggered = ReadUint32(dram, reader, image + launch::kImageStaggered) != 0;
    for (uint32_t e = 0; e < kEngines; ++e) {
      const uint64_t entry = image + launch::kImageStreams + e * launch::kImageStreamBytes;
      Stream& s = d.stream[e];
      s.prologue = ReadUint32(dram, reader, entry + launch::kStreamPrologue);
      s.body = ReadUint32(dram, reader, entry + launch::kStreamBody);
      s.at = image + ReadUint64(dram, reader, entry + launch::kStreamOffset);
      s.next = s.request = s.completed = s.waiting = s.unsent = 0;
      s.trap = Trap::kNone;
      s.finished = s.prologue + s.body == 0;
      if (s.finished) s.request = arguments.request_count;
      for (uint32_t to = 0; to < kEngines; ++to) d.tokens[e][to] = 0;
    }
    d.ring_free = kWeightRows;
    LoadRegisters(arguments, weight_bytes, 0, dram, reader, d.load_registers);
    LoadRegisters(arguments, weight_bytes, 0, dram, reader, d.save_registers);
  }
  Trap trap = Trap::kNone;
  bool moved = true;
  while (moved && trap == Trap::kNone) {
    moved = false;
    for (uint32_t e = 0; e < kEngines && trap == Trap::kNone; ++e) {
      Stream& s = d.stream[e];
      if (s.finished) continue;
      s.waiting = 0;
      if (s.unsent == 0) {
        InstructionWord word;
        ByteReader reader;
        for (uint32_t w = 0; w < kInstructionWords; ++w) {
          word.part[w] = ReadUint64(dram, reader, s.at + static_cast<uint64_t>(s.next) * kInstructionBytes + 8 * w);
        }
        const Needs needs = NeedsOf(e, word);
        if (needs.trap == Trap::kIllegalInstruction) {
          s.trap = trap = needs.trap;
          break;
        }
        for (uint32_t from = 0; from < kEngines; ++from) {
          if ((needs.wait >> from & 1) != 0 && d.tokens[from][e] == 0) s.waiting |= 1U << from;
        }
        if (needs.acquire > d.ring_free) s.waiting |= launch::kWaitingRing;
        if (s.waiting != 0) continue;
        for (uint32_t from = 0; from < kEngines; ++from)
          d.tokens[from][e] = static_cast<uint8_t>(d.tokens[from][e] - (needs.wait >> from & 1));
        d.ring_free -= needs.acquire;
        s.trap = needs.trap;
        if (s.trap == Trap::kNone && d.ring_free + needs.release > kWeightRows) s.trap = Trap::kRingUnderflow;
        const bool in_body = s.next >= s.prologue;
        if (s.trap == Trap::kNone &&
            !(in_body && launch::IsIdle(staggered, needs.late != 0, s.request, arguments.request_count))) {
          switch (e) {
            case kLoad:
              s.trap = ExecuteLoad(word, d.load_registers, dram, load_result, ring_write, vector_memory_write);
              break;
            case kConv:
              s.trap =
                  ExecuteConv(word, conv_source, conv_result, conv_residual, ring_read, partial_read, partial_write);
              break;
            case kVector:
              s.trap = ExecuteVector(word, vector_read0, vector_read1, vector_read2, vector_result, vector_memory_read,
                                     vector_partial_read, vector_partial_write);
              break;
            default:
              s.trap = ExecuteSave(word, d.save_registers, dram, save_source);
              break;
          }
        }
        trap = s.trap;
        if (trap != Trap::kNone) break;
        d.ring_free += needs.release;
        s.unsent = needs.signal;
        moved = true;
      }
      const uint32_t before = s.unsent;
      if (!SendSignals(d, e)) {
        moved = moved || s.unsent != before;  // some went out: who waits for them can go on
        s.waiting = s.unsent;
        continue;
      }
      moved = true;
      ++s.next;
      ++s.completed;
      if (s.next < s.prologue + s.body) continue;
      ++s.request;
      if (s.request == arguments.request_count || s.body == 0) {
        s.finished = true;
        s.request = arguments.request_count;
      } else if (e == kLoad || e == kSave) {
        ByteReader reader;
        LoadRegisters(arguments, weight_bytes, s.request, dram, reader,
                      e == kLoad ? d.load_registers : d.save_registers);
      }
      s.completed = 0;
      s.next = s.prologue;
    }
  }
  uint32_t completed = arguments.request_count;
  for (uint32_t e = 0; e < kEngines; ++e) {
    if (d.stream[e].request < completed) completed = d.stream[e].request;
    // No engine can go on: what the host sees as a cycle limit that expired.
    if (trap == Trap::kNone && !d.stream[e].finished) trap = Trap::kCycleLimit;
  }
  WriteTail(arguments.status, trap == Trap::kNone ? launch::State::kDone : launch::State::kTrapped, trap, completed, d,
            dram);
}

}  // namespace XRUN_HW_CONFIG
}  // namespace hw
}  // namespace xrun
