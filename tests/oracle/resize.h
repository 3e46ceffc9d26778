#ifndef XRUN_TESTS_ORACLE_RESIZE_H_
#define XRUN_TESTS_ORACLE_RESIZE_H_

#include <vector>

#include "op.h"

namespace xrun::oracle {

/// One axis of a Resize or Upsample node. Positions are exact: ONNX's formulas on rationals, so that no tie depends on
/// how a scale was rounded.
struct ResizeAxis {
  int64_t in = 1;
  int64_t out = 1;
  Rational scale = 1;  ///< as the model gives it, else out / in

  bool Identity() const { return in == out && scale == 1; }
};

/// Every axis of the node over an input of shape `in`.
std::vector<ResizeAxis> ResizeAxes(const Op& op, const Shape& in);

/// Mode nearest: for every output position of the axis, the input position it copies.
std::vector<int64_t> NearestPositions(const Op& op, const ResizeAxis& axis);

}  // namespace xrun::oracle

#endif  // XRUN_TESTS_ORACLE_RESIZE_H_
