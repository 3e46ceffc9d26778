#include <cstdio>
#include <filesystem>
#include <string>

#include "npy.h"
#include "oracle.h"

/// oracle_run MODEL.onnx [NAME=]x.npy … [-o DIR]: executes a QDQ model and writes every quantized tensor and output as
/// .npy.
namespace {

namespace oracle = xrun::oracle;

constexpr char kUsage[] =
    "usage: oracle_run MODEL.onnx [NAME=]x.npy ... [-o DIR]\n"
    "Executes a QDQ ONNX model with exact integer arithmetic. float32 or int8 .npy inputs; a name may be left out when "
    "the\n"
    "model has one input. DIR gets int8 NAME.npy per quantized tensor, float32 output.NAME.npy per graph output, and "
    "tensors.txt.\n";

std::string FileName(std::string name) {
  for (char& c : name)
    if (c == '/' || c == ':') c = '_';
  return name;
}

void Write(const oracle::Result& result, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::string list_path = folder / "tensors.txt";
  std::FILE* list = std::fopen(list_path.c_str(), "w");
  if (list == nullptr) throw oracle::Error("", list_path + " cannot be written");
  for (const auto& [name, tensor] : result.tensors) {
    oracle::WriteNpy(folder / (FileName(name) + ".npy"), tensor.shape, tensor.data);
    std::fprintf(list, "%s\t%s\t%.9g\t%d\n", name.c_str(), tensor.float_name.c_str(), static_cast<double>(tensor.scale),
                 tensor.zero_point);
  }
  std::fclose(list);
  for (const auto& output : result.outputs)
    oracle::WriteNpy(folder / ("output." + FileName(output.name) + ".npy"), output.shape, output.values);
}

int Main(int argc, char** argv) {
  std::string model_path;
  std::string folder;
  std::vector<std::string> inputs;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "-h" || argument == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (argument == "-o" && i + 1 < argc) {
      folder = argv[++i];
    } else if (model_path.empty()) {
      model_path = argument;
    } else {
      inputs.push_back(argument);
    }
  }
  if (model_path.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const oracle::Model model = oracle::Load(model_path);
  std::map<std::string, oracle::InputTensor> tensors;
  for (const std::string& input : inputs) {
    const size_t equals = input.find('=');
    if (equals == std::string::npos && model.inputs().size() != 1)
      throw oracle::Error("", "the model has several inputs: name them, NAME=" + input);
    const std::string name = equals == std::string::npos ? model.inputs()[0].name : input.substr(0, equals);
    tensors[name] = oracle::ReadNpy(equals == std::string::npos ? input : input.substr(equals + 1));
  }
  const oracle::Result result = oracle::Run(model, tensors);
  if (!folder.empty()) Write(result, folder);
  for (const auto& output : result.outputs) {
    size_t best = 0;
    for (size_t i = 1; i < output.values.size(); ++i)
      if (output.values[i] > output.values[best]) best = i;
    std::printf("%s: %zu values, %s, largest at %zu\n", output.name.c_str(), output.values.size(),
                output.is_float ? "float" : "quantized", best);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "oracle_run: %s\n", error.what());
    return 1;
  }
}
