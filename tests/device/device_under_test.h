#ifndef XRUN_TESTS_DEVICE_DEVICE_UNDER_TEST_H_
#define XRUN_TESTS_DEVICE_DEVICE_UNDER_TEST_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"

// The conformance suite takes its device from the environment (run.py sets it):
//   XRUN_TEST_DEVICE     "sim:B512", "xrt:0,xclbin=…"; "sim" when not set
//   XRUN_TEST_PROGRAMS   folder of programs compiled for it
//   XRUN_TEST_REQUESTS   requests of the concurrency test [400]
//   XRUN_TEST_FIRST_SEED of its inputs [0]
// Absent hardware is a skip, hardware that does not open is a failure.

namespace xrun::test {

std::string DeviceName();
/// Why the device cannot be here at all; empty when it should be.
std::string WhyAbsent(const std::string& name);
std::vector<std::filesystem::path> Programs(bool debug);
unsigned EnvironmentNumber(const char* name, unsigned otherwise);

/// Opens the device once for the process.
class DeviceTest : public testing::Test {
 protected:
  void SetUp() override;
  runtime::Device& device() { return *device_; }
  const std::shared_ptr<runtime::Device>& shared_device() { return device_; }
  /// The simulator with each program's configuration: what is right.
  runtime::Device& reference() { return *reference_; }
  /// The configuration under test; B512 where the device takes any.
  const HardwareConfig& config() const { return config_; }

 private:
  std::shared_ptr<runtime::Device> device_, reference_;
  HardwareConfig config_;
};

}  // namespace xrun::test

#endif  // XRUN_TESTS_DEVICE_DEVICE_UNDER_TEST_H_
