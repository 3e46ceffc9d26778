#ifndef XRUN_TESTS_ORACLE_FLOAT_LAYERS_H_
#define XRUN_TESTS_ORACLE_FLOAT_LAYERS_H_

#include <vector>

#include "window.h"

/// The float forms of layers, for what the quantized graph leaves in float: sums in double, results float32.
namespace xrun::oracle {

Values FloatMatMul(const Op& op);
Values FloatPool(const Op& op);  ///< MaxPool, AveragePool
/// `kept`: the input's shape with extents 1 where it is reduced; `shape`: the result's.
Values FloatMean(const Op& op, const Shape& kept, Shape shape);
Values FloatConcat(const Op& op, Shape shape, int64_t axis);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_FLOAT_LAYERS_H_
