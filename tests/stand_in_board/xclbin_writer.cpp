#include "tests/stand_in_board/xclbin_writer.h"

#include <xclbin.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "isa/atomic_file.h"
#include "isa/launch.h"

namespace xrun {
namespace {

constexpr uint64_t kUnitBase = 0x80000000, kUnitSpan = 0x10000;

struct Section {
  axlf_section_kind kind;
  std::vector<uint8_t> bytes;
};

template <typename T>
void Append(std::vector<uint8_t>& to, const T& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof(T));
}

template <size_t N>
void CopyName(unsigned char (&to)[N], const std::string& name) {
  std::memset(to, 0, N);
  std::memcpy(to, name.data(), std::min(name.size(), N - 1));
}

std::string Hex(uint64_t value) {
  std::string text;
  do {
    text.insert(text.begin(), "0123456789ABCDEF"[value & 0xF]);
    value >>= 4;
  } while (value != 0);
  return "0x" + text;
}

std::string UnitName(uint32_t unit) { return "xrun_overlay_" + std::to_string(unit + 1); }

struct Argument {
  const char* name;
  uint32_t offset, bytes;
  bool address;
  const char* type;
};
constexpr Argument kArguments[] = {
    {"program", launch::kRegProgram, 8, true, "void*"},
    {"weights", launch::kRegWeights, 8, true, "void*"},
    {"requests", launch::kRegRequests, 8, true, "void*"},
    {"status", launch::kRegStatus, 8, true, "void*"},
    {"request_count", launch::kRegRequestCount, 4, false, "unsigned int"},
    {"cycle_limit", launch::kRegCycleLimit, 8, false, "unsigned long"},
    {"flags", launch::kRegFlags, 4, false, "unsigned int"},
};

std::string MetadataXml(const XclbinOptions& options) {
  const std::string clock = std::to_string(options.config.clock_mhz) + "MHz";
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project name=\"xrun_overlay\">\n"
      " <platform vendor=\"xrun\" boardid=\"" +
      options.platform + "\" name=\"" + options.platform +
      "\" featureRomTime=\"0\">\n  <version major=\"1\" minor=\"0\"/>\n"
      "  <device name=\"fpga0\" fpgaDevice=\"xrun\" addrWidth=\"0\">\n"
      "   <core name=\"OCL_REGION_0\" target=\"hw\" type=\"clc_region\" clockFreq=\"" +
      clock + "\" numComputeUnits=\"" + std::to_string(options.units) +
      "\">\n    <kernelClocks><clock port=\"KERNEL_CLK\" frequency=\"" + clock +
      "\"/></kernelClocks>\n"
      "    <kernel name=\"xrun_overlay\" language=\"ip\" vlnv=\"xrun:kernel:xrun_overlay:1.0\" "
      "preferredWorkGroupSizeMultiple=\"0\" workGroupSize=\"1\" interrupt=\"true\" "
      "hwControlProtocol=\"ap_ctrl_hs\">\n"
      "     <port name=\"M_AXI_GMEM0\" mode=\"master\" range=\"0xFFFFFFFFFFFFFFFF\" dataWidth=\"" +
      std::to_string(8 * options.config.dram_port_bytes) +
      "\" portType=\"addressable\" base=\"0x0\"/>\n"
      "     <port name=\"S_AXI_CONTROL\" mode=\"slave\" range=\"0x1000\" dataWidth=\"32\" portType=\"addressable\" "
      "base=\"0x0\"/>\n";
  for (size_t i = 0; i < std::size(kArguments); ++i) {
    const Argument& a = kArguments[i];
    xml += "     <arg name=\"" + std::string(a.name) + "\" addressQualifier=\"" + (a.address ? "1" : "0") + "\" id=\"" +
           std::to_string(i) + "\" port=\"" + (a.address ? "M_AXI_GMEM0" : "S_AXI_CONTROL") + "\" size=\"" +
           Hex(a.bytes) + "\" offset=\"" + Hex(a.offset) + "\" hostOffset=\"0x0\" hostSize=\"" + Hex(a.bytes) +
           "\" type=\"" + a.type + "\"/>\n";
  }
  for (uint32_t unit = 0; unit < options.units; ++unit) {
    xml += "     <instance name=\"" + UnitName(unit) + "\"><addrRemap base=\"" + Hex(kUnitBase + kUnitSpan * unit) +
           "\" range=\"" + Hex(kUnitSpan) + "\" port=\"S_AXI_CONTROL\"/></instance>\n";
  }
  return xml + "    </kernel>\n   </core>\n  </device>\n </platform>\n</project>\n";
}

std::vector<uint8_t> MemoryTopology(const XclbinOptions& options) {
  std::vector<uint8_t> bytes(offsetof(mem_topology, m_mem_data));
  const auto count = static_cast<int32_t>(options.banks);
  std::memcpy(bytes.data(), &count, sizeof(count));
  for (uint32_t bank = 0; bank < options.banks; ++bank) {
    mem_data data{};
    data.m_type = MEM_DDR4;
    data.m_used = 1;
    data.m_size = options.bank_bytes / 1024;
    data.m_base_address = options.bank_bytes * bank;
    CopyName(data.m_tag, "bank" + std::to_string(bank));
    Append(bytes, data);
  }
  return bytes;
}

std::vector<uint8_t> IpLayout(const XclbinOptions& options) {
  std::vector<uint8_t> bytes(offsetof(ip_layout, m_ip_data));
  const auto count = static_cast<int32_t>(options.units);
  std::memcpy(bytes.data(), &count, sizeof(count));
  for (uint32_t unit = 0; unit < options.units; ++unit) {
    ip_data data{};
    data.m_type = IP_KERNEL;
    data.properties = (AP_CTRL_HS << IP_CONTROL_SHIFT) | IP_INT_ENABLE_MASK | (unit << IP_INTERRUPT_ID_SHIFT);
    data.m_base_address = kUnitBase + kUnitSpan * unit;
    CopyName(data.m_name, "xrun_overlay:" + UnitName(unit));
    Append(bytes, data);
  }
  return bytes;
}

std::vector<uint8_t> Connectivity(const XclbinOptions& options) {
  std::vector<uint8_t> bytes(offsetof(connectivity, m_connection));
  int32_t count = 0;
  for (uint32_t unit = 0; unit < options.units; ++unit) {
    for (size_t a = 0; a < std::size(kArguments); ++a) {
      if (!kArguments[a].address) continue;
      for (uint32_t bank : options.reached) {
        Append(bytes, connection{static_cast<int32_t>(a), static_cast<int32_t>(unit), static_cast<int32_t>(bank)});
        ++count;
      }
    }
  }
  std::memcpy(bytes.data(), &count, sizeof(count));
  return bytes;
}

/// FNV-1a, from two starting values.
uint64_t Hash(const std::vector<uint8_t>& bytes, uint64_t hash) {
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 1099511628211ULL;
  return hash;
}

}  // namespace

Result<std::vector<uint8_t>> BuildXclbin(const XclbinOptions& options) {
  XRUN_RETURN_IF_ERROR(Validate(options.config));
  if (options.units < 1 || options.units > 32) return Failure{"an xclbin has 1 to 32 units of the overlay", ""};
  if (options.banks < 1 || options.banks > 16) return Failure{"an xclbin has 1 to 16 memory banks", ""};
  for (uint32_t bank : options.reached) {
    if (bank >= options.banks) return Failure{"there is no memory bank " + std::to_string(bank), ""};
  }
  if (options.reached.empty()) return Failure{"the units must reach a memory bank", ""};

  const std::string xml = MetadataXml(options), json = ConfigToJson(options.config);
  std::vector<Section> sections;
  if (!options.bitstream.empty()) sections.push_back({BITSTREAM, options.bitstream});
  sections.push_back({EMBEDDED_METADATA, {xml.begin(), xml.end()}});
  sections.push_back({USER_METADATA, {json.begin(), json.end()}});
  sections.push_back({MEM_TOPOLOGY, MemoryTopology(options)});
  sections.push_back({IP_LAYOUT, IpLayout(options)});
  sections.push_back({CONNECTIVITY, Connectivity(options)});

  const auto align = [](std::vector<uint8_t>& bytes) { bytes.resize((bytes.size() + 7) / 8 * 8); };
  std::vector<uint8_t> file(offsetof(axlf, m_sections) + sections.size() * sizeof(axlf_section_header));
  align(file);
  std::vector<axlf_section_header> headers;
  for (const Section& section : sections) {
    axlf_section_header header{};
    header.m_sectionKind = section.kind;
    header.m_sectionOffset = file.size();
    header.m_sectionSize = section.bytes.size();
    headers.push_back(header);
    file.insert(file.end(), section.bytes.begin(), section.bytes.end());
    align(file);
  }
  axlf top{};
  std::memcpy(top.m_magic, "xclbin2", 8);
  top.m_signature_length = -1;
  std::memset(top.reserved, 0xFF, sizeof(top.reserved));
  top.m_header.m_length = file.size();
  top.m_header.m_versionMajor = 2;
  top.m_header.m_versionMinor = 13;
  top.m_header.m_mode = XCLBIN_PR;
  CopyName(top.m_header.m_platformVBNV, options.platform);
  top.m_header.m_numSections = static_cast<uint32_t>(sections.size());
  const uint64_t low = Hash(file, 14695981039346656037ULL), high = Hash(file, low ^ 0x9E3779B97F4A7C15ULL);
  std::memcpy(top.m_header.uuid, &low, 8);
  std::memcpy(top.m_header.uuid + 8, &high, 8);
  top.m_uniqueId = low;
  std::memcpy(file.data(), &top, offsetof(axlf, m_sections));
  std::memcpy(file.data() + offsetof(axlf, m_sections), headers.data(), headers.size() * sizeof(axlf_section_header));
  return file;
}

Status WriteXclbin(const XclbinOptions& options, const std::filesystem::path& path) {
  XRUN_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, BuildXclbin(options));
  return WriteFileAtomically(path, bytes);
}

}  // namespace xrun
