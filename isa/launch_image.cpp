#include "isa/launch_image.h"

#include <algorithm>
#include <cassert>

#include "isa/time_marks.h"

namespace xrun::launch {
namespace {

constexpr uint64_t kStreamAlignment = kInstructionBytes;

void PutWord(std::span<uint8_t> image, size_t at, const InstructionWord& word) {
  for (size_t i = 0; i < word.size(); ++i) Put<uint64_t>(image, at + 8 * i, word[i]);
}

InstructionWord GetWord(std::span<const uint8_t> image, size_t at) {
  InstructionWord word;
  for (size_t i = 0; i < word.size(); ++i) word[i] = Get<uint64_t>(image, at + 8 * i);
  return word;
}

constexpr uint32_t kFieldCount = 0
#define X(field, def, lo, hi, unit, functional, brief) +1
    XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
    ;

std::string WaitingText(uint32_t waiting) {
  std::string text;
  const auto add = [&](std::string_view what) {
    text += (text.empty() ? ", waits for " : " and ") + std::string(what);
  };
  for (uint8_t e = 0; e < kEngines; ++e) {
    if ((waiting >> e & 1) != 0) add(EngineName(static_cast<Engine>(e)));
  }
  if ((waiting & kWaitingRing) != 0) add("free rows of the weight ring");
  if ((waiting & kWaitingDram) != 0) add("DRAM");
  return text;
}

}  // namespace

std::vector<uint8_t> BuildImage(const Program& program, const OverlayStep& step) {
  static_assert(kImageHeaderBytes % kStreamAlignment == 0, "the first stream follows the header");
  size_t bytes = kImageHeaderBytes;
  for (size_t e = 0; e < kEngines; ++e) bytes += kInstructionBytes * (step.prologue[e].size() + step.body[e].size());
  std::vector<uint8_t> image(bytes);
  Put<uint32_t>(image, 0, kImageMagic);
  Put<uint16_t>(image, kImageIsaMajor, kIsaMajor);
  Put<uint16_t>(image, kImageIsaMinor, program.isa_minor);
  Put<uint64_t>(image, kImageFingerprint, Fingerprint(program.config));
  Put<uint64_t>(image, kImageWeightBytes, program.weights.size());
  size_t at = kImageHeaderBytes;
  for (size_t e = 0; e < kEngines; ++e) {
    const size_t entry = kImageStreams + kImageStreamBytes * e;
    Put<uint32_t>(image, entry + kStreamPrologue, static_cast<uint32_t>(step.prologue[e].size()));
    Put<uint32_t>(image, entry + kStreamBody, static_cast<uint32_t>(step.body[e].size()));
    Put<uint64_t>(image, entry + kStreamOffset, at);
    for (const auto& words : {step.prologue[e], step.body[e]}) {
      for (const InstructionWord& word : words) {
        PutWord(image, at, word);
        at += kInstructionBytes;
      }
    }
  }
  const TimeMarks marks = TimeMarksOf(step);
  for (uint8_t e = 0; e < kEngines; ++e) {
    Put<uint32_t>(image, kImageMarks + sizeof(uint32_t) * e, marks.OffsetOf(static_cast<Engine>(e)));
  }
  Put<uint32_t>(image, kImageStatusBytes, marks.StatusBytes());
  Put<uint32_t>(image, kImageStaggered, step.stagger ? 1 : 0);
  assert(at == image.size());
  return image;
}

EntrySource SourceOf(const OverlayStep& step, uint32_t requests, uint32_t entry, uint32_t base) {
  if (!step.stagger) return {entry, base};
  const bool first = entry == 0, last = entry == requests;
  if (base == kBaseWorkspace) return {last ? 0 : entry, base};
  if (base == step.stagger->in) return first ? EntrySource{} : EntrySource{entry - 1, step.stagger->out};
  const bool late = base >= kBaseOutput0 && base != step.stagger->out;
  if (late ? first : last) return {};
  return {late ? entry - 1 : entry, base};
}

Result<Image> ReadImage(std::span<const uint8_t> memory) {
  if (memory.size() < kImageHeaderBytes || Get<uint32_t>(memory, 0) != kImageMagic) {
    return Failure{"no program image: it does not begin with XRI1", ""};
  }
  Image image;
  image.isa_major = Get<uint16_t>(memory, kImageIsaMajor);
  image.isa_minor = Get<uint16_t>(memory, kImageIsaMinor);
  if (image.isa_major != kIsaMajor) {
    return Failure{"program image of ISA " + std::to_string(image.isa_major) + ", this is " + std::to_string(kIsaMajor),
                   ""};
  }
  image.fingerprint = Get<uint64_t>(memory, kImageFingerprint);
  image.weight_bytes = Get<uint64_t>(memory, kImageWeightBytes);
  for (size_t e = 0; e < kEngines; ++e) image.marks[e] = Get<uint32_t>(memory, kImageMarks + sizeof(uint32_t) * e);
  image.status_bytes = Get<uint32_t>(memory, kImageStatusBytes);
  image.staggered = Get<uint32_t>(memory, kImageStaggered) != 0;
  image.bytes = kImageHeaderBytes;
  for (size_t e = 0; e < kEngines; ++e) {
    const size_t entry = kImageStreams + kImageStreamBytes * e;
    const uint64_t prologue = Get<uint32_t>(memory, entry + kStreamPrologue);
    const uint64_t body = Get<uint32_t>(memory, entry + kStreamBody);
    const auto offset = Get<uint64_t>(memory, entry + kStreamOffset);
    const uint64_t bytes = kInstructionBytes * (prologue + body);
    if (offset % kStreamAlignment != 0 || offset > memory.size() || bytes > memory.size() - offset) {
      return Failure{"program image: the " + std::string(EngineName(static_cast<Engine>(e))) +
                         " stream lies outside of it or is not aligned",
                     ""};
    }
    size_t at = offset;
    for (auto* words : {&image.prologue[e], &image.body[e]}) {
      words->resize(words == &image.prologue[e] ? prologue : body);
      for (InstructionWord& word : *words) {
        word = GetWord(memory, at);
        at += kInstructionBytes;
      }
    }
    image.bytes = std::max<uint64_t>(image.bytes, at);
  }
  return image;
}

Result<StatusPage> ReadStatusPage(std::span<const uint8_t> page) {
  if (page.size() < kStatusPageBytes || Get<uint32_t>(page, 0) != kStatusMagic) {
    return Failure{"no status page: it does not begin with XRST", ""};
  }
  if (const auto layout = Get<uint32_t>(page, kStatusVersionAt); layout != kStatusLayoutVersion) {
    return Failure{"status page of layout " + std::to_string(layout) + ", this software reads layout " +
                       std::to_string(kStatusLayoutVersion),
                   "use a version of xrun that belongs to the overlay"};
  }
  StatusPage status;
  status.isa_major = Get<uint16_t>(page, kStatusIsaMajor);
  status.isa_minor = Get<uint16_t>(page, kStatusIsaMinor);
  if (status.isa_major != kIsaMajor) {
    return Failure{"the overlay speaks ISA " + std::to_string(status.isa_major) + "." +
                       std::to_string(status.isa_minor) + ", this software ISA " + std::to_string(kIsaMajor) + "." +
                       std::to_string(kIsaMinor),
                   "use an overlay and a version of xrun with the same major"};
  }
  const auto fields = Get<uint32_t>(page, kStatusFieldCount);
  if (fields < kFieldCount || kStatusConfig + uint64_t{4} * fields > kStatusState) {
    return Failure{"the status page has " + std::to_string(fields) + " configuration fields, this software knows " +
                       std::to_string(kFieldCount),
                   "use a version of xrun that belongs to the overlay"};
  }
  size_t at = kStatusConfig;
#define X(field, def, lo, hi, unit, functional, brief) \
  status.config.field = Get<uint32_t>(page, at);       \
  at += sizeof(uint32_t);
  XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
  status.config.name = "custom";
  if (auto valid = Validate(status.config); !valid.ok()) {
    return std::move(valid).failure().In("the status page's configuration");
  }
  status.capabilities = Get<uint64_t>(page, kStatusCapabilities);
  status.fingerprint = Get<uint64_t>(page, kStatusFingerprint);
  if (status.fingerprint != Fingerprint(status.config)) {
    return Failure{"the overlay's fingerprint is not that of its configuration fields",
                   "overlay and software were built from different versions of isa/"};
  }
  for (const HardwareConfig& config : BuiltInConfigs()) {
    if (Fingerprint(config) == status.fingerprint) status.config.name = config.name;
  }
  status.state = static_cast<State>(Get<uint32_t>(page, kStatusState));
  status.trap = static_cast<Trap>(Get<uint32_t>(page, kStatusTrap));
  status.completed = Get<uint32_t>(page, kStatusCompleted);
  status.cycles = Get<uint64_t>(page, kStatusCycles);
  for (size_t e = 0; e < kEngines; ++e) {
    const size_t entry = kStatusEngines + kStatusEngineBytes * e;
    status.engines[e] = {static_cast<Trap>(Get<uint32_t>(page, entry + kEngineTrap)),
                         Get<uint32_t>(page, entry + kEngineRequest), Get<uint32_t>(page, entry + kEngineCompleted),
                         Get<uint32_t>(page, entry + kEngineWaiting)};
  }
  return status;
}

Engine TrappedEngine(const StatusPage& page) {
  for (uint8_t e = 0; e < kEngines; ++e) {
    if (page.engines[e].trap != Trap::kNone) return static_cast<Engine>(e);
  }
  return kAnyEngine;
}

std::string ProgressText(const Program& program, const OverlayStep& step, const StatusPage& page, uint32_t entries) {
  std::string text;
  for (uint8_t i = 0; i < kEngines; ++i) {
    const auto engine = static_cast<Engine>(i);
    const EngineProgress& progress = page.engines[i];
    text += (i == 0 ? "" : "; ") + std::string(EngineName(engine)) + ": ";
    if (progress.request >= entries) {
      text += "done";
      continue;
    }
    const size_t prologue = progress.request == 0 ? step.prologue[i].size() : 0;
    const bool in_prologue = progress.completed < prologue;
    const size_t index = in_prologue ? progress.completed : progress.completed - prologue;
    const auto& words = in_prologue ? step.prologue[i] : step.body[i];
    const bool late = !in_prologue && progress.request != 0 && index < words.size() && IsLate(words[index]);
    text += "request " + std::to_string(step.RequestOf(late, progress.request));
    if (index < words.size()) {
      text += std::string(in_prologue ? ", prologue" : ", body") + " instruction " + std::to_string(index) + " (`" +
              Disassemble(words[index], engine) + "`";
      const std::string node = in_prologue ? "" : NodeOf(program, step, engine, static_cast<uint32_t>(index));
      text += (node.empty() ? "" : ", node '" + node + "'") + ")";
    } else {
      text += ", at the end of its stream";
    }
    text += WaitingText(progress.waiting);
  }
  return text;
}

std::vector<std::string> AllDifferences(const HardwareConfig& here, const HardwareConfig& there) {
  std::vector<std::string> differences;
#define X(field, def, lo, hi, unit, functional, brief)                                                         \
  if (here.field != there.field) {                                                                             \
    differences.push_back(#field ": " + std::to_string(here.field) + " here, " + std::to_string(there.field) + \
                          " there");                                                                           \
  }
  XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
  return differences;
}

}  // namespace xrun::launch
