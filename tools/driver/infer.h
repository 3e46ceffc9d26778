#ifndef XRUN_TOOLS_DRIVER_INFER_H_
#define XRUN_TOOLS_DRIVER_INFER_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "isa/result.h"
#include "runtime/io/array.h"
#include "runtime/io/dataset.h"
#include "runtime/io/npy.h"
#include "xrun/device.h"
#include "xrun/program.h"
#include "xrun/session.h"

namespace xrun::tools {

/// Runs `body`, which calls libxrun; an api::Error becomes a Failure with its message and hint.
Status Try(const std::function<void()>& body);

/// A program on a device, ready to run.
struct LoadedSession {
  api::Program program;
  api::Session session;
};
Result<LoadedSession> OpenSession(const std::string& program, const std::string& device,
                                  const api::SessionOptions& options);

/// Inputs of a program as data sources need to know them, and the preprocessing the program carries.
std::vector<io::InputSpec> InputSpecsOf(const api::Session& session);
Result<io::Preprocess> PreprocessOf(const api::Program& program);

/// Arrays for every input of a program, `runs` times what one run takes, one after another.
struct Inputs {
  std::map<std::string, std::vector<uint8_t>> bytes;
  int64_t runs = 0;
  int64_t samples = 0;  ///< valid ones; the batch of the last run may be filled up
  int64_t batch = 1;
  std::string description;
};

/// Float values from any source that io::Dataset takes, for programs whose inputs are int8 or float.
Result<Inputs> LoadInputs(const std::vector<std::string>& sources, const api::Session& session,
                          const io::Preprocess& preprocess);
/// Arrays of the tensors' own types as they lie in .npy and .npz files: int8 as the device takes it. Sources are
/// `[NAME=]PATH`.
Result<Inputs> LoadRawInputs(const std::vector<std::string>& sources, const api::Session& session);

/// Runs them all. Outputs come as float32, or in the tensors' own types when `raw`; a leading dimension that is the
/// batch grows to the number of samples, else a dimension of runs is put in front when there are several.
Result<io::NamedArrays> RunAll(api::Session& session, const Inputs& inputs, bool raw);

/// Writes outputs to `[NAME=]PATH` each: .npz takes all, .npy one.
Status WriteOutputs(const std::vector<std::string>& targets, const io::NamedArrays& outputs);

/// Compares outputs with those of LoadReference (tensors.h); the failure names the first that differs and the element.
Status CompareOutputs(const std::string& reference, const io::NamedArrays& expected, const io::NamedArrays& outputs,
                      double atol);

/// Shape, range and the five largest elements of each output's first rows, for people.
std::string OutputsText(const io::NamedArrays& outputs, const api::Session& session);

}  // namespace xrun::tools

#endif  // XRUN_TOOLS_DRIVER_INFER_H_
