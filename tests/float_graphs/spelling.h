#ifndef XRUN_TESTS_FLOAT_GRAPHS_SPELLING_H_
#define XRUN_TESTS_FLOAT_GRAPHS_SPELLING_H_

#include "model_maker.h"

namespace xrun::float_graphs {

// Arithmetic as exporters write it, in any of the ways they do.

Tensor Mul(ModelMaker& m, const Tensor& a, const Tensor& b);
Tensor Add(ModelMaker& m, const Tensor& a, const Tensor& b);
Tensor Sub(ModelMaker& m, const Tensor& a, const Tensor& b);
/// A number as exporters write it: a scalar, a list of one, or as many ones as the tensor has axes.
Tensor Number(ModelMaker& m, double value, const Tensor& beside);
/// x times or divided by a number, whichever way it is written.
Tensor Scaled(ModelMaker& m, const Tensor& x, double factor);
Tensor Shifted(ModelMaker& m, const Tensor& x, double by);
Tensor Clipped(ModelMaker& m, const Tensor& x, double lo, double hi);
Tensor Sigmoid(ModelMaker& m, const Tensor& x);
Tensor ShapeOf(ModelMaker& m, const Tensor& x);

}  // namespace xrun::float_graphs

#endif  // XRUN_TESTS_FLOAT_GRAPHS_SPELLING_H_
