#include "run_both.h"

#include <random>

#include "compiler/quantize/qdq_export.h"
#include "oracle.h"
#include "simulator/simulator.h"

namespace xrun::testing {
namespace {

/// Index of element (c, y, x) of a tensor in the overlay's DRAM layout (isa/README.md, section 3).
size_t OverlayIndex(const BufferLayout& l, uint32_t cp, uint32_t c, uint32_t y, uint32_t x) {
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

Tensors RunOracle(const compiler::Graph& graph, const Tensors& inputs, std::string* error) {
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
    Tensors tensors;
    for (const auto& [name, t] : result.tensors) tensors[t.float_name] = t.data;
    for (const oracle::OutputTensor& o : result.outputs) {
      if (o.quantized) tensors[o.name] = o.quantized->data;
    }
    return tensors;
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

}  // namespace xrun::testing
