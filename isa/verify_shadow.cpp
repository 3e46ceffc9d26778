#include "isa/verify_shadow.h"

#include <algorithm>
#include <cassert>

namespace xrun {
namespace {

constexpr int kEngineShift = 30;
constexpr uint32_t kSequenceMask = (1U << kEngineShift) - 1;

/// The shadow of a step's DRAM takes no more than this; real programs stay far below.
constexpr size_t kMaxDramShadowBytes = size_t{1} << 30;

Engine ReaderOf(size_t slot) { return static_cast<Engine>(kConv + slot); }

}  // namespace

Shadow::Shadow(const VerifiedStep& step)
    : step_(step),
      config_(step.program->config),
      activation_(config_.activation_words()),
      ring_(config_.weight_rows),
      vector_memory_(config_.vector_rows),
      partial_(config_.partial_entries),
      vector_partial_(config_.vector_partial_entries) {}

Failure Shadow::Uninitialized(const Execution& x, const std::string& unit) const {
  return Failure{step_.Name(x.engine, x.sequence) + ": uninitialised: reads " + unit + ", which nobody has written",
                 ""};
}

Failure Shadow::OtherHalf(const Execution& x, const std::string& unit, Engine writer, uint32_t record) const {
  return Failure{step_.Name(x.engine, x.sequence) + ": uses " + unit + ", which " + step_.Name(writer, record - 1) +
                     " of the other half wrote",
                 ""};
}

Failure Shadow::Race(const Execution& x, bool write, const std::string& unit, Engine other, uint32_t record,
                     bool other_wrote) const {
  return Failure{step_.Name(x.engine, x.sequence) + ": race: " + (write ? "writes " : "reads ") + unit +
                     " with no token between it and " + step_.Name(other, record - 1) + ", which " +
                     (other_wrote ? "writes" : "reads") + " it",
                 ""};
}

Status Shadow::Execute(Engine engine, uint32_t sequence, const VectorClock& before) {
  Execution x{engine, sequence, before};
  x.limits[engine] = kSequenceMask;
  for (const Access& access : Footprint(step_.At(engine, sequence), config_)) XRUN_RETURN_IF_ERROR(Touch(x, access));
  return {};
}

Status Shadow::Touch(const Execution& x, const Access& access) {
  switch (access.memory) {
    case Memory::kActivation:
      return TouchActivation(x, access);
    case Memory::kDram:
      return TouchDram(x, access);
    case Memory::kPartial:
      return TouchPartial(x, access);
    case Memory::kWeightRing:
      return TouchRows(x, access, "weight ring row ", ring_, kLoad, kConv);
    case Memory::kVectorMemory:
      return TouchRows(x, access, "vector memory row ", vector_memory_, kLoad, kVector);
    case Memory::kVectorPartial:
      for (uint64_t i = access.start; i < access.start + access.length; ++i) {
        if (access.write) {
          vector_partial_[i] = x.sequence + 1;
        } else if (vector_partial_[i] == 0) {
          return Uninitialized(x, "vector partial entry " + std::to_string(i));
        } else if (HalvesMeet(x, kVector, vector_partial_[i])) {
          return OtherHalf(x, "vector partial entry " + std::to_string(i), kVector, vector_partial_[i]);
        }
      }
      return {};
  }
  return {};
}

Status Shadow::TouchActivation(const Execution& x, const Access& access) {
  const uint32_t record = x.sequence + 1;
  const uint32_t writer = record | static_cast<uint32_t>(x.engine) << kEngineShift;
  const auto ordered = [&](uint32_t w) { return (w & kSequenceMask) <= x.limits[w >> kEngineShift]; };
  const auto unit = [](uint64_t address) { return "activation word " + std::to_string(address); };
  const auto race_with_writer = [&](uint64_t a) {
    const uint32_t w = activation_[a].writer;
    return Race(x, access.write, unit(a), static_cast<Engine>(w >> kEngineShift), w & kSequenceMask, true);
  };
  for (uint64_t run = 0; run < access.count; ++run) {
    const uint64_t first = access.start + run * access.pitch;
    const uint64_t end = first + access.length;
    if (!access.write) {
      const size_t slot = x.engine - kConv;
      for (uint64_t a = first; a < end; ++a) {
        ActivationRecord& r = activation_[a];
        if (r.writer == 0) return Uninitialized(x, unit(a));
        if (!ordered(r.writer)) return race_with_writer(a);
        const auto writer_engine = static_cast<Engine>(r.writer >> kEngineShift);
        if (HalvesMeet(x, writer_engine, r.writer & kSequenceMask)) {
          return OtherHalf(x, unit(a), writer_engine, r.writer & kSequenceMask);
        }
        r.readers[slot] = record;
      }
      continue;
    }
    for (uint64_t a = first; a < end; ++a) {
      ActivationRecord& r = activation_[a];
      if (!ordered(r.writer)) return race_with_writer(a);
      for (size_t slot = 0; slot < r.readers.size(); ++slot) {
        if (r.readers[slot] > x.limits[ReaderOf(slot)]) {
          return Race(x, true, unit(a), ReaderOf(slot), r.readers[slot], false);
        }
      }
      r.writer = writer;
    }
  }
  return {};
}

Status Shadow::TouchRows(const Execution& x, const Access& access, const char* unit, std::vector<Record>& rows,
                         Engine writer, Engine reader) {
  for (uint64_t i = 0; i < access.length; ++i) {
    // Rows wrap in the ring; the end of vector memory is never passed.
    const uint64_t row = (access.start + i) % rows.size();
    Record& record = rows[row];
    if (access.write) {
      if (record.reader > x.limits[reader]) {
        return Race(x, true, unit + std::to_string(row), reader, record.reader, false);
      }
      record.writer = x.sequence + 1;
      continue;
    }
    if (record.writer == 0) return Uninitialized(x, unit + std::to_string(row));
    if (record.writer > x.limits[writer]) {
      return Race(x, false, unit + std::to_string(row), writer, record.writer, true);
    }
    if (HalvesMeet(x, writer, record.writer)) return OtherHalf(x, unit + std::to_string(row), writer, record.writer);
    record.reader = x.sequence + 1;
  }
  return {};
}

Status Shadow::TouchPartial(const Execution& x, const Access& access) {
  const auto shape = [](const Conv& c) { return std::array{c.out_w, c.out_h, c.oc_groups, c.partial}; };
  const Conv& conv = std::get<Conv>(step_.At(kConv, x.sequence));
  for (uint64_t i = access.start; i < access.start + access.length; ++i) {
    if (access.write) {
      partial_[i] = x.sequence + 1;
      continue;
    }
    if (partial_[i] == 0) return Uninitialized(x, "partial entry " + std::to_string(i));
    if (HalvesMeet(x, kConv, partial_[i])) {
      return OtherHalf(x, "partial entry " + std::to_string(i), kConv, partial_[i]);
    }
    if (shape(std::get<Conv>(step_.At(kConv, partial_[i] - 1))) != shape(conv)) {
      return Failure{step_.Name(kConv, x.sequence) + ": accumulates on partial entry " + std::to_string(i) +
                         ", left there by a tile of another shape: " + step_.Name(kConv, partial_[i] - 1),
                     ""};
    }
  }
  return {};
}

Shadow::Record* Shadow::DramPage(DramBuffer& buffer, size_t page) {
  if (page >= buffer.pages.size()) buffer.pages.resize(page + 1);
  auto& records = buffer.pages[page];
  if (records == nullptr) {
    if (++dram_pages_ * DramBuffer::kPageRecords * sizeof(Record) > kMaxDramShadowBytes) return nullptr;
    records = std::make_unique<Record[]>(DramBuffer::kPageRecords);
  }
  return records.get();
}

Status Shadow::TouchDram(const Execution& x, const Access& access) {
  // What the front half handed over is a buffer of the entry before.
  const bool handed = step_.step->stagger && access.base == step_.step->stagger->in;
  // Weights and inputs are there from the start and never written.
  if (access.base != kBaseWorkspace && !IsOutput(access.base) && !handed) return {};
  const uint64_t granule = step_.granules[access.base];
  const uint32_t request = step_.RequestOf(x.engine, x.sequence) - (handed ? 1 : 0);
  DramBuffer& buffer = dram_[request][handed ? step_.step->stagger->out : access.base];
  for (uint64_t run = 0; run < access.count; ++run) {
    const uint64_t first = (access.start + run * access.pitch) / granule;
    const uint64_t end = first + access.length / granule;
    Record* page = nullptr;
    for (uint64_t i = first; i < end; ++i) {
      const size_t slot = i % DramBuffer::kPageRecords;
      if (page == nullptr || slot == 0) {
        page = DramPage(buffer, static_cast<size_t>(i / DramBuffer::kPageRecords));
        if (page == nullptr) return Failure{"more DRAM is touched than the verifier can watch", ""};
      }
      Record& record = page[slot];
      // In the last entry the back half has the workspace in which the first one's front half has been.
      if (!handed && record.writer != 0 && HalvesMeet(x, kSave, record.writer)) {
        return OtherHalf(x, "byte " + std::to_string(i * granule) + " of " + BaseName(access.base), kSave,
                         record.writer);
      }
      if (access.write ? record.reader <= x.limits[kLoad] : record.writer != 0 && record.writer <= x.limits[kSave]) {
        (access.write ? record.writer : record.reader) = x.sequence + 1;
        continue;
      }
      // Only a failure pays for the unit's name.
      const std::string unit = "byte " + std::to_string(i * granule) + " of " + BaseName(access.base);
      if (access.write) return Race(x, true, unit, kLoad, record.reader, false);
      if (record.writer == 0) return Uninitialized(x, unit);
      return Race(x, false, unit, kSave, record.writer, true);
    }
  }
  return {};
}

Status Shadow::FinishRequest(uint32_t request) {
  RequestBuffers& buffers = dram_[request];
  std::array<uint64_t, kBaseRegisters> next{};  // where a register's next tensor begins
  for (const Binding& b : step_.step->outputs) {
    if (step_.step->stagger && request == 0) continue;  // nobody's yet
    const uint64_t bytes = b.layout.Bytes(config_), begin = next[b.base];
    next[b.base] += bytes;
    const uint64_t granule = std::max<uint64_t>(1, step_.granules[b.base]);
    const auto& pages = buffers[b.base].pages;
    // A rest shorter than a granule cannot have been written.
    uint64_t missing = begin % granule != 0 ? 0 : bytes / granule * granule;
    for (uint64_t i = begin / granule; i < (begin + bytes) / granule; ++i) {
      const auto page = static_cast<size_t>(i / DramBuffer::kPageRecords);
      if (page >= pages.size() || pages[page] == nullptr || pages[page][i % DramBuffer::kPageRecords].writer == 0) {
        missing = i * granule - std::min(i * granule, begin);
        break;
      }
    }
    if (missing != bytes) {
      return Failure{"request " + std::to_string(request) + " ends with output '" +
                         step_.program->tensors[b.tensor].name + "' incomplete: byte " + std::to_string(missing) +
                         " of " + std::to_string(bytes) + " is never written",
                     ""};
    }
  }
  if (step_.step->stagger) {  // what is handed over is read in the next entry: the one before is done with
    if (request == 0) return {};
    return Forget(dram_[request - 1]);
  }
  return Forget(buffers);
}

Status Shadow::Forget(RequestBuffers& buffers) {
  for (DramBuffer& buffer : buffers) {
    dram_pages_ -= static_cast<size_t>(
        std::count_if(buffer.pages.begin(), buffer.pages.end(), [](const auto& p) { return p != nullptr; }));
    buffer.pages.clear();
  }
  return {};
}

}  // namespace xrun
