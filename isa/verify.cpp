// The verifier is exact: tokens and ring make the order of a program's instructions a matter of the program alone
// (isa/README.md, section 4), so playing it through once shows every order that hardware could show. Instructions are
// checked one by one here; verify_flow.cpp plays them, verify_shadow.cpp watches memory.

#include <bit>
#include <numeric>

#include "isa/program_file.h"
#include "isa/verify_step.h"

namespace xrun {
namespace {

/// Bases, limits and granules of a step's DRAM accesses.
class DramCheck {
 public:
  explicit DramCheck(VerifiedStep& step) : step_(step) {}

  Status Check(const Instruction& instruction) {
    return std::visit([this](const auto& x) { return One(x); }, instruction);
  }

 private:
  template <typename T>
  Status One(const T&) {
    return {};
  }
  Status One(const Load& x) { return Copy(x, false); }
  Status One(const Save& x) { return Copy(x, true); }
  Status One(const LoadWeights& x) {
    if (x.rows == 0) return {};
    return Bytes(x.base, x.offset, uint64_t{x.rows} * config().weight_row_bytes(), 1, 0, 1, 0, false);
  }
  Status One(const LoadMatrix& x) {
    return Bytes(x.base, x.offset, MatrixBlockBytes(x, config()), x.rows, x.row_stride, 1, 0, false);
  }
  Status One(const LoadPacked& x) {
    if (uint64_t{x.rows} * x.cols > config().activation_words()) return TooManyWords();
    for (const PackedBlocks& blocks : BlocksOf(x)) {
      if (blocks.rows == 0) continue;
      if (auto status = Bytes(x.base, blocks.offset, blocks.bytes, blocks.rows, blocks.stride, 1, 0, false);
          !status.ok()) {
        return status;
      }
    }
    return {};
  }
  Status One(const LoadVector& x) {
    return Bytes(x.base, x.offset, uint64_t{x.rows} * config().channels, 1, 0, 1, 0, false);
  }

  /// More words than there are: the same word twice at least. Nobody needs it, and it bounds what one instruction
  /// costs.
  static Status TooManyWords() { return Failure{"copies more words than activation memory has", ""}; }

  template <typename T>
  Status Copy(const T& x, bool write) {
    if (uint64_t{x.planes} * x.rows * x.cols > config().activation_words()) return TooManyWords();
    return Bytes(x.base, x.offset, uint64_t{x.cols} * config().channels, x.rows, x.row_stride, x.planes, x.plane_stride,
                 write);
  }

  Status Bytes(uint32_t base, uint64_t offset, uint64_t length, uint64_t rows, uint64_t row_stride, uint64_t planes,
               uint64_t plane_stride, bool write) {
    if (write && base != kBaseWorkspace && !IsOutput(base)) {
      return Failure{"writes to " + BaseName(base) + ", which is read-only", ""};
    }
    if (base == kBaseStatus) return Failure{"reads the status page, which belongs to the launch logic", ""};
    const uint64_t limit = step_.limits[base];
    if (limit == 0) return Failure{"uses " + BaseName(base) + ", which is not set or empty", ""};
    const uint64_t end = offset + (rows - 1) * row_stride + (planes - 1) * plane_stride + length;
    if (end > limit) {
      return Failure{"reaches byte " + std::to_string(end - 1) + " of " + BaseName(base) + ", whose limit is " +
                         std::to_string(limit),
                     ""};
    }
    uint64_t& granule = step_.granules[base];
    for (uint64_t part : {offset, length, rows > 1 ? row_stride : 0, planes > 1 ? plane_stride : 0}) {
      granule = std::gcd(granule, part);
    }
    return {};
  }

  const HardwareConfig& config() const { return step_.program->config; }

  VerifiedStep& step_;
};

/// Devices are asked for what the header says, so nothing may need more.
Status CheckCapabilities(const Instruction& instruction, uint64_t asked_for) {
  const uint64_t missing = CapabilitiesOf(instruction) & ~asked_for;
  if (missing == 0) return {};
  return Failure{
      "needs capability " + std::to_string(std::countr_zero(missing)) + ", which the header does not ask for", ""};
}

Status DecodeStreams(VerifiedStep& v) {
  DramCheck dram(v);
  for (uint8_t e = 0; e < kEngines; ++e) {
    const auto engine = static_cast<Engine>(e);
    for (const bool in_body : {false, true}) {
      const auto words = in_body ? v.step->body[e] : v.step->prologue[e];
      auto& instructions = in_body ? v.body[e] : v.prologue[e];
      instructions.reserve(words.size());
      for (uint32_t i = 0; i < words.size(); ++i) {
        const auto instruction = Decode(words[i], engine);
        Status status =
            instruction.ok() ? CheckFields(*instruction, engine, v.program->config) : Status(instruction.failure());
        if (status.ok()) status = CheckCapabilities(*instruction, v.program->capabilities);
        if (status.ok()) status = dram.Check(*instruction);
        if (!status.ok()) return std::move(status).failure().In(v.Name(engine, in_body, i));
        instructions.push_back(*instruction);
      }
    }
  }
  return {};
}

/// Which half of a staggered program may use which register.
Status CheckHalves(const VerifiedStep& v) {
  for (uint8_t e = 0; e < kEngines; ++e) {
    const auto engine = static_cast<Engine>(e);
    for (uint32_t i = 0; i < v.prologue[e].size(); ++i) {
      if (HeaderOf(v.prologue[e][i]).late != 0) {
        return Failure{"the prologue has no halves", ""}.In(v.Name(engine, false, i));
      }
    }
    for (uint32_t i = 0; i < v.body[e].size(); ++i) {
      const bool late = HeaderOf(v.body[e][i]).late != 0;
      for (const Access& a : Footprint(v.body[e][i], v.program->config)) {
        if (a.memory != Memory::kDram || a.base == kBaseWeights || a.base == kBaseWorkspace) continue;
        const bool back = a.base == v.step->stagger->in || (IsOutput(a.base) && a.base != v.step->stagger->out);
        if (back == late) continue;
        return Failure{std::string("uses ") + BaseName(a.base) + ", which is the other half's", ""}.In(
            v.Name(engine, true, i));
      }
    }
  }
  return {};
}

/// Over a body there are as many signals as waits for each pair, and the ring comes round to where it was.
Status CheckBalance(const VerifiedStep& v) {
  int64_t tokens[kEngines][kEngines] = {};
  uint64_t acquired = 0;
  uint64_t released = 0;
  for (size_t e = 0; e < kEngines; ++e) {
    for (const Instruction& instruction : v.body[e]) {
      const Header& header = HeaderOf(instruction);
      for (size_t other = 0; other < kEngines; ++other) {
        tokens[e][other] += header.signal >> other & 1;
        tokens[other][e] -= header.wait >> other & 1;
      }
      acquired += AcquireOf(instruction);
      if (const auto* conv = std::get_if<Conv>(&instruction)) released += conv->release;
    }
  }
  for (uint8_t from = 0; from < kEngines; ++from) {
    for (uint8_t to = 0; to < kEngines; ++to) {
      if (tokens[from][to] == 0) continue;
      const bool more_signals = tokens[from][to] > 0;
      return Failure{"the bodies are not balanced: " + std::to_string(std::abs(tokens[from][to])) + " more " +
                         (more_signals ? "signals" : "waits") + " than " + (more_signals ? "waits" : "signals") +
                         " from " + std::string(EngineName(static_cast<Engine>(from))) + " to " +
                         std::string(EngineName(static_cast<Engine>(to))),
                     ""};
    }
  }
  if (acquired != released) {
    return Failure{
        "the bodies acquire " + std::to_string(acquired) + " weight ring rows and release " + std::to_string(released),
        ""};
  }
  if (acquired % v.program->config.weight_rows != 0) {
    return Failure{"the bodies acquire " + std::to_string(acquired) + " weight ring rows, no multiple of the ring's " +
                       std::to_string(v.program->config.weight_rows),
                   "an acquire-only LoadWeights makes up the difference"};
  }
  return {};
}

Status VerifyStep(const Program& program, const OverlayStep& step) {
  VerifiedStep v;
  v.program = &program;
  v.step = &step;
  v.limits[kBaseWeights] = program.weights.size();
  v.limits[kBaseWorkspace] = step.stagger ? step.stagger->offset : step.workspace_bytes;
  if (step.stagger) v.limits[step.stagger->out] = v.limits[step.stagger->in] = step.stagger->bytes;
  for (const auto* bindings : {&step.inputs, &step.outputs}) {
    for (const Binding& b : *bindings) v.limits[b.base] += b.layout.Bytes(program.config);
  }
  for (size_t e = 0; e < kEngines; ++e) {
    constexpr uint64_t kMaxExecutions = uint64_t{1} << 29;
    if (step.prologue[e].size() + kVerifiedRequests * uint64_t{step.body[e].size()} > kMaxExecutions) {
      return Failure{"the " + std::string(EngineName(static_cast<Engine>(e))) + " stream is too long", ""};
    }
  }
  XRUN_RETURN_IF_ERROR(DecodeStreams(v));
  if (step.stagger) {
    XRUN_RETURN_IF_ERROR(CheckHalves(v));
    uint64_t& granule = v.granules[step.stagger->out];  // one memory behind two registers
    granule = v.granules[step.stagger->in] = std::gcd(granule, v.granules[step.stagger->in]);
  }
  XRUN_RETURN_IF_ERROR(CheckBalance(v));
  return VerifyFlow(v);
}

}  // namespace

const Instruction& VerifiedStep::At(Engine engine, uint32_t sequence) const {
  const auto& first = prologue[engine];
  if (sequence < first.size()) return first[sequence];
  return body[engine][(sequence - first.size()) % body[engine].size()];
}

uint32_t VerifiedStep::RequestOf(Engine engine, uint32_t sequence) const {
  const auto& first = prologue[engine];
  if (sequence < first.size()) return 0;
  return static_cast<uint32_t>((sequence - first.size()) / body[engine].size());
}

std::string VerifiedStep::Name(Engine engine, bool in_body, uint32_t index, const std::string& when) const {
  const auto words = in_body ? step->body[engine] : step->prologue[engine];
  std::string name = std::string(EngineName(engine)) + (in_body ? " body" : " prologue") + " instruction " +
                     std::to_string(index) + when + " `" + Disassemble(words[index], engine) + "`";
  if (const std::string node = in_body ? NodeOf(*program, *step, engine, index) : ""; !node.empty()) {
    name += " (node '" + node + "')";
  }
  return name;
}

std::string VerifiedStep::Name(Engine engine, uint32_t sequence) const {
  const auto first = static_cast<uint32_t>(prologue[engine].size());
  if (sequence < first) return Name(engine, false, sequence);
  return Name(engine, true, static_cast<uint32_t>((sequence - first) % body[engine].size()),
              " of request " + std::to_string(RequestOf(engine, sequence)));
}

std::string BaseName(uint32_t base) {
  const std::string number = " (base register " + std::to_string(base) + ")";
  if (base == kBaseWeights) return "weights" + number;
  if (base == kBaseWorkspace) return "the workspace" + number;
  if (base == kBaseStatus) return "the status page" + number;
  return (IsInput(base) ? "an input" : "an output") + number;
}

std::string NodeOf(const Program& program, const OverlayStep& step, Engine engine, uint32_t index) {
  for (const NodeRange& r : step.ranges) {
    if (r.engine == engine && index >= r.first && index - r.first < r.count && r.node < program.nodes.size()) {
      return program.nodes[r.node].name;
    }
  }
  return "";
}

Status Verify(const Program& program) {
  XRUN_RETURN_IF_ERROR(CheckStructure(program));
  for (size_t i = 0; i < program.overlay_steps.size(); ++i) {
    if (Status s = VerifyStep(program, program.overlay_steps[i]); !s.ok()) {
      return std::move(s).failure().In("overlay step " + std::to_string(i));
    }
  }
  return {};
}

}  // namespace xrun
