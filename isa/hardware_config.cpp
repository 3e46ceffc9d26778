#include "isa/hardware_config.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "isa/isa.h"
#include "isa/nearest.h"

namespace xrun {
namespace {

struct Field {
  const char* name;
  uint32_t HardwareConfig::*member;
  uint32_t min, max;
  const char* unit;
  bool functional;
};

constexpr Field kFields[] = {
#define X(field, def, lo, hi, unit, functional, brief) {#field, &HardwareConfig::field, lo, hi, unit, functional},
    XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
};

/// A configuration of AMD's naming: pixels x channels x channels, buffers as in its data sheet.
HardwareConfig Make(const char* name, uint32_t pixels, uint32_t channels) {
  HardwareConfig c;
  c.name = name;
  c.pixels = pixels;
  c.channels = channels;
  c.vector_pixels = pixels;
  c.requant_lanes = c.line_words() * channels;
  return c;
}

}  // namespace

uint32_t HardwareConfig::banks() const { return std::max(kSlots, std::bit_ceil(2 * pixels)); }

HardwareConfig HardwareConfig::Least() {
  HardwareConfig c;
  for (const Field& f : kFields) c.*f.member = f.min;
  return c;
}

Status Validate(const HardwareConfig& config) {
  for (const Field& f : kFields) {
    const uint32_t v = config.*f.member;
    if (v < f.min || v > f.max) {
      return Failure{"configuration '" + config.name + "': " + f.name + " is " + std::to_string(v) + ", outside " +
                         std::to_string(f.min) + "…" + std::to_string(f.max) + " " + f.unit,
                     ""};
    }
  }
  for (uint32_t HardwareConfig::*m : {&HardwareConfig::activation_rows, &HardwareConfig::weight_rows,
                                      &HardwareConfig::dram_port_bytes, &HardwareConfig::dram_burst_bytes}) {
    if (!std::has_single_bit(config.*m)) {
      const auto* f =
          std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& x) { return x.member == m; });
      return Failure{"configuration '" + config.name + "': " + f->name + " must be a power of two", ""};
    }
  }
  if (config.activation_words() > (1U << 18)) {
    return Failure{"configuration '" + config.name + "': more than 2^18 activation words", "lower activation_rows"};
  }
  const uint32_t slot = config.line_words() * config.channels;
  if (config.requant_lanes % config.channels != 0 || config.requant_lanes > slot) {
    return Failure{"configuration '" + config.name + "': requant_lanes must be a multiple of channels and at most " +
                       std::to_string(slot) + " (what the write slot takes)",
                   ""};
  }
  if (config.dram_burst_bytes < config.dram_port_bytes) {
    return Failure{"configuration '" + config.name + "': dram_burst_bytes is below dram_port_bytes", ""};
  }
  return {};
}

uint64_t Fingerprint(const HardwareConfig& config) {
  std::string text = "isa=" + std::to_string(kIsaMajor);
  for (const Field& f : kFields) {
    if (f.functional) text += std::string(";") + f.name + "=" + std::to_string(config.*f.member);
  }
  return XXH64(text.data(), text.size(), 0);
}

std::vector<std::string> FunctionalDifferences(const HardwareConfig& here, const HardwareConfig& there) {
  std::vector<std::string> result;
  for (const Field& f : kFields) {
    if (f.functional && here.*f.member != there.*f.member) {
      result.push_back(std::string(f.name) + ": " + std::to_string(here.*f.member) + " here, " +
                       std::to_string(there.*f.member) + " there");
    }
  }
  return result;
}

const std::vector<HardwareConfig>& BuiltInConfigs() {
  static const std::vector<HardwareConfig> configs = [] {
    std::vector<HardwareConfig> c = {Make("B512", 4, 8),   Make("B800", 4, 10),  Make("B1024", 8, 8),
                                     Make("B1152", 4, 12), Make("B1600", 8, 10), Make("B2304", 8, 12),
                                     Make("B3136", 8, 14), Make("B4096", 8, 16), Make("K26", 6, 16)};
    c.back().activation_rows = 4096;  // 1 MiB in 32 URAM
    return c;
  }();
  return configs;
}

Result<HardwareConfig> ConfigFromJson(std::string_view text, std::string_view where) {
  const std::string place(where);
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Failure{place + ": not a JSON object", "see `xobjdump --arch-json B4096` for the form"};
  HardwareConfig config;
  std::vector<std::string> known = {"name"};
  for (const Field& f : kFields) known.emplace_back(f.name);
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Failure{place + ": unknown field '" + key + "'", "did you mean '" + Nearest(key, known) + "'?"};
    }
  }
  if (!json.contains("name") || !json["name"].is_string()) return Failure{place + ": 'name' is missing", ""};
  config.name = json["name"].get<std::string>();
  for (const Field& f : kFields) {
    if (!json.contains(f.name)) return Failure{place + ": field '" + f.name + "' is missing", ""};
    const auto& value = json[f.name];
    if (!value.is_number_unsigned() || value.get<uint64_t>() > UINT32_MAX) {
      return Failure{place + ": field '" + std::string(f.name) + "' is not a whole number", ""};
    }
    config.*f.member = value.get<uint32_t>();
  }
  if (Status s = Validate(config); !s.ok()) return std::move(s).failure().In(place);
  return config;
}

std::string ConfigToJson(const HardwareConfig& config) {
  nlohmann::ordered_json json;
  json["name"] = config.name;
  for (const Field& f : kFields) json[f.name] = config.*f.member;
  return json.dump(2) + "\n";
}

Result<HardwareConfig> FindConfig(std::string_view name_or_path) {
  for (const HardwareConfig& c : BuiltInConfigs()) {
    if (c.name == name_or_path) return c;
  }
  const std::string path(name_or_path);
  if (path.ends_with(".json")) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return Failure{path + ": cannot be read", ""};
    return ConfigFromJson(text.str(), path);
  }
  std::vector<std::string> known;
  std::string list;
  for (const HardwareConfig& c : BuiltInConfigs()) {
    known.push_back(c.name);
    list += (list.empty() ? "" : ", ") + c.name;
  }
  return Failure{"unknown architecture '" + path + "'; did you mean '" + Nearest(path, known) + "'?",
                 "known are " + list + ", or the path of a .json description"};
}

}  // namespace xrun
