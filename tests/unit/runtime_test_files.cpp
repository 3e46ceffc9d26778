#include "tests/unit/runtime_test_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/runtime_test_program.h"

namespace xrun::test {
namespace {

std::vector<uint8_t> Bytes(const Program& program) {
  auto bytes = Serialize(program);
  if (!bytes.ok()) throw std::runtime_error(bytes.failure().ToString());
  return *std::move(bytes);
}

}  // namespace

std::vector<uint8_t> ReluProgramBytes() { return Bytes(ReluProgram()); }
std::vector<uint8_t> MixedProgramBytes() { return Bytes(MixedProgram()); }

std::vector<uint8_t> UnknownOperatorBytes() {
  Program p = MixedProgram();
  p.cpu_steps[1].op = "Sofmax";
  return Bytes(p);
}

std::string WriteFile(const std::string& name, const std::vector<uint8_t>& bytes) {
  const std::string path = ::testing::TempDir() + "xrun_" + std::to_string(::getpid()) + "_" + name;
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

}  // namespace xrun::test
