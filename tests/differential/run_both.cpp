#include "run_both.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <random>
#include <span>

#include "compiler/quantize/qdq_export.h"
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

Tensors RunProgram(const Program& program, const Tensors& inputs, int requests, std::string* error,
                   const Tensors& known) {
  const uint32_t cp = program.config.channels;
  // Values between steps, in the model's layout, by tensor index.
  std::map<uint32_t, std::vector<int8_t>> values;
  for (const uint32_t t : program.inputs) values[t] = inputs.at(program.tensors[t].name);
  Tensors outputs;
  simulator::Machine machine(program.config);
  for (const Step& s : program.steps) {
    if (s.kind != Step::Kind::kOverlay) continue;
    const OverlayStep& step = program.overlay_steps[s.index];
    for (const Binding& b : step.inputs) {
      if (values.contains(b.tensor)) continue;
      if (const auto it = known.find(program.tensors[b.tensor].name); it != known.end()) {
        values[b.tensor] = it->second;
        continue;
      }
      *error = "an overlay step needs " + program.tensors[b.tensor].name + " from a CPU step";
      return {};
    }
    const auto prepared = simulator::Prepare(program, step);
    std::vector<std::array<std::vector<uint8_t>, kBaseRegisters>> memory(static_cast<size_t>(requests));
    std::vector<simulator::LaunchRequest> launch(static_cast<size_t>(requests));
    for (size_t r = 0; r < launch.size(); ++r) {
      for (const Binding& b : step.inputs) {
        std::vector<uint8_t>& buffer = memory[r][b.base];
        const size_t begin = buffer.size();
        buffer.resize(begin + b.layout.Bytes(program.config), 0x55);
        const std::vector<int8_t>& x = values.at(b.tensor);
        ForEachElement(b.layout, cp, [&](size_t i, size_t o) { buffer[begin + o] = static_cast<uint8_t>(x[i]); });
      }
      for (const Binding& b : step.outputs) {
        memory[r][b.base].resize(memory[r][b.base].size() + b.layout.Bytes(program.config), 0xAA);
      }
      memory[r][kBaseWorkspace].assign(step.workspace_bytes, 0xCC);
      for (size_t i = 0; i < kBaseRegisters; ++i) launch[r].registers[i] = memory[r][i];
    }
    simulator::RunOptions options;
    options.checks = simulator::CheckLevel::kLimits;
    if (Status status = machine.Run(*prepared, launch, options); !status.ok()) {
      *error = status.failure().ToString();
      return {};
    }
    for (size_t r = 1; r < launch.size(); ++r) {
      for (const Binding& b : step.outputs) {
        if (memory[r][b.base] != memory[0][b.base]) {
          *error = "request " + std::to_string(r) + " of the launch differs from request 0";
          return {};
        }
      }
    }
    std::array<size_t, kBaseRegisters> next{};
    for (const Binding& b : step.outputs) {
      std::vector<int8_t>& y = values[b.tensor];
      y.resize(size_t{b.layout.channels} * b.layout.height * b.layout.width);
      const uint8_t* data = memory[0][b.base].data() + next[b.base];
      next[b.base] += b.layout.Bytes(program.config);
      ForEachElement(b.layout, cp, [&](size_t i, size_t o) { y[i] = static_cast<int8_t>(data[o]); });
      outputs[program.tensors[b.tensor].name] = y;
    }
    for (const OverlayStep::Watch& w : step.watches) {
      std::vector<int8_t>& y = outputs[w.name];
      y.resize(size_t{w.layout.channels} * w.layout.height * w.layout.width);
      const uint8_t* from = memory[0][kBaseWorkspace].data() + w.workspace_offset;
      ForEachElement(w.layout, cp, [&](size_t i, size_t o) { y[i] = static_cast<int8_t>(from[o]); });
    }
  }
  return outputs;
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
