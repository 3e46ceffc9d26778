#include "tests/device/device_under_test.h"

#include <algorithm>
#include <cstdlib>

#ifdef XRUN_HAVE_XRT
#include "runtime/xrt_device.h"
#endif

namespace xrun::test {

std::string DeviceName() {
  const char* name = std::getenv("XRUN_TEST_DEVICE");
  return name == nullptr ? "sim" : name;
}

std::string WhyAbsent(const std::string& name) {
  if (name.rfind("xrt", 0) != 0) return {};
#ifdef XRUN_HAVE_XRT
  const auto count = runtime::CountXrtDevices();
  if (count.ok() && *count == 0) return "XRT sees no device";
  if (!count.ok() && !std::filesystem::exists("/dev/dri"))
    return "there is no /dev/dri, and " + count.failure().message;
  return {};
#else
  return "this build has no XRT";
#endif
}

std::vector<std::filesystem::path> Programs(bool debug) {
  std::vector<std::filesystem::path> programs;
  const char* folder = std::getenv("XRUN_TEST_PROGRAMS");
  if (folder == nullptr) return programs;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".xprog") continue;
    const bool is_debug = entry.path().stem().string().ends_with("_debug");
    if (is_debug == debug) programs.push_back(entry.path());
  }
  std::sort(programs.begin(), programs.end());
  return programs;
}

unsigned EnvironmentNumber(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

void DeviceTest::SetUp() {
  static std::shared_ptr<runtime::Device> opened;
  const std::string name = DeviceName();
  if (opened == nullptr) {
    if (const std::string why = WhyAbsent(name); !why.empty()) GTEST_SKIP() << name << ": " << why;
    auto device = runtime::OpenDevice(name);
    ASSERT_TRUE(device.ok()) << device.failure().ToString();
    opened = *std::move(device);
  }
  device_ = opened;
  reference_ = *runtime::OpenDevice("sim");
  config_ = device_->config() ? *device_->config() : BuiltInConfigs().front();
}

}  // namespace xrun::test
