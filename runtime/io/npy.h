#ifndef XRUN_RUNTIME_IO_NPY_H_
#define XRUN_RUNTIME_IO_NPY_H_

#include <map>
#include <string>
#include <vector>

#include "isa/result.h"
#include "runtime/io/array.h"
#include "runtime/io/file.h"

namespace xrun::io {

/// numpy's .npy format, versions 1.0 to 3.0. Fortran order and big-endian elements are converted; structured, string
/// and object types are refused. The data must fill the stream exactly: one byte more or less is a failure. Failures do
/// not name the file (the caller knows it).
Result<Array> ParseNpy(ByteStream& stream);

/// The file's bytes, version 1.0 (2.0 when the header is too long for it), C order.
std::string NpyHeader(const Array& array);

/// Failures name the file.
Result<Array> LoadNpy(const std::string& path);
Status SaveNpy(const std::string& path, const Array& array);

/// A .npz archive: arrays by name (the entry's name without ".npy").
using NamedArrays = std::map<std::string, Array>;

/// Stored and deflated entries; encrypted ones and other compressions are refused. Every entry must be a .npy file.
/// Failures name archive and entry.
Result<NamedArrays> LoadNpz(const std::string& path);

/// Deterministic bytes: entries sorted, without time stamps. `compress` deflates (numpy.savez_compressed).
Status SaveNpz(const std::string& path, const NamedArrays& arrays, bool compress = false);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_NPY_H_
