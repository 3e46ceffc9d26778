#ifndef XRUN_TESTS_UNIT_RUNTIME_TEST_FILES_H_
#define XRUN_TESTS_UNIT_RUNTIME_TEST_FILES_H_

// Program files for tests that see the API only.

#include <cstdint>
#include <string>
#include <vector>

namespace xrun::test {

std::vector<uint8_t> ReluProgramBytes();   ///< runtime_test_program.h
std::vector<uint8_t> MixedProgramBytes();  ///< likewise
/// ReluProgram with a CPU step whose operator does not exist, on node 'relu_0'.
std::vector<uint8_t> UnknownOperatorBytes();

/// `bytes` as a file in the test's temporary directory.
std::string WriteFile(const std::string& name, const std::vector<uint8_t>& bytes);

}  // namespace xrun::test

#endif  // XRUN_TESTS_UNIT_RUNTIME_TEST_FILES_H_
