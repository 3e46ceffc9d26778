#include "run_both.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <random>
#include <span>

#include "compiler/quantize/qdq_export.h"
#include "isa/launch_image.h"
#include "oracle.h"
#include "runtime/internal.h"
#include "simulator/simulator.h"

namespace xrun::testing {
namespace {

/// Index of element (c, y, x) of a tensor in the overlay's DRAM layout (isa/README.md, section 3).
size_t OverlayIndex(const BufferLayout& l, uint32_t cp, uint32_t c, uint32_t y, uint32_t x) {
  if (l.dense) return (size_t{y} * l.width + x) * l.channels + c;
  const uint32_t p = l.channel_map.empty() ? c : l.channel_map[c];
  return ((size_t{p / cp} * l.height + y) * l.width + x) * cp + p % cp;
}

template <typename F>
void ForEachElement(const BufferLayout& l, uint32_t cp, F&& f) {
  size_t i = 0;
  for (uint32_t c = 0; c < l.channels; ++c) {
    for (uint32_t y = 0; y < l.height; ++y) {
      for (uint32_t x = 0; x < l.width; ++x) f(i++, OverlayIndex(l, cp, c, y, x));
    }
  }
}

}  // namespace

Tensors RandomInputs(const compiler::Graph& graph, uint64_t seed) {
  std::mt19937_64 random(seed);
  Tensors inputs;
  for (const compiler::ValueId id : graph.inputs) {
    std::vector<int8_t> data(static_cast<size_t>(compiler::Elements(graph.at(id).shape)));
    for (int8_t& q : data) q = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
    inputs[graph.at(id).name] = std::move(data);
  }
  return inputs;
}

namespace {

Tensors Tensor(const Program& program, const Binding& b, const uint8_t* data) {
  std::vector<int8_t> y(size_t{b.layout.channels} * b.layout.height * b.layout.width);
  ForEachElement(b.layout, program.config.channels, [&](size_t i, size_t o) { y[i] = static_cast<int8_t>(data[o]); });
  return {{program.tensors[b.tensor].name, std::move(y)}};
}

/// One launch of a step: `values[r]` has request r's tensors by name and gets what it writes and what is watched.
Status RunStep(const Program& program, const OverlayStep& step, std::vector<Tensors>* values) {
  const uint32_t cp = program.config.channels;
  const auto requests = static_cast<uint32_t>(values->size());
  std::vector<std::array<std::vector<uint8_t>, kBaseRegisters>> memory(requests);
  for (uint32_t r = 0; r < requests; ++r) {
    for (const Binding& b : step.inputs) {
      std::vector<uint8_t>& buffer = memory[r][b.base];
      const size_t begin = buffer.size();
      buffer.resize(begin + b.layout.Bytes(program.config), 0x55);
      const std::vector<int8_t>& x = (*values)[r].at(program.tensors[b.tensor].name);
      ForEachElement(b.layout, cp, [&](size_t i, size_t o) { buffer[begin + o] = static_cast<uint8_t>(x[i]); });
    }
    for (const Binding& b : step.outputs) {
      memory[r][b.base].resize(memory[r][b.base].size() + b.layout.Bytes(program.config), 0xAA);
    }
    memory[r][kBaseWorkspace].assign(step.stagger ? step.stagger->offset : step.workspace_bytes, 0xCC);
    if (step.stagger) memory[r][step.stagger->out].assign(step.stagger->bytes, 0xCC);
  }
  std::vector<simulator::LaunchRequest> launch(step.Entries(requests));
  for (uint32_t entry = 0; entry < launch.size(); ++entry) {
    for (uint32_t base = 0; base < kBaseRegisters; ++base) {
      const launch::EntrySource from = launch::SourceOf(step, requests, entry, base);
      if (from.request) launch[entry].registers[base] = memory[*from.request][from.base];
    }
  }
  simulator::RunOptions options;
  // The verifier takes each entry's buffers for its own; that halves and entries share some, word by word.
  options.checks = step.stagger ? simulator::CheckLevel::kFull : simulator::CheckLevel::kLimits;
  simulator::Machine machine(program.config);
  XRUN_RETURN_IF_ERROR(machine.Run(*simulator::Prepare(program, step), launch, options));
  for (uint32_t r = 0; r < requests; ++r) {
    std::array<size_t, kBaseRegisters> next{};
    for (const Binding& b : step.outputs) {
      for (auto& [name, y] : Tensor(program, b, memory[r][b.base].data() + next[b.base])) {
        (*values)[r][name] = std::move(y);
      }
      next[b.base] += b.layout.Bytes(program.config);
    }
    for (const OverlayStep::Watch& w : step.watches) {
      std::vector<int8_t>& y = (*values)[r][w.name];
      y.resize(size_t{w.layout.channels} * w.layout.height * w.layout.width);
      const uint8_t* from = memory[r][kBaseWorkspace].data() + w.workspace_offset;
      ForEachElement(w.layout, cp, [&](size_t i, size_t o) { y[i] = static_cast<int8_t>(from[o]); });
    }
  }
  return {};
}

}  // namespace

std::vector<Tensors> RunRequests(const Program& program, const std::vector<Tensors>& inputs, std::string* error,
                                 const Tensors& known) {
  std::vector<Tensors> values = inputs;
  for (const Step& s : program.steps) {
    if (s.kind != Step::Kind::kOverlay) continue;
    const OverlayStep& step = program.overlay_steps[s.index];
    for (const Binding& b : step.inputs) {
      const std::string& name = program.tensors[b.tensor].name;
      for (Tensors& request : values) {
        if (request.contains(name)) continue;
        const auto it = known.find(name);
        if (it == known.end()) {
          *error = "an overlay step needs " + name + " from a CPU step";
          return {};
        }
        request[name] = it->second;
      }
    }
    if (Status status = RunStep(program, step, &values); !status.ok()) {
      *error = status.failure().ToString();
      return {};
    }
  }
  std::vector<Tensors> outputs(values.size());
  for (size_t r = 0; r < values.size(); ++r) {
    for (const OverlayStep& step : program.overlay_steps) {
      for (const Binding& b : step.outputs) {
        const std::string& name = program.tensors[b.tensor].name;
        outputs[r][name] = values[r].at(name);
      }
      for (const OverlayStep::Watch& w : step.watches) outputs[r][w.name] = values[r].at(w.name);
    }
  }
  return outputs;
}

Tensors RunProgram(const Program& program, const Tensors& inputs, int requests, std::string* error,
                   const Tensors& known) {
  const auto outputs = RunRequests(program, std::vector<Tensors>(static_cast<size_t>(requests), inputs), error, known);
  if (outputs.empty()) return {};
  for (size_t r = 1; r < outputs.size(); ++r) {
    if (outputs[r] == outputs[0]) continue;
    *error = "request " + std::to_string(r) + " of the launch differs from request 0";
    return {};
  }
  return outputs[0];
}

Results RunInRuntime(std::shared_ptr<const Program> program, const Tensors& inputs, std::string* error) {
  constexpr size_t kRuns = 2;
  const auto twice = [](const auto& data) {
    auto both = data;
    both.insert(both.end(), data.begin(), data.end());
    return both;
  };
  try {
    static const api::Device* const device = new api::Device(api::Device::open("sim"));
    api::Session session(*device, internal::WrapProgram(std::move(program)), {.in_flight = kRuns, .launches = 1});
    std::list<std::vector<int8_t>> codes;  // of inputs and outputs, twice; a list: nothing moves
    std::list<std::vector<float>> floats;
    std::list<std::vector<int64_t>> integers;
    std::vector<api::NamedInput> in;
    std::vector<api::NamedOutput> out;
    for (const api::TensorInfo& info : session.inputs()) {
      in.emplace_back(info.name, codes.emplace_back(twice(inputs.at(info.name))));
    }
    for (const api::TensorInfo& info : session.outputs()) {
      const size_t size = kRuns * info.elements();
      if (info.dtype == api::DType::kInt8) {
        out.emplace_back(info.name, codes.emplace_back(size));
      } else if (info.dtype == api::DType::kInt64) {
        out.emplace_back(info.name, integers.emplace_back(size));
      } else {
        out.emplace_back(info.name, floats.emplace_back(size));
      }
    }
    session.run(in, out);
    Results results;
    for (const api::NamedOutput& o : out) {
      const auto half = [&](const auto* data) {
        const size_t n = o.size() / kRuns;
        if (!std::equal(data, data + n, data + n)) *error = "the second run's " + std::string(o.name()) + " differs";
        return std::span(data, n);
      };
      const std::string name(o.name());
      if (o.dtype() == api::DType::kInt8) {
        const auto data = half(static_cast<const int8_t*>(o.data()));
        results.codes[name] = {data.begin(), data.end()};
      } else if (o.dtype() == api::DType::kInt64) {
        const auto data = half(static_cast<const int64_t*>(o.data()));
        results.numbers[name] = {data.begin(), data.end()};
      } else {
        const auto data = half(static_cast<const float*>(o.data()));
        results.numbers[name] = {data.begin(), data.end()};
      }
    }
    return error->empty() ? results : Results{};
  } catch (const api::Error& e) {
    *error = e.what();
    return {};
  }
}

Results RunOracle(const compiler::Graph& graph, const Tensors& inputs, std::string* error) {
  Result<std::string> bytes = compiler::ExportQdq(graph);
  if (!bytes.ok()) {
    *error = bytes.failure().ToString();
    return {};
  }
  try {
    const oracle::Model model = oracle::LoadBytes(*bytes);
    std::map<std::string, oracle::InputTensor> in;
    for (const oracle::Model::Port& port : model.inputs()) in[port.name] = {port.shape, inputs.at(port.name)};
    const oracle::Result result = oracle::Run(model, in);
    Results results;
    for (const auto& [name, t] : result.tensors) results.codes[t.float_name] = t.data;
    // What a Quantize node makes goes by its own name in the graph, by the float value's in the file.
    for (const compiler::Node& node : graph.nodes) {
      if (node.op != Op::kQuantize) continue;
      const auto codes = results.codes.find(graph.at(node.inputs[0]).name);
      if (codes != results.codes.end()) results.codes[graph.at(node.outputs[0]).name] = codes->second;
    }
    for (const oracle::OutputTensor& o : result.outputs) {
      if (o.quantized) results.codes[o.name] = o.quantized->data;
      results.numbers[o.name] = o.values;
    }
    return results;
  } catch (const oracle::Error& e) {
    *error = e.what();
    return {};
  }
}

std::string Difference(const Tensors& got, const Tensors& want) {
  if (got.empty()) return "no tensor at all";
  for (const auto& [name, g] : got) {
    const auto it = want.find(name);
    if (it == want.end()) return "no tensor " + name + " to compare with";
    const std::vector<int8_t>& w = it->second;
    if (g.size() != w.size()) return "tensor " + name + " has another size";
    for (size_t i = 0; i < w.size(); ++i) {
      if (g[i] != w[i]) {
        return "tensor " + name + " element " + std::to_string(i) + ": " + std::to_string(g[i]) + " instead of " +
               std::to_string(w[i]);
      }
    }
  }
  return "";
}

std::string Difference(const Results& got, const Results& want) {
  if (got.codes.empty() && got.numbers.empty()) return "no tensor at all";
  if (!got.codes.empty()) {
    const std::string difference = Difference(got.codes, want.codes);
    if (!difference.empty()) return difference;
  }
  for (const auto& [name, g] : got.numbers) {
    const auto it = want.numbers.find(name);
    if (it == want.numbers.end()) return "no tensor " + name + " to compare with";
    const std::vector<float>& w = it->second;
    if (g.size() != w.size()) return "tensor " + name + " has another size";
    float largest = 0;
    for (const float x : w) largest = std::max(largest, std::abs(x));
    for (size_t i = 0; i < w.size(); ++i) {
      if (!(std::abs(g[i] - w[i]) <= 1e-5F * largest)) {
        return "tensor " + name + " element " + std::to_string(i) + ": " + std::to_string(g[i]) + " instead of " +
               std::to_string(w[i]);
      }
    }
  }
  return "";
}

}  // namespace xrun::testing
