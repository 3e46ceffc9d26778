#ifndef XRUN_TESTS_FLOAT_GRAPHS_RUN_TWICE_H_
#define XRUN_TESTS_FLOAT_GRAPHS_RUN_TWICE_H_

#include <string>
#include <vector>

#include "isa/result.h"
#include "model_maker.h"
#include "runtime/io/array.h"

namespace xrun::float_graphs {

/// What the float executor makes of a model, in the order of its outputs.
struct TwoRuns {
  std::vector<io::Array> imported;  ///< of the graph as the importer gives it
  std::vector<io::Array> passed;    ///< after all passes over float graphs
};

/// Fails where import, a pass or the executor refuses, and where the shapes or types of outputs are not those that the
/// maker expects.
Result<TwoRuns> RunTwice(ModelMaker& maker);

/// How much a computation in float may differ from another, for an output whose largest magnitude is `most`.
double Tolerance(double most);

/// "" when equal within Tolerance (integers and bools: equal), else the first difference.
std::string FirstDifference(const io::Array& a, const io::Array& b);

}  // namespace xrun::float_graphs

#endif  // XRUN_TESTS_FLOAT_GRAPHS_RUN_TWICE_H_
