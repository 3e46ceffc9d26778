#ifndef XRUN_TESTS_DIFFERENTIAL_RUN_BOTH_H_
#define XRUN_TESTS_DIFFERENTIAL_RUN_BOTH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/graph.h"
#include "isa/program.h"

namespace xrun::testing {

/// int8 tensors by name, row-major in the model's layout.
using Tensors = std::map<std::string, std::vector<int8_t>>;

/// Random codes for every model input, by input name.
Tensors RandomInputs(const compiler::Graph& graph, uint64_t seed);

/// What a model puts out: int8 tensors as codes, others as numbers.
struct Results {
  Tensors codes;
  std::map<std::string, std::vector<float>> numbers;
};

/// Executes the whole program, its CPU steps too, in libxrun on the simulator: two equal runs. A message in `error`
/// (and nothing returned) when anything fails or the two runs differ.
Results RunInRuntime(std::shared_ptr<const Program> program, const Tensors& inputs, std::string* error);

/// Executes the overlay steps of a program in the simulator, one request for each of `inputs` in one launch, and
/// returns what each writes to output registers, and what is watched, by tensor name. CPU steps are left out: where an
/// overlay step needs a result of theirs, it is the namesake in `known`. A message in `error` (and nothing returned)
/// when anything fails or when there is none.
std::vector<Tensors> RunRequests(const Program& program, const std::vector<Tensors>& inputs, std::string* error,
                                 const Tensors& known = {});

/// The same with `requests` equal requests, which must not differ.
Tensors RunProgram(const Program& program, const Tensors& inputs, int requests, std::string* error,
                   const Tensors& known = {});

/// The same graph, exported as QDQ ONNX, through the oracle: every int8 tensor, by the name of the value and, for model
/// outputs, by the output's; every output as numbers too.
Results RunOracle(const compiler::Graph& graph, const Tensors& inputs, std::string* error);

/// Empty when everything in `got` (at least one tensor) equals its namesake in `want`, else which tensor, element,
/// values.
std::string Difference(const Tensors& got, const Tensors& want);

/// The same, and numbers agree within 1e-5 of the largest of the tensor: float operators round differently in any order
/// of summation.
std::string Difference(const Results& got, const Results& want);

}  // namespace xrun::testing

#endif  // XRUN_TESTS_DIFFERENTIAL_RUN_BOTH_H_
