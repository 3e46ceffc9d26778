#include "simulator/trace.h"

#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "simulator/prepared.h"

namespace xrun::simulator {
namespace {

constexpr int kProcess = 1;
constexpr size_t kNanoDigits = 3;  ///< of a microsecond: below a cycle at any clock

/// A JSON string literal. Bytes that are not UTF-8 become '?': a trace must load whatever a model's nodes are called.
std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i++];
      continue;
    }
    if (c < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out += escaped;
      ++i;
      continue;
    }
    const size_t length = c < 0x80                ? 1
                          : c >= 0xC2 && c < 0xE0 ? 2
                          : c >= 0xE0 && c < 0xF0 ? 3
                          : c >= 0xF0 && c < 0xF5 ? 4
                                                  : 0;
    bool good = length != 0 && i + length <= text.size();
    for (size_t k = 1; good && k < length; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    if (good) {
      out += text.substr(i, length);
      i += length;
    } else {
      out += '?';
      ++i;
    }
  }
  return out + '"';
}

class TraceWriter {
 public:
  TraceWriter(std::ostream& out, const PreparedStep& step, const TimingReport& report)
      : out_(out), step_(step), report_(report), clock_mhz_(step.config().clock_mhz) {}

  void Write() {
    out_ << "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"configuration\":" << Quote(step_.config().name)
         << ",\"clock_mhz\":" << clock_mhz_ << ",\"requests\":" << report_.requests << ",\"cycles\":" << report_.cycles
         << ",\"time\":\"modelled\"},\"traceEvents\":[\n";
    Metadata("process_name", -1, "overlay " + step_.config().name);
    for (uint8_t e = 0; e < kEngines; ++e) Metadata("thread_name", e, std::string(EngineName(static_cast<Engine>(e))));
    for (uint8_t e = 0; e < kEngines; ++e) Instructions(static_cast<Engine>(e));
    Flows();
    Counters();
    out_ << "\n]}\n";
  }

 private:
  void Separate() {
    out_ << (first_ ? "" : ",\n");
    first_ = false;
  }
  std::string Time(uint64_t cycles) const {
    char text[40];
    std::snprintf(text, sizeof text, "%.*f", static_cast<int>(kNanoDigits), static_cast<double>(cycles) / clock_mhz_);
    return text;
  }

  void Metadata(const char* kind, int thread, const std::string& name) {
    Separate();
    out_ << "{\"ph\":\"M\",\"name\":\"" << kind << "\",\"pid\":" << kProcess;
    if (thread >= 0) out_ << ",\"tid\":" << thread;
    out_ << ",\"args\":{\"name\":" << Quote(name) << "}}";
  }

  void Instructions(Engine engine) {
    std::vector<int64_t> node_of(step_.streams()[engine].body(), -1);
    for (const NodeRange& range : step_.step().ranges) {
      if (range.engine != engine) continue;
      for (uint64_t i = range.first; i < uint64_t{range.first} + range.count && i < node_of.size(); ++i)
        node_of[i] = range.node;
    }
    for (const InstructionTime& t : report_.instructions[engine]) {
      const uint32_t index = t.prologue ? t.index : t.index + step_.streams()[engine].prologue;
      const PreparedInstruction& p = step_.streams()[engine].instructions[index];
      const int64_t node = t.prologue ? -1 : node_of[t.index];
      if (t.waited != 0) {
        Separate();
        out_ << "{\"ph\":\"X\",\"cat\":\"stall\",\"name\":\"" << StallName(t.waited_for) << "\",\"pid\":" << kProcess
             << ",\"tid\":" << int{engine} << ",\"ts\":" << Time(t.start - t.waited) << ",\"dur\":" << Time(t.waited)
             << ",\"args\":{\"cycles\":" << t.waited << "}}";
      }
      Separate();
      const bool named = node >= 0 && static_cast<size_t>(node) < step_.nodes().size();
      const std::string name =
          named ? step_.nodes()[static_cast<size_t>(node)].name : std::string(Mnemonic(p.instruction));
      out_ << "{\"ph\":\"X\",\"cat\":\"instruction\",\"name\":"
           << Quote(name.empty() ? std::string(Mnemonic(p.instruction)) : name) << ",\"pid\":" << kProcess
           << ",\"tid\":" << int{engine} << ",\"ts\":" << Time(t.start) << ",\"dur\":" << Time(t.end - t.start)
           << ",\"args\":{\"node\":" << Quote(named ? name : "")
           << ",\"disassembly\":" << Quote(Disassemble(p.instruction)) << ",\"request\":" << t.request
           << ",\"stream\":\"" << (t.prologue ? "prologue" : "body") << "\",\"index\":" << t.index
           << ",\"start\":" << t.start << ",\"cycles\":" << t.end - t.start
           << ",\"own\":" << Quote(xrun::Describe(step_.Cycles()[engine][index]));
      if (t.waited != 0) out_ << ",\"waited\":" << t.waited << ",\"waited for\":\"" << StallName(t.waited_for) << '"';
      if (t.dram_stall != 0) {
        out_ << ",\"" << StallName(engine == kSave ? Stall::kDramWrite : Stall::kDramRead) << "\":" << t.dram_stall;
      }
      out_ << "}}";
    }
  }

  /// Arrows start inside the signalling slice and end inside the waiting one, or viewers would not bind them.
  void Flows() {
    uint64_t id = 0;
    for (const TokenTime& token : report_.tokens) {
      ++id;
      if (token.to_instruction >= report_.instructions[token.to].size()) continue;  // cut off before it was done
      const InstructionTime& from = report_.instructions[token.from][token.from_instruction];
      const InstructionTime& to = report_.instructions[token.to][token.to_instruction];
      Flow("s", id, token.from, from.end > from.start ? from.end - 1 : from.start);
      Flow("f", id, token.to, to.start);
    }
  }
  void Flow(const char* phase, uint64_t id, Engine engine, uint64_t cycle) {
    Separate();
    out_ << "{\"ph\":\"" << phase << "\",\"cat\":\"token\",\"name\":\"token\",\"id\":" << id << ",\"pid\":" << kProcess
         << ",\"tid\":" << int{engine} << ",\"ts\":" << Time(cycle) << (*phase == 'f' ? ",\"bp\":\"e\"}" : "}");
  }

  void Counters() {
    for (const DramSample& s : report_.samples) {
      Separate();
      out_ << "{\"ph\":\"C\",\"name\":\"DRAM bytes\",\"pid\":" << kProcess << ",\"ts\":" << Time(s.cycle)
           << ",\"args\":{\"read\":" << s.read_bytes << ",\"write\":" << s.write_bytes << "}}";
    }
  }

  std::ostream& out_;
  const PreparedStep& step_;
  const TimingReport& report_;
  const uint32_t clock_mhz_;
  bool first_ = true;
};

}  // namespace

void WriteTrace(std::ostream& out, const PreparedStep& step, const TimingReport& report) {
  TraceWriter(out, step, report).Write();
}

}  // namespace xrun::simulator
