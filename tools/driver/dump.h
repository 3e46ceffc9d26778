#ifndef XRUN_TOOLS_DRIVER_DUMP_H_
#define XRUN_TOOLS_DRIVER_DUMP_H_

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isa/program.h"
#include "isa/result.h"
#include "simulator/timing_model.h"

namespace xrun::tools {

// The texts of xobjdump, each with its JSON form. All take a program that has passed Verify.

/// What stands in a program file's first bytes: versions and sections, which Program does not keep.
struct FileHeader {
  uint16_t format_major = 0, format_minor = 0, isa_major = 0, isa_minor = 0;
  uint64_t file_bytes = 0, fingerprint = 0;
  struct Section {
    std::string name;
    uint64_t offset = 0, bytes = 0, checksum = 0;
    uint32_t alignment = 0;
  };
  std::vector<Section> sections;
};

/// Of a file that ReadProgram has accepted. Fails when it has changed since.
Result<FileHeader> ReadFileHeader(const std::string& path);

std::string HeaderText(const Program& program, const FileHeader& header);
nlohmann::ordered_json HeaderJson(const Program& program, const FileHeader& header);

std::string SectionsText(const FileHeader& header);
nlohmann::ordered_json SectionsJson(const FileHeader& header);

/// Tensors that cross steps, with the registers and layouts they are bound to.
std::string TensorsText(const Program& program);
nlohmann::ordered_json TensorsJson(const Program& program);

/// Every instruction of every overlay step: streams as the assembler takes them, with node names and instruction
/// numbers in comments; CPU steps in between as comments. With `node`, its instructions only.
std::string DisassemblyText(const Program& program, std::optional<uint32_t> node = {});
nlohmann::ordered_json DisassemblyJson(const Program& program, std::optional<uint32_t> node = {});

/// Index of a node by name; "did you mean" otherwise.
Result<uint32_t> FindNode(const Program& program, const std::string& name);

/// Each node's place and the instructions that work for it.
std::string MapText(const Program& program);
nlohmann::ordered_json MapJson(const Program& program);

/// What one node cost in the simulator's timed mode, one request, cold.
struct LayerProfile {
  size_t step = 0;              ///< overlay step
  uint32_t node = 0;            ///< index into Program::nodes
  uint64_t start = 0, end = 0;  ///< in cycles from the launch
  std::array<uint64_t, kEngines> busy{};
  uint64_t dram_bytes = 0;
  std::array<uint64_t, simulator::kStallCauses> waited{};  ///< cycles its instructions stood still, by cause
  /// Of a node with Conv instructions: its MACs over the array's peak, and where the array's time beyond it goes
  /// (causes.h).
  double array_bound = 0;
  std::vector<std::pair<std::string, double>> causes;
};
/// Of every node that has instructions, in order of steps and nodes.
Result<std::vector<LayerProfile>> ProfileLayers(const Program& program);

/// The simulator's timed mode of every overlay step for one request: cycles of each node, what kept each engine busy or
/// waiting, bytes moved.
struct Profile {
  std::string text;
  nlohmann::ordered_json json;
};
Result<Profile> ProfileProgram(const Program& program);

/// Where two programs differ, one line a difference; empty when they do the same in the same way.
std::vector<std::string> DiffPrograms(const Program& here, const Program& there);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_DUMP_H_
