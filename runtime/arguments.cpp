#include "runtime/arguments.h"

#include <cstring>
#include <string>

#include "runtime/io/suggest.h"
#include "runtime/quantize.h"

namespace xrun::runtime {
namespace {

std::string Describe(const api::TensorInfo& info) {
  return std::string(api::name(info.dtype)) + " " + info.shape_text() + " (" + std::to_string(info.elements()) +
         " elements)";
}

}  // namespace

Result<uint32_t> FindTensor(const char* kind, const std::vector<api::TensorInfo>& infos, std::string_view name) {
  for (uint32_t i = 0; i < infos.size(); ++i) {
    if (infos[i].name == name) return i;
  }
  std::vector<std::string> names;
  names.reserve(infos.size());
  for (const api::TensorInfo& info : infos) names.push_back(info.name);
  std::string hint = io::DidYouMean(name, names);
  if (hint.empty()) hint = std::string("the program's ") + kind + "s: " + io::ListNames(names);
  return Failure{"the program has no " + std::string(kind) + " '" + std::string(name) + "'", hint};
}

template <typename Argument, typename List>
Status RunArguments::MatchOne(const char* kind, const Infos& infos, const Argument& argument, List& list) {
  // Found without allocating; the failure is made by FindTensor.
  uint32_t index = 0;
  while (index < infos.size() && infos[index].name != argument.name()) ++index;
  if (index == infos.size()) XRUN_RETURN_IF_ERROR(FindTensor(kind, infos, argument.name()));
  const api::TensorInfo& info = infos[index];
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].index == index) return Failure{std::string(kind) + " '" + info.name + "' is given twice", ""};
  }
  const bool convert = info.dtype == api::DType::kInt8 && argument.dtype() == api::DType::kFloat32;
  if (!convert && argument.dtype() != info.dtype) {
    return Failure{std::string(kind) + " '" + info.name + "' is " + Describe(info) + ", given " +
                       std::string(api::name(argument.dtype())) + " data",
                   info.dtype == api::DType::kInt8 ? "give int8, or float32, which is converted" : ""};
  }
  const size_t elements = info.elements();
  const size_t runs = elements == 0 ? 1 : argument.size() / elements;
  if (runs == 0 || runs * elements != argument.size()) {
    return Failure{std::string(kind) + " '" + info.name + "' is " + Describe(info) + ", given " +
                       std::to_string(argument.size()) + " elements",
                   "a whole multiple of the size is that many runs"};
  }
  if (runs_ == 0) runs_ = runs;
  if (runs != runs_) {
    return Failure{std::string(kind) + " '" + info.name + "' has the elements of " + std::to_string(runs) +
                       " runs, the ones before it of " + std::to_string(runs_),
                   "all inputs and outputs must have the same leading dimension"};
  }
  list.push_back({&info, index, argument.data(), convert});
  return {};
}

Status RunArguments::Match(const Infos& input_infos, const Infos& output_infos, std::span<const api::NamedInput> inputs,
                           std::span<const api::NamedOutput> outputs) {
  for (const api::NamedInput& input : inputs) XRUN_RETURN_IF_ERROR(MatchOne("input", input_infos, input, inputs_));
  if (inputs_.size() != input_infos.size()) {
    std::vector<std::string> missing;
    for (uint32_t i = 0; i < input_infos.size(); ++i) {
      bool given = false;
      for (size_t k = 0; k < inputs_.size(); ++k) given |= inputs_[k].index == i;
      if (!given) missing.push_back(input_infos[i].name + " (" + Describe(input_infos[i]) + ")");
    }
    return Failure{"missing inputs: " + io::ListNames(missing), ""};
  }
  for (const api::NamedOutput& output : outputs) {
    XRUN_RETURN_IF_ERROR(MatchOne("output", output_infos, output, outputs_));
  }
  if (runs_ == 0) runs_ = 1;
  return {};
}

void RunArguments::Fill(size_t run, const Program& program, RequestState& request) const {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const In& in = inputs_[i];
    const size_t elements = in.info->elements();
    void* to = request.HostData(program.inputs[in.index]);
    if (in.convert) {
      Quantize({static_cast<const float*>(in.data) + run * elements, elements}, in.info->scale, in.info->zero_point,
               {static_cast<int8_t*>(to), elements});
    } else {
      const size_t bytes = in.info->bytes();
      std::memcpy(to, static_cast<const char*>(in.data) + run * bytes, bytes);
    }
  }
}

void RunArguments::Read(size_t run, const Program& program, const RequestState& request) const {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Out& out = outputs_[i];
    const size_t elements = out.info->elements();
    const void* from = request.HostData(program.outputs[out.index]);
    if (out.convert) {
      Dequantize({static_cast<const int8_t*>(from), elements}, out.info->scale, out.info->zero_point,
                 {static_cast<float*>(out.data) + run * elements, elements});
    } else {
      const size_t bytes = out.info->bytes();
      std::memcpy(static_cast<char*>(out.data) + run * bytes, from, bytes);
    }
  }
}

}  // namespace xrun::runtime
