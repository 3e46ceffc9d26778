#ifndef XRUN_TESTS_ORACLE_NPY_H_
#define XRUN_TESTS_ORACLE_NPY_H_

#include <string>

#include "oracle.h"

namespace xrun::oracle {

/// Reads a little-endian C-order .npy of float32, float64 (narrowed), int8, or uint8 (shifted by −128). Throws Error.
InputTensor ReadNpy(const std::string& path);
void WriteNpy(const std::string& path, const Shape& shape, const std::vector<float>& data);
void WriteNpy(const std::string& path, const Shape& shape, const std::vector<int8_t>& data);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_NPY_H_
