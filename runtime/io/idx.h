#ifndef XRUN_RUNTIME_IO_IDX_H_
#define XRUN_RUNTIME_IO_IDX_H_

#include <string>

#include "isa/result.h"
#include "runtime/io/array.h"

namespace xrun::io {

/// An IDX file (the format of MNIST: yann.lecun.com/exdb/mnist), plain or gzip-compressed, told apart by content:
/// 0x00 0x00 type rank, the dimensions as big-endian uint32, the elements big-endian. The data must end with the file.
/// Failures name the file. Memory stays within twice what really unpacks, whatever the header promises.
Result<Array> LoadIdx(const std::string& path);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_IDX_H_
