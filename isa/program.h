#ifndef XRUN_ISA_PROGRAM_H_
#define XRUN_ISA_PROGRAM_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isa/assembly.h"
#include "isa/hardware_config.h"
#include "isa/launch.h"
#include "isa/result.h"

namespace xrun {

/// Version of the file format. A reader takes its own major; a higher minor only adds optional sections.
constexpr uint16_t kFormatMajor = 1;
constexpr uint16_t kFormatMinor = 0;

/// Element types that stand in a program file. Values are part of the format.
enum class ElementType : uint8_t { kFloat32 = 0, kInt8 = 1, kInt32 = 2, kInt64 = 3, kBool = 4 };
size_t ElementBytes(ElementType type);

/// A tensor that crosses a step's border: model input or output, or a value handed between steps. Always in the model's
/// own layout (row-major, as ONNX has it) on the host side.
struct TensorDesc {
  std::string name;  ///< ONNX name
  ElementType type = ElementType::kFloat32;
  std::vector<int64_t> shape;
  float scale = 0.0F;  ///< int8 only: real = scale · (q − zero_point)
  int32_t zero_point = 0;
};

/// How an int8 tensor lies in a DRAM buffer of the overlay: channel-group-major (isa/README.md, section 3). The
/// tensor's shape is read as [N, C, H, W] with `batch`·`channels`·`height`·`width` elements in that row-major order;
/// request buffers hold `batch` images one after another. Physical channel of logical channel c: channel_map[c], or c
/// if empty.
struct BufferLayout {
  uint32_t batch = 1, channels = 1, height = 1, width = 1;
  uint32_t groups = 1;  ///< physical channel groups
  std::vector<uint32_t> channel_map;
  /// Pixel after pixel of `channels` bytes each, one group, no map: shallow inputs, read by LoadPacked.
  bool dense = false;
  /// Bytes of a pixel of one group.
  uint32_t Word(const HardwareConfig& config) const { return dense ? channels : config.channels; }
  uint64_t Bytes(const HardwareConfig& config) const {
    return uint64_t{batch} * groups * height * width * Word(config);
  }
};

/// A tensor bound to a base register for one launch. Inputs (outputs) with the same register stand next to each other
/// in their list and lie one after another, without gaps and in this order, in the register's buffer: that is how a
/// step has more of them than there are registers.
struct Binding {
  uint32_t tensor = 0;  ///< index into Program::tensors, type kInt8
  uint32_t base = 0;    ///< base register (inputs 2…7, outputs 8…14)
  BufferLayout layout;
};

/// Instructions [first, first + count) of one engine's body (or prologue) that work for one node of the model. Ranges
/// of one engine do not overlap and ascend; instructions between them belong to no node.
struct NodeRange {
  uint32_t node = 0;  ///< index into Program::nodes
  Engine engine = kLoad;
  uint32_t first = 0, count = 0;
};

/// A maximal set of overlay nodes run by one launch.
struct OverlayStep {
  std::array<std::span<const InstructionWord>, kEngines> prologue, body;
  std::vector<Binding> inputs, outputs;
  uint64_t workspace_bytes = 0;   ///< per request
  std::vector<NodeRange> ranges;  ///< of the bodies
  /// Overlay-internal tensors that can be inspected (xcompile --debug-tensors), in order of execution: where in the
  /// workspace they lie when the body is done.
  struct Watch {
    std::string name;
    uint64_t workspace_offset = 0;
    BufferLayout layout;
    float scale = 0.0F;
    int32_t zero_point = 0;
    std::vector<int64_t> shape;  ///< the model's, as many elements as the layout has
    uint32_t node = 0;           ///< that makes it: index into Program::nodes
  };
  std::vector<Watch> watches;
  /// Set for a staggered step (isa/README.md, section 4): instructions with `late` are its back half and work for the
  /// request before. What the front half hands over lies in each request's workspace at [offset, offset + bytes):
  /// register `out` (an output's) is that place of the own request, `in` (an input's) that of the request before.
  struct Stagger {
    uint32_t out = 0, in = 0;
    uint64_t offset = 0, bytes = 0;
    bool operator==(const Stagger&) const = default;
  };
  std::optional<Stagger> stagger;
  /// Whether an instruction of the front (`late`: back) half has no request to work for in this entry.
  bool Idle(bool late, uint32_t entry, uint32_t entries) const {
    return launch::IsIdle(stagger.has_value(), late, entry, entries);
  }
  /// The request that an instruction works for in an entry in which it is not idle.
  uint32_t RequestOf(bool late, uint32_t entry) const { return stagger && late ? entry - 1 : entry; }
  /// Entries of the request table of a launch with so many requests.
  uint32_t Entries(uint32_t requests) const { return requests + (stagger && requests != 0 ? 1 : 0); }
  uint32_t Requests(size_t entries) const { return static_cast<uint32_t>(entries - (stagger && entries != 0 ? 1 : 0)); }
};

/// One operator of a CPU partition. `op` is a name of runtime/cpu/op.h; attributes as lists of numbers.
struct CpuAttribute {
  std::string name;
  std::vector<double> values;
};
struct CpuStep {
  std::string op;
  std::vector<CpuAttribute> attributes;
  std::vector<int32_t> inputs;  ///< tensor indices; −1 for an absent optional input
  std::vector<int32_t> outputs;
  uint32_t node = 0;  ///< index into Program::nodes
};

/// One node of the source model as users know it, for reports and error messages.
struct NodeInfo {
  std::string name;       ///< ONNX node name
  std::string op;         ///< ONNX-like operator name
  std::string placement;  ///< "overlay", "cpu", or "folded"
  std::string reason;     ///< why it is there
  uint64_t macs = 0;
};

/// A constant of a CPU step: tensor index and its bytes inside the constants section.
struct ConstantData {
  uint32_t tensor = 0;
  std::span<const uint8_t> bytes;
};

struct Step {
  enum class Kind : uint8_t { kOverlay, kCpu } kind = Kind::kOverlay;
  uint32_t index = 0;  ///< into Program::overlay_steps or Program::cpu_steps
};

/// A compiled model: everything a runtime needs. Spans point into `storage` (a mapped file, or buffers of the
/// compiler).
struct Program {
  std::string model_name;
  HardwareConfig config;
  uint16_t isa_minor = kIsaMinor;  ///< the device's must not be lower
  uint64_t capabilities = 0;       ///< bits the device must have
  std::vector<TensorDesc> tensors;
  std::vector<uint32_t> inputs, outputs;  ///< tensor indices, in the model's order
  std::vector<Step> steps;                ///< executed in order
  std::vector<OverlayStep> overlay_steps;
  std::vector<CpuStep> cpu_steps;
  std::vector<ConstantData> constants;
  std::vector<NodeInfo> nodes;
  std::span<const uint8_t> weights;         ///< one section shared by all overlay steps; base register 0
  std::string preprocessing;                ///< JSON, empty if none
  std::map<std::string, std::string> info;  ///< compiler, options, calibration, …: shown, never interpreted

  std::vector<std::shared_ptr<const void>> storage;  ///< keeps the spans alive
};

/// Serializes (canonical: same program, same bytes) and writes atomically: a temporary file beside `path`, renamed when
/// complete; a full disk or a failed write leaves nothing behind and is reported.
Result<std::vector<uint8_t>> Serialize(const Program& program);
Status WriteProgram(const Program& program, const std::filesystem::path& path);

/// Parses and verifies. No byte is trusted: sizes, offsets, checksums, FlatBuffers verifier, then Verify(). ReadProgram
/// maps the file. `where` names the file in failures.
Result<Program> ParseProgram(std::shared_ptr<const std::vector<uint8_t>> bytes, const std::string& where);
Result<Program> ReadProgram(const std::filesystem::path& path);

/// Refuses a program that is out of range, over limits, reads what was never written, deadlocks, overflows a token
/// counter, leaves ring or tokens unbalanced, or has a race; for requests following each other in one launch too. The
/// failure names step, engine, instruction index, its disassembly and the ONNX node. Exact, not conservative: see
/// verify.cpp.
Status Verify(const Program& program);

/// Name of the node whose range holds instruction `index` of `engine`'s body; empty if none.
std::string NodeOf(const Program& program, const OverlayStep& step, Engine engine, uint32_t index);

}  // namespace xrun

#endif  // XRUN_ISA_PROGRAM_H_
