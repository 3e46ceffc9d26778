// xquery --doctor on file trees of boards that are right, and of boards that lack one thing each.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "tools/driver/doctor.h"

namespace xrun::tools {
namespace {

namespace fs = std::filesystem;

class DoctorTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("xrun_doctor_" + std::to_string(::getpid()));
    fs::remove_all(root_);
    // A Kria as it should be.
    Write("sys/module/zocl/version", "2.13");
    Write("sys/class/fpga_manager/fpga0/state", "operating\n");
    Write("sys/kernel/config/device-tree/overlays/xrun-k26/status", "applied");
    Write("lib/firmware/xilinx/xrun-k26/xrun-k26.xclbin", "");
    Write("dev/dri/renderD128", "");
    ::chmod((root_ / "dev/dri/renderD128").c_str(), 0660);
    Write("proc/meminfo", "MemTotal:  4000000 kB\nCmaTotal:    1024000 kB\nCmaFree:      900000 kB\n");
    Write("usr/lib/aarch64-linux-gnu/libxrt_coreutil.so.2.13.0", "");
    Write("opt/xilinx/xrt/lib/libxrt_core.so.2", "");
    Write("sys/devices/platform/fclk0/set_rate", "299999999\n");
    options_.root = root_;
    options_.user = 4711;
    struct stat node {};
    ASSERT_EQ(::stat((root_ / "dev/dri/renderD128").c_str(), &node), 0);
    options_.groups = {node.st_gid};
    options_.clock_mhz = 300;
    options_.xilinx_xrt = "/opt/xilinx/xrt";
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void Remove(const std::string& path) { fs::remove_all(root_ / path); }

  /// The only bad check; its text and repair hold these words.
  void ExpectBad(const std::string& name, const std::string& text, const std::string& repair) {
    int bad = 0;
    for (const Check& check : Diagnose(options_)) {
      if (check.state != Check::State::kBad) continue;
      ++bad;
      EXPECT_EQ(check.name, name) << check.text;
      EXPECT_NE(check.text.find(text), std::string::npos) << check.text;
      EXPECT_NE(check.repair.find(repair), std::string::npos) << check.repair;
    }
    EXPECT_EQ(bad, 1);
  }

  fs::path root_;
  DoctorOptions options_;
};

TEST_F(DoctorTest, ABoardThatIsRight) {
  const auto checks = Diagnose(options_);
  ASSERT_EQ(checks.size(), 6U);
  for (const Check& check : checks) EXPECT_EQ(check.state, Check::State::kOk) << check.name << ": " << check.text;
}

TEST_F(DoctorTest, NoDriver) {
  Remove("sys/module/zocl");
  ExpectBad("kernel driver", "neither zocl nor xocl", "sudo modprobe zocl");
}

TEST_F(DoctorTest, NoApp) {
  Remove("sys/kernel/config/device-tree/overlays/xrun-k26");
  ExpectBad("loaded app", "no app", "sudo xmutil loadapp xrun-k26");
}

TEST_F(DoctorTest, FpgaNotOperating) {
  Write("sys/class/fpga_manager/fpga0/state", "write error\n");
  ExpectBad("loaded app", "write error", "xmutil unloadapp");
}

TEST_F(DoctorTest, NoPermission) {
  options_.groups = {options_.groups[0] + 1};
  ExpectBad("render node", "/dev/dri/renderD128", "sudo usermod -aG render $USER");
}

TEST_F(DoctorTest, NoRenderNode) {
  Remove("dev/dri/renderD128");
  ExpectBad("render node", "no /dev/dri/renderD*", "dmesg");
}

TEST_F(DoctorTest, LittleContiguousMemory) {
  Write("proc/meminfo", "CmaTotal: 65536 kB\nCmaFree: 1024 kB\n");
  ExpectBad("contiguous memory", "1 of 64 MiB", "cma=1000M");
}

TEST_F(DoctorTest, NoXrt) {
  Remove("usr/lib/aarch64-linux-gnu");
  ExpectBad("XRT", "not installed", "apt install");
}

TEST_F(DoctorTest, OldXrt) {
  Remove("usr/lib/aarch64-linux-gnu");
  Write("opt/xilinx/xrt/lib/libxrt_coreutil.so.2.9.0", "");
  ExpectBad("XRT", "2.9 is older", "apt install");
}

TEST_F(DoctorTest, XrtWhereItIsNotLookedFor) {
  options_.xilinx_xrt = "";
  ExpectBad("XRT", "XILINX_XRT is not set", "export XILINX_XRT=");
  options_.xilinx_xrt = "/elsewhere";
  ExpectBad("XRT", "/elsewhere/lib/libxrt_core.so.2 is not there",
            "ln -s /opt/xilinx/xrt/lib/libxrt_core.so.2 /elsewhere/lib/");
}

TEST_F(DoctorTest, AnotherClock) {
  Write("sys/devices/platform/fclk0/set_rate", "100000000\n");
  ExpectBad("clock", "100 MHz, the overlay was built for 300", "echo 300000000 | sudo tee");
}

TEST_F(DoctorTest, APciCardHasNoAppAndNoContiguousMemory) {
  Remove("sys/class/fpga_manager");
  Remove("sys/module/zocl");
  Write("sys/module/xocl/version", "2.13");
  Remove("proc/meminfo");
  for (const Check& check : Diagnose(options_)) {
    EXPECT_NE(check.state, Check::State::kBad) << check.name << ": " << check.text;
  }
}

TEST_F(DoctorTest, Sensors) {
  Write("sys/class/hwmon/hwmon0/name", "ina260_u14\n");
  Write("sys/class/hwmon/hwmon0/power1_input", "4250000\n");
  Write("sys/class/hwmon/hwmon1/name", "ams\n");
  Write("sys/class/hwmon/hwmon1/temp1_input", "41250\n");
  Write("sys/class/hwmon/hwmon1/temp1_label", "PL\n");
  const auto sensors = ReadSensors(root_);
  ASSERT_EQ(sensors.size(), 2U);
  EXPECT_EQ(sensors[0], "ina260_u14 power1: 4.25 W");
  EXPECT_EQ(sensors[1], "ams temp1 (PL): 41.25 °C");
}

}  // namespace
}  // namespace xrun::tools
