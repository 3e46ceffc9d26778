// xquery: devices, what an overlay is, and what is wrong with a board.

#include <chrono>
#include <cstdio>

#include "isa/launch_image.h"
#include "runtime/device.h"
#include "tools/common/table.h"
#include "tools/common/tool.h"
#include "tools/driver/doctor.h"
#ifdef XRUN_HAVE_XRT
#include "runtime/xrt_device.h"
#endif

namespace {

using namespace xrun;

struct QueryFlags {
  std::string device, root = "/";
  bool arch_json = false, doctor = false;
  std::vector<uint32_t> user;
  std::string xilinx_xrt;

  void AddTo(CLI::App& app) {
    app.add_option("DEV", device, "Device: xrt:N[,xclbin=FILE], sim:CONFIG [all that XRT sees]")->type_name("DEVICE");
    auto* arch =
        app.add_flag("--arch-json", arch_json, "Print the device's configuration as JSON, for xcompile --arch");
    app.add_flag("--doctor", doctor, "Check driver, app, permissions, memory, XRT, clock; print what repairs them")
        ->excludes(arch);
    // For tests: another system's files, another user (its id, then its groups).
    app.add_option("--root", root)->group("");
    app.add_option("--user", user)->delimiter(',')->group("");
    app.add_option("--xilinx-xrt", xilinx_xrt)->group("");
  }
};

struct Field {
  const char *name, *unit, *brief;
  bool functional;
  uint32_t value;
};

std::vector<Field> FieldsOf(const HardwareConfig& config) {
  std::vector<Field> fields;
#define X(field, def, lo, hi, unit, functional, brief) \
  fields.push_back({#field, unit, brief, functional, config.field});
  XRUN_FOR_EACH_CONFIG_FIELD(X)
#undef X
  return fields;
}

/// Prints what a device is.
Status Describe(const std::string& name, const tools::Tool& tool, nlohmann::ordered_json& document) {
  const auto begin = std::chrono::steady_clock::now();
  XRUN_ASSIGN_OR_RETURN(const auto device, runtime::OpenDevice(name));
  const double opened = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  const bool text = tool.common().text();
  const auto line = [&](const char* key, const std::string& value) {
    if (text && !value.empty()) std::printf("  %-14s %s\n", key, value.c_str());
    if (!value.empty()) document[key] = value;
  };
  if (text) std::printf("%s: %s\n", name.c_str(), device->description().c_str());
  document["device"] = name;
  document["description"] = device->description();
#ifdef XRUN_HAVE_XRT
  if (const auto report = runtime::ReportXrtDevice(*device); report.ok()) {
    line("board", report->board);
    line("address", report->bus_address);
    line("xclbin", report->xclbin);
    line("uuid", report->uuid);
    for (const std::string& unit : report->units) line("unit", unit);
    document["unit"] = report->units;
    for (const std::string& bank : report->banks) line("memory", bank);
    document["memory"] = report->banks;
    if (report->max_clock_mhz != 0) line("XRT's clock", std::to_string(report->max_clock_mhz) + " MHz");
  }
#endif
  line("ISA", std::to_string(kIsaMajor) + "." + std::to_string(device->isa_minor()));
  line("capabilities", runtime::CapabilityText(device->capabilities()));
  char answer[64];
  std::snprintf(answer, sizeof(answer), "opened, answers (%.1f ms)", opened);
  if (text) std::printf("  %-14s %s\n", "status", answer);
  document["status"] = "opened, answers";
  if (!device->config()) {
    if (text) std::printf("  takes every configuration\n");
    return {};
  }
  char fingerprint[24];
  std::snprintf(fingerprint, sizeof(fingerprint), "%016llx",
                static_cast<unsigned long long>(Fingerprint(*device->config())));
  line("fingerprint", fingerprint);
  for (const HardwareConfig& built_in : BuiltInConfigs()) {
    if (built_in.name != device->config()->name) continue;
    for (const std::string& field : launch::AllDifferences(built_in, *device->config())) {
      line("differs", field + " (here: the built-in " + built_in.name + ")");
    }
  }
  tools::Table table({{"field"}, {"value", tools::Table::Align::kRight}, {"unit"}, {"what it is"}});
  for (const Field& field : FieldsOf(*device->config())) {
    table.AddRow({field.name, std::to_string(field.value), field.unit,
                  std::string(field.brief) + (field.functional ? "" : " (time only)")});
    document["config"][field.name] = field.value;
  }
  if (text) std::printf("\n  configuration %s\n%s", device->config()->name.c_str(), table.ToString(2).c_str());
  return {};
}

Status ListDevices(const tools::Tool& tool, nlohmann::ordered_json& document) {
  auto& list = document["devices"] = nlohmann::ordered_json::array();
  const auto show = [&](const std::string& name, const std::string& what) {
    if (tool.common().text()) std::printf("%-8s %s\n", name.c_str(), what.c_str());
    list.push_back({{"device", name}, {"description", what}});
  };
  show("sim", "the instruction-level simulator, in every build");
#ifdef XRUN_HAVE_XRT
  const auto count = runtime::CountXrtDevices();
  if (!count.ok()) {
    show("xrt:N", count.failure().message + "; xquery --doctor looks");
    return {};
  }
  if (*count == 0) show("xrt:N", "XRT sees no device; xquery --doctor looks");
  for (unsigned i = 0; i < *count; ++i) {
    const std::string name = "xrt:" + std::to_string(i);
    const auto device = runtime::OpenDevice(name);
    show(name, device.ok() ? (*device)->description() : device.failure().ToString());
  }
#else
  show("xrt:N", "not in this build (no XRT)");
#endif
  return {};
}

Status Doctor(const QueryFlags& flags, const tools::Tool& tool, nlohmann::ordered_json& document) {
  tools::DoctorOptions options;
  options.root = flags.root;
  if (!flags.user.empty()) {
    options.user = flags.user[0];
    options.groups.assign(flags.user.begin() + 1, flags.user.end());
  }
  if (!flags.xilinx_xrt.empty()) options.xilinx_xrt = flags.xilinx_xrt;
  std::optional<tools::Check> overlay;
  if (!flags.device.empty()) {
    const auto device = runtime::OpenDevice(flags.device);
    if (device.ok() && (*device)->config()) {
      options.clock_mhz = (*device)->config()->clock_mhz;
      overlay = tools::Check{tools::Check::State::kOk, "overlay",
                             "answers; fingerprint is that of configuration " + (*device)->config()->name, ""};
    } else if (!device.ok()) {
      overlay = tools::Check{tools::Check::State::kBad, "overlay", device.failure().message, device.failure().hint};
    }
  }
  auto checks = tools::Diagnose(options);
  if (overlay) checks.push_back(*overlay);
  auto& list = document["checks"] = nlohmann::ordered_json::array();
  size_t bad = 0;
  for (const tools::Check& check : checks) {
    const bool is_bad = check.state == tools::Check::State::kBad;
    bad += is_bad;
    list.push_back({{"name", check.name},
                    {"state", is_bad                                    ? "bad"
                              : check.state == tools::Check::State::kOk ? "ok"
                                                                        : "not here"},
                    {"text", check.text},
                    {"repair", check.repair}});
  }
  if (tool.common().text()) std::fputs(tools::ChecksText(checks).c_str(), stdout);
  if (bad == 0) return {};
  XRUN_RETURN_IF_ERROR(tool.WriteJson(document));
  return Failure{std::to_string(bad) + " of " + std::to_string(checks.size()) + " checks are bad",
                 "repair them from the top down"};
}

Status Run(const QueryFlags& flags, const tools::Tool& tool) {
  nlohmann::ordered_json document;
  if (flags.arch_json) {
    if (flags.device.empty()) tools::UsageError("--arch-json needs DEV", "xquery xrt:0 --arch-json");
    XRUN_ASSIGN_OR_RETURN(const auto device, runtime::OpenDevice(flags.device));
    if (!device->config()) return Failure{"device '" + flags.device + "' takes every configuration", ""};
    std::string json = ConfigToJson(*device->config());
    if (!json.ends_with('\n')) json += '\n';
    std::fputs(json.c_str(), stdout);
    return {};
  }
  if (flags.doctor) {
    XRUN_RETURN_IF_ERROR(Doctor(flags, tool, document));
  } else if (flags.device.empty()) {
    XRUN_RETURN_IF_ERROR(ListDevices(tool, document));
  } else {
    XRUN_RETURN_IF_ERROR(Describe(flags.device, tool, document));
  }
  return tool.WriteJson(document);
}

}  // namespace

int main(int argc, char** argv) {
  xrun::tools::Tool tool("xquery", "Shows devices and what they are, and finds what is wrong with a board.");
  QueryFlags flags;
  flags.AddTo(tool.app());
  return tool.Run(argc, argv, [&] { return Run(flags, tool); });
}
