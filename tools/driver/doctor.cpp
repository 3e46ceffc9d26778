#include "tools/driver/doctor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace xrun::tools {
namespace {

namespace fs = std::filesystem;
using State = Check::State;

constexpr uint64_t kLeastCmaKib = 256 * 1024;

std::optional<std::string> ReadText(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  std::string all = text.str();
  while (!all.empty() && (all.back() == '\n' || all.back() == '\0')) all.pop_back();
  return all;
}

std::vector<fs::path> Entries(const fs::path& folder, const std::string& prefix = "") {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().rfind(prefix, 0) == 0) entries.push_back(it->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

class Doctor {
 public:
  explicit Doctor(const DoctorOptions& options) : options_(options), root_(options.root) {}

  std::vector<Check> Diagnose() {
    zynq_ = fs::exists(root_ / "sys/class/fpga_manager/fpga0");
    Driver();
    App();
    RenderNode();
    Cma();
    Xrt();
    Clock();
    return std::move(checks_);
  }

 private:
  void Add(State state, std::string name, std::string text, std::string repair = "") {
    checks_.push_back({state, std::move(name), std::move(text), std::move(repair)});
  }

  void Driver() {
    for (const char* driver : {"zocl", "xocl"}) {
      if (!fs::exists(root_ / "sys/module" / driver)) continue;
      return Add(State::kOk, "kernel driver", std::string(driver) + " is loaded");
    }
    const std::string wanted = zynq_ ? "zocl" : "xocl";
    Add(State::kBad, "kernel driver", "neither zocl nor xocl is loaded", "sudo modprobe " + wanted);
  }

  void App() {
    if (!zynq_) return Add(State::kNotHere, "loaded app", "no FPGA manager: not a Zynq or Kria");
    const std::string state = ReadText(root_ / "sys/class/fpga_manager/fpga0/state").value_or("unknown");
    std::string apps;
    for (const fs::path& overlay : Entries(root_ / "sys/kernel/config/device-tree/overlays")) {
      apps += (apps.empty() ? "" : ", ") + overlay.filename().string();
    }
    const std::string found = "FPGA manager: " + state + (apps.empty() ? "; no app" : "; " + apps);
    if (state == "operating" && !apps.empty()) return Add(State::kOk, "loaded app", found);
    std::string app = "APP";
    for (const fs::path& firmware : Entries(root_ / "lib/firmware/xilinx")) {
      if (firmware.filename().string().find("xrun") != std::string::npos) app = firmware.filename().string();
    }
    Add(State::kBad, "loaded app", found, "sudo xmutil unloadapp; sudo xmutil loadapp " + app);
  }

  bool MayUse(const struct stat& node) const {
    const uint32_t user = options_.user.value_or(::geteuid());
    if (user == 0) return true;
    if (node.st_uid == user) return (node.st_mode & 0600) == 0600;
    std::vector<uint32_t> groups = options_.groups;
    if (!options_.user) {
      std::vector<gid_t> own(static_cast<size_t>(std::max(0, ::getgroups(0, nullptr))));
      const int count = ::getgroups(static_cast<int>(own.size()), own.data());
      groups.assign(own.begin(), own.begin() + std::max(0, count));
      groups.push_back(::getegid());
    }
    if (std::find(groups.begin(), groups.end(), node.st_gid) != groups.end()) return (node.st_mode & 0060) == 0060;
    return (node.st_mode & 0006) == 0006;
  }

  void RenderNode() {
    const auto nodes = Entries(root_ / "dev/dri", "renderD");
    if (nodes.empty()) {
      return Add(State::kBad, "render node", "no /dev/dri/renderD*: the driver has found no device",
                 zynq_ ? "sudo xmutil loadapp APP; sudo dmesg | grep zocl" : "sudo dmesg | grep xocl");
    }
    std::string names;
    for (const fs::path& path : nodes) {
      struct stat node {};
      const std::string name = "/dev/dri/" + path.filename().string();
      if (::stat(path.c_str(), &node) != 0 || !MayUse(node)) {
        return Add(State::kBad, "render node", "no permission to read and write " + name,
                   "sudo usermod -aG render $USER; newgrp render");
      }
      names += (names.empty() ? "" : ", ") + name;
    }
    Add(State::kOk, "render node", names + " may be used");
  }

  void Cma() {
    if (!zynq_) return Add(State::kNotHere, "contiguous memory", "the board has memory of its own");
    uint64_t total = 0, free = 0;
    std::istringstream lines(ReadText(root_ / "proc/meminfo").value_or(""));
    for (std::string line; std::getline(lines, line);) {
      unsigned long value = 0;
      if (std::sscanf(line.c_str(), "CmaTotal: %lu", &value) == 1) total = value;
      if (std::sscanf(line.c_str(), "CmaFree: %lu", &value) == 1) free = value;
    }
    const std::string found =
        std::to_string(free / 1024) + " of " + std::to_string(total / 1024) + " MiB of CMA are free";
    if (total >= kLeastCmaKib) return Add(State::kOk, "contiguous memory", found);
    Add(State::kBad, "contiguous memory", found + "; " + std::to_string(kLeastCmaKib / 1024) + " MiB should be there",
        "echo 'LINUX_KERNEL_CMDLINE=\"$LINUX_KERNEL_CMDLINE cma=1000M\"' | sudo tee -a /etc/default/flash-kernel; "
        "sudo flash-kernel; sudo reboot");
  }

  void Xrt() {
    std::vector<fs::path> folders = {root_ / "opt/xilinx/xrt/lib", root_ / "usr/lib"};
    for (const fs::path& folder : Entries(root_ / "usr/lib")) {
      if (folder.filename().string().ends_with("-linux-gnu")) folders.push_back(folder);
    }
    int major = 0, minor = 0;
    std::string where;
    for (const fs::path& folder : folders) {
      for (const fs::path& library : Entries(folder, "libxrt_coreutil.so.")) {
        int a = 0, b = 0;
        if (std::sscanf(library.filename().c_str(), "libxrt_coreutil.so.%d.%d", &a, &b) != 2) continue;
        if (a < major || (a == major && b <= minor)) continue;
        major = a;
        minor = b;
        where = "/" + library.lexically_relative(root_).string();
      }
    }
    if (major == 0) {
      return Add(State::kBad, "XRT", "libxrt_coreutil is not installed",
                 zynq_ ? "sudo apt install xrt" : "sudo apt install libxrt1");
    }
    const std::string version = std::to_string(major) + "." + std::to_string(minor);
    if (major == 2 && minor < 13) {
      return Add(State::kBad, "XRT", "version " + version + " is older than 2.13",
                 "sudo apt install --only-upgrade xrt");
    }
    const char* environment = std::getenv("XILINX_XRT");
    const std::string home = options_.xilinx_xrt.value_or(environment == nullptr ? "" : environment);
    if (home.empty()) {
      return Add(
          State::kBad, "XRT", "version " + version + ", " + where + "; XILINX_XRT is not set",
          fs::exists(root_ / "opt/xilinx/xrt/setup.sh") ? "source /opt/xilinx/xrt/setup.sh" : "export XILINX_XRT=/usr");
    }
    const fs::path library = root_ / fs::path(home).relative_path() / "lib/libxrt_core.so.2";
    if (!fs::exists(library)) {
      std::string real = "/usr/lib/libxrt_core.so.2";
      for (const fs::path& folder : folders) {
        if (fs::exists(folder / "libxrt_core.so.2")) {
          real = "/" + (folder / "libxrt_core.so.2").lexically_relative(root_).string();
        }
      }
      return Add(State::kBad, "XRT", "version " + version + "; " + home + "/lib/libxrt_core.so.2 is not there",
                 "sudo mkdir -p " + home + "/lib; sudo ln -s " + real + " " + home + "/lib/");
    }
    Add(State::kOk, "XRT", "version " + version + ", " + where);
  }

  void Clock() {
    const fs::path rate = root_ / "sys/devices/platform/fclk0/set_rate";
    const auto text = ReadText(rate);
    if (!text) return Add(State::kNotHere, "clock", "no /sys/devices/platform/fclk0: the platform sets it");
    const double mhz = std::strtod(text->c_str(), nullptr) / 1e6;
    char found[64];
    std::snprintf(found, sizeof(found), "fclk0 runs at %.0f MHz", mhz);
    // Dividers rarely hit it; what is faster than the design was built for computes wrong things.
    if (options_.clock_mhz == 0 || (mhz <= options_.clock_mhz * 1.001 && mhz >= options_.clock_mhz * 0.95)) {
      return Add(State::kOk, "clock", found);
    }
    Add(State::kBad, "clock", std::string(found) + ", the overlay was built for " + std::to_string(options_.clock_mhz),
        "echo " + std::to_string(options_.clock_mhz) + "000000 | sudo tee /sys/devices/platform/fclk0/set_rate");
  }

  const DoctorOptions& options_;
  const fs::path root_;
  bool zynq_ = false;
  std::vector<Check> checks_;
};

}  // namespace

std::vector<Check> Diagnose(const DoctorOptions& options) { return Doctor(options).Diagnose(); }

std::string ChecksText(const std::vector<Check>& checks) {
  std::string text;
  for (const Check& check : checks) {
    const char* mark = check.state == State::kOk ? "ok   " : check.state == State::kBad ? "BAD  " : "-    ";
    text += mark + check.name + ": " + check.text + "\n";
    if (!check.repair.empty()) text += "       repair: " + check.repair + "\n";
  }
  return text;
}

std::vector<std::string> ReadSensors(const std::filesystem::path& root) {
  struct Kind {
    const char* prefix;
    double scale;
    const char* unit;
  };
  constexpr Kind kKinds[] = {{"temp", 1e-3, "°C"}, {"power", 1e-6, "W"}, {"in", 1e-3, "V"}, {"curr", 1e-3, "A"}};
  std::vector<std::string> sensors;
  for (const fs::path& chip : Entries(root / "sys/class/hwmon", "hwmon")) {
    const std::string name = ReadText(chip / "name").value_or(chip.filename().string());
    for (const fs::path& input : Entries(chip)) {
      const std::string file = input.filename().string();
      if (!file.ends_with("_input")) continue;
      for (const Kind& kind : kKinds) {
        if (file.rfind(kind.prefix, 0) != 0) continue;
        const auto text = ReadText(input);
        if (!text) continue;
        const std::string sensor = file.substr(0, file.size() - 6);
        const auto label = ReadText(chip / (sensor + "_label"));
        char value[32];
        std::snprintf(value, sizeof(value), "%.2f ", std::strtod(text->c_str(), nullptr) * kind.scale);
        sensors.push_back(name + " " + sensor + (label ? " (" + *label + ")" : "") + ": " + value + kind.unit);
      }
    }
  }
  return sensors;
}

}  // namespace xrun::tools
