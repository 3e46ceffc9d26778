#include "tools/driver/layer_errors.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "compiler/compile.h"
#include "compiler/float_executor.h"
#include "tools/common/table.h"
#include "tools/driver/infer.h"
#include "tools/driver/tensors.h"

namespace xrun::tools {
namespace {

using compiler::Graph;
using compiler::kNone;
using compiler::Node;
using compiler::Value;
using compiler::ValueId;

constexpr char kInt8Suffix[] = ".int8";  // of an int8 value beside a float one of the same name (compiler/quantize)

/// The float value that a quantized one stands for.
ValueId FindFloat(const Graph& graph, const std::string& name) {
  ValueId id = graph.FindValue(name);
  if (id == kNone && name.ends_with(kInt8Suffix)) {
    id = graph.FindValue(name.substr(0, name.size() - (sizeof(kInt8Suffix) - 1)));
  }
  return id == kNone || graph.at(id).is_constant() ? kNone : id;
}

bool OnlyArranges(const std::string& op) { return op == Name(Op::kReshape) || op == Name(Op::kTranspose); }

/// One quantized node between a Quantize for each operand and a Dequantize.
Graph OneLayer(const Graph& from, const Node& node) {
  Graph graph;
  graph.name = node.name;
  std::map<ValueId, ValueId> known;
  const auto convert = [&](const std::string& name, Op op, ValueId in, ValueId out) {
    Node conversion;
    conversion.name = name;
    conversion.op = op;
    conversion.inputs = {in};
    conversion.outputs = {out};
    conversion.origin = {name};
    graph.nodes.push_back(std::move(conversion));
  };
  const auto real = [&](const Value& value) {
    Value copy;
    copy.name = value.name + ".real";
    copy.shape = value.shape;
    return graph.AddValue(std::move(copy));
  };
  Node layer = node;
  for (ValueId& id : layer.inputs) {
    if (id == kNone) continue;
    const auto [it, is_new] = known.emplace(id, kNone);
    if (is_new) {
      const Value& value = from.at(id);
      const ValueId float_input = value.is_constant() ? kNone : real(value);
      it->second = graph.AddValue(value);
      if (float_input != kNone) {
        graph.inputs.push_back(float_input);
        convert(value.name + ".quantize", Op::kQuantize, float_input, it->second);
      }
    }
    id = it->second;
  }
  const Value& result = from.at(node.outputs[0]);
  layer.outputs = {graph.AddValue(result)};
  graph.nodes.push_back(layer);
  graph.outputs = {real(result)};
  convert(result.name + ".dequantize", Op::kDequantize, layer.outputs[0], graph.outputs[0]);
  return graph;
}

Result<api::Session> OpenProgram(std::shared_ptr<const Program> program) {
  std::optional<api::Session> session;
  XRUN_RETURN_IF_ERROR(Try([&] {
    session.emplace(api::Device::open("sim"), internal::WrapProgram(std::move(program)),
                    api::SessionOptions{.in_flight = 1, .launches = 1, .requests_per_launch = 1, .cpu_threads = 1});
  }));
  return std::move(*session);
}

Status RunFloats(api::Session& session, const std::vector<std::span<const float>>& inputs,
                 std::vector<std::vector<float>>& outputs) {
  std::vector<api::NamedInput> named_inputs;
  std::vector<api::NamedOutput> named_outputs;
  for (size_t i = 0; i < inputs.size(); ++i) named_inputs.emplace_back(session.inputs()[i].name, inputs[i]);
  outputs.clear();
  for (const api::TensorInfo& t : session.outputs()) outputs.emplace_back(t.elements());
  for (size_t i = 0; i < outputs.size(); ++i) named_outputs.emplace_back(session.outputs()[i].name, outputs[i]);
  return Try([&] { session.run(named_inputs, named_outputs); });
}

/// One layer's program and the float values it works on.
struct Alone {
  std::vector<ValueId> inputs;  ///< in the float graph
  api::Session session;
};

class Meter {
 public:
  Meter(const LayerErrorInputs& inputs, compiler::FloatExecutor executor, api::Session session)
      : inputs_(inputs), executor_(std::move(executor)), session_(std::move(session)), tap_(session_, inputs.program) {
    floats_.resize(executor_.graph().values.size());
  }

  Status Prepare() {
    if (inputs_.quantized == nullptr) return {};
    for (const Node& node : inputs_.quantized->nodes) {
      if (OnlyArranges(std::string(Name(node.op))) || !compiler::IsOverlayNode(*inputs_.quantized, node)) continue;
      Status added = AddAlone(node);
      if (!added.ok()) return std::move(added).failure().In("node '" + node.name + "' on its own");
    }
    return {};
  }

  Status AddSample(int64_t run) {
    XRUN_ASSIGN_OR_RETURN(const io::Feed feed, inputs_.data->Get(run));
    const auto given = [&](const std::string& name) -> std::span<const float> {
      const io::Array& array = feed.tensors.at(name);
      return {array.data<float>(), static_cast<size_t>(array.size())};
    };
    std::vector<std::span<const float>> inputs;
    for (ValueId id : executor_.graph().inputs) inputs.push_back(given(executor_.graph().at(id).name));
    XRUN_RETURN_IF_ERROR(executor_.Run(inputs, [&](ValueId id, std::span<const float> values) {
      floats_[static_cast<size_t>(id)].assign(values.begin(), values.end());
    }));
    inputs.clear();
    for (const api::TensorInfo& t : session_.inputs()) inputs.push_back(given(t.name));
    XRUN_RETURN_IF_ERROR(RunFloats(session_, inputs, results_));
    return Compare(tap_.Take());
  }

  std::vector<LayerError> Take() { return std::move(layers_); }

 private:
  Status AddAlone(const Node& node) {
    const Graph graph = OneLayer(*inputs_.quantized, node);
    if (graph.inputs.size() > kMaxInputs) return {};
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) {
      if (id == kNone || inputs_.quantized->at(id).is_constant()) continue;
      const ValueId value = FindFloat(executor_.graph(), inputs_.quantized->at(id).name);
      if (value == kNone) return {};
      if (std::find(inputs.begin(), inputs.end(), value) == inputs.end()) inputs.push_back(value);
    }
    if (inputs.size() != graph.inputs.size()) return {};  // two int8 forms of one value: they cannot be told apart
    compiler::CompileOptions options;
    options.config = inputs_.program->config;
    XRUN_ASSIGN_OR_RETURN(Program program, compiler::Compile(graph, options));
    XRUN_ASSIGN_OR_RETURN(api::Session session, OpenProgram(std::make_shared<const Program>(std::move(program))));
    alone_.emplace(node.name, Alone{std::move(inputs), std::move(session)});
    return {};
  }

  Status Compare(const std::vector<CapturedTensor>& tensors) {
    for (const CapturedTensor& t : tensors) {
      if (!t.quantized() || t.place != "overlay" || OnlyArranges(t.op)) continue;
      const ValueId id = FindFloat(executor_.graph(), t.name);
      if (id == kNone) continue;
      const std::vector<float>& want = floats_[static_cast<size_t>(id)];
      const io::Array got = t.Real();
      if (static_cast<size_t>(got.size()) != want.size()) {
        return Failure{"tensor '" + t.name + "' has " + io::ShapeText(got.shape) + " here and " +
                           std::to_string(want.size()) + " elements in the float model",
                       "is it the model that the program was made from?"};
      }
      LayerError& layer = LayerOf(t);
      layer.whole.Add(want, {got.data<float>(), want.size()});
      XRUN_RETURN_IF_ERROR(AddAloneSample(layer, want));
    }
    return {};
  }

  Status AddAloneSample(LayerError& layer, const std::vector<float>& want) {
    const auto it = alone_.find(layer.node);
    if (it == alone_.end()) return {};
    std::vector<std::span<const float>> inputs;
    for (ValueId id : it->second.inputs) inputs.emplace_back(floats_[static_cast<size_t>(id)]);
    XRUN_RETURN_IF_ERROR(RunFloats(it->second.session, inputs, results_));
    if (!layer.alone) layer.alone.emplace();
    layer.alone->Add(want, results_[0]);
    return {};
  }

  LayerError& LayerOf(const CapturedTensor& t) {
    const auto [it, is_new] = index_.emplace(t.name, layers_.size());
    if (is_new) layers_.push_back({t.name, t.node, t.op, {}, {}});
    return layers_[it->second];
  }

  const LayerErrorInputs& inputs_;
  compiler::FloatExecutor executor_;
  api::Session session_;
  TensorTap tap_;
  std::vector<std::vector<float>> floats_;  ///< by ValueId of the float graph, of this sample
  std::vector<std::vector<float>> results_;
  std::map<std::string, Alone> alone_;  ///< by node
  std::map<std::string, size_t> index_;
  std::vector<LayerError> layers_;
};

std::string Number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string SqnrText(const Deviation& d) { return std::isinf(d.SqnrDb()) ? "exact" : Number("%.1f dB", d.SqnrDb()); }

nlohmann::ordered_json DeviationJson(const Deviation& d) {
  nlohmann::ordered_json json;
  json["sqnr_db"] = std::isfinite(d.SqnrDb()) ? nlohmann::ordered_json(d.SqnrDb()) : nlohmann::ordered_json();
  json["cosine"] = d.Cosine();
  return json;
}

}  // namespace

void Deviation::Add(std::span<const float> want, std::span<const float> got) {
  for (size_t i = 0; i < want.size(); ++i) {
    const double w = want[i], g = got[i];
    want_ += w * w;
    got_ += g * g;
    dot_ += w * g;
    noise_ += (w - g) * (w - g);
  }
}

double Deviation::SqnrDb() const {
  if (noise_ == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(want_ / noise_);
}

double Deviation::Cosine() const {
  if (want_ == 0 || got_ == 0) return want_ == got_ ? 1 : 0;
  return dot_ / std::sqrt(want_ * got_);
}

Result<std::vector<LayerError>> MeasureLayers(const LayerErrorInputs& inputs, Progress& progress) {
  XRUN_ASSIGN_OR_RETURN(compiler::FloatExecutor executor, compiler::FloatExecutor::Create(*inputs.float_model, 1));
  XRUN_ASSIGN_OR_RETURN(api::Session session, OpenProgram(inputs.program));
  Meter meter(inputs, std::move(executor), std::move(session));
  XRUN_RETURN_IF_ERROR(meter.Prepare());
  for (int64_t run = 0; run < std::min(inputs.samples, inputs.data->runs()); ++run) {
    XRUN_RETURN_IF_ERROR(meter.AddSample(run));
    progress.Advance();
  }
  std::vector<LayerError> layers = meter.Take();
  if (layers.empty()) {
    return Failure{"no layer of the program has a counterpart of the same name in the float model",
                   "is it the model that the program was made from?"};
  }
  const auto key = [](const LayerError& l) { return l.alone ? l.alone->SqnrDb() : l.whole.SqnrDb(); };
  std::stable_sort(layers.begin(), layers.end(),
                   [&](const LayerError& a, const LayerError& b) { return key(a) < key(b); });
  return layers;
}

Status CheckSameResults(const std::shared_ptr<const Program>& here, const std::shared_ptr<const Program>& there,
                        const io::Dataset& data, int64_t samples) {
  XRUN_ASSIGN_OR_RETURN(api::Session a, OpenProgram(here));
  XRUN_ASSIGN_OR_RETURN(api::Session b, OpenProgram(there));
  const Failure other{"the quantized graph is another one than the program's",
                      "xcompile --emit-qdq and xquantize write a program's own"};
  if (a.inputs().size() != b.inputs().size() || a.outputs().size() != b.outputs().size()) return other;
  std::vector<std::vector<float>> x, y;
  for (int64_t run = 0; run < std::min(samples, data.runs()); ++run) {
    XRUN_ASSIGN_OR_RETURN(const io::Feed feed, data.Get(run));
    std::vector<std::span<const float>> inputs;
    for (size_t i = 0; i < a.inputs().size(); ++i) {
      const api::TensorInfo& info = a.inputs()[i];
      if (b.inputs()[i].name != info.name || b.inputs()[i].elements() != info.elements()) return other;
      inputs.emplace_back(feed.tensors.at(info.name).data<float>(), info.elements());
    }
    XRUN_RETURN_IF_ERROR(RunFloats(a, inputs, x));
    XRUN_RETURN_IF_ERROR(RunFloats(b, inputs, y));
    if (x != y) return other;
  }
  return {};
}

std::string Text(const std::vector<LayerError>& layers) {
  const auto right = Table::Align::kRight;
  const bool alone = std::any_of(layers.begin(), layers.end(), [](const LayerError& l) { return l.alone.has_value(); });
  std::vector<Table::Column> columns = {{"layer"}, {"op"}, {"whole model", right}, {"cosine", right}};
  if (alone) columns.insert(columns.end(), {{"alone", right}, {"cosine", right}});
  columns.push_back({""});
  Table table(std::move(columns));
  for (const LayerError& l : layers) {
    std::vector<std::string> cells = {l.node.empty() ? l.tensor : l.node, l.op, SqnrText(l.whole),
                                      Number("%.5f", l.whole.Cosine())};
    if (alone) {
      cells.push_back(l.alone ? SqnrText(*l.alone) : "");
      cells.push_back(l.alone ? Number("%.5f", l.alone->Cosine()) : "");
    }
    cells.push_back(&l == layers.data() ? "<- worst" : "");
    table.AddRow(std::move(cells));
  }
  std::string text = table.ToString() + "whole model: SQNR of the layer's result in the quantized model";
  if (alone) text += "; alone: with this layer quantized and nothing else";
  return text + "\n";
}

nlohmann::ordered_json ToJson(const std::vector<LayerError>& layers) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const LayerError& l : layers) {
    nlohmann::ordered_json layer = {{"tensor", l.tensor}, {"node", l.node}, {"op", l.op}};
    layer["whole"] = DeviationJson(l.whole);
    if (l.alone) layer["alone"] = DeviationJson(*l.alone);
    json.push_back(std::move(layer));
  }
  return json;
}

}  // namespace xrun::tools
