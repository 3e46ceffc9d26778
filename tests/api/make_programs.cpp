// make_programs DIR: the program files that tests in C and Python run (tests/unit/runtime_test_program.h).

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/unit/runtime_test_program.h"

namespace {

bool Write(const std::string& path, const xrun::Program& program) {
  const auto bytes = xrun::Serialize(program);
  if (!bytes.ok()) return false;
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
  return static_cast<bool>(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const bool ok = Write(folder + "/relu.xprog", xrun::test::ReluProgram()) &&
                  Write(folder + "/mixed.xprog", xrun::test::MixedProgram());
  if (!ok) std::fprintf(stderr, "make_programs: cannot write into %s\n", argv[1]);
  return ok ? 0 : 1;
}
