#include "compiler/placement.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "compiler/lower_layer.h"
#include "compiler/lower_phases.h"
#include "compiler/move_to_cpu.h"
#include "compiler/quantize/select.h"

namespace xrun::compiler {
namespace {

/// Operators with an instruction, given int8 in and out.
bool HasOverlayForm(const Graph& graph, const Node& node) {
  const auto placeable = [&](ValueId id) { return OverlayDims(graph.at(id)).ok(); };
  switch (node.op) {
    case Op::kConv:
    case Op::kConvTranspose:
    case Op::kFullyConnected:
    case Op::kMaxPool:
    case Op::kAveragePool:
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kUnary:
    case Op::kPRelu:
    case Op::kPad:
      return true;
    case Op::kMatMul:  // tokens_to_planes makes it products of matrices
      return graph.at(node.inputs[0]).shape.size() > 1 && graph.at(node.inputs[1]).shape.size() > 1;
    case Op::kConcat:
    case Op::kSlice:
      return placeable(node.inputs[0]) && placeable(node.outputs[0]);
    case Op::kReshape:
      return placeable(node.inputs[0]) && placeable(node.outputs[0]);
    case Op::kResize:
      return placeable(node.inputs[0]) && CheckResize(graph, node).ok();
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
      return placeable(node.inputs[0]);
    case Op::kGather:
      return placeable(node.inputs[0]) && placeable(node.outputs[0]) && graph.at(node.inputs[1]).is_constant() &&
             OverlayAxis(graph.at(node.inputs[0]).shape.size(), node.as<AxisAttrs>().axis) == 0 &&
             graph.at(node.inputs[1]).shape.size() == 1;
    default:
      return false;
  }
}

/// A Quantize of a model input that nothing else reads, a Dequantize that makes a model output from the overlay's
/// result.
bool IsBorder(const Graph& graph, const Node& node, const std::vector<Placement>& places) {
  if (node.op == Op::kQuantize) {
    const ValueId in = node.inputs[0];
    if (std::find(graph.inputs.begin(), graph.inputs.end(), in) == graph.inputs.end()) return false;
    // Other float readers, or another quantization, need the float input itself.
    return graph.Consumers(in).size() == 1 && !graph.IsOutput(in);
  }
  if (node.op != Op::kDequantize) return false;
  const ValueId in = node.inputs[0], out = node.outputs[0];
  if (!graph.IsOutput(out) || !graph.Consumers(out).empty() || graph.IsOutput(in)) return false;
  // The value must come from the overlay, and only one model output can stand for it.
  const NodeId producer = graph.Producer(in);
  if (producer == kNone || places[static_cast<size_t>(producer)].place != Place::kOverlay) return false;
  for (const NodeId reader : graph.Consumers(in)) {
    const Node& other = graph.nodes[static_cast<size_t>(reader)];
    if (other.op == Op::kDequantize) return other.outputs[0] == out;
  }
  return false;
}

Placement PlacementOfFloat(const Graph& graph, const Node& node) {
  const std::string why = WhyNotQuantizable(graph, node);
  if (!why.empty()) return {Place::kCpu, "float operator: " + why, HowToQuantize(node.op)};
  if (graph.metadata.contains("calibration")) {
    return {Place::kCpu, "float operator: stands between operators that stay float",
            "it follows its neighbours: one of them on the overlay takes it along"};
  }
  return {Place::kCpu, "float operator: the model does not quantize it",
          "put QuantizeLinear and DequantizeLinear behind it, or compile the float model"};
}

}  // namespace

std::string_view Name(Place place) {
  switch (place) {
    case Place::kOverlay:
      return "overlay";
    case Place::kCpu:
      return "cpu";
    case Place::kFolded:
      return "folded";
  }
  return "unknown";
}

bool IsOverlayNode(const Graph& graph, const Node& node) {
  return node.cpu_reason.empty() && IsQuantizedOperator(graph, node) && HasOverlayForm(graph, node);
}

std::vector<Placement> PlaceNodes(const Graph& graph) {
  std::vector<Placement> places(graph.nodes.size());
  std::vector<NodeId> producer(graph.values.size(), kNone);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    for (ValueId out : node.outputs) producer[static_cast<size_t>(out)] = static_cast<NodeId>(i);
    Placement& place = places[i];
    if (!node.cpu_reason.empty()) {
      place = {Place::kCpu, node.cpu_reason, ""};
    } else if (IsBorder(graph, node, places)) {
      place = {Place::kFolded, "conversion at the model's border, done by the runtime", ""};
    } else if (node.op == Op::kQuantize) {
      place = {Place::kCpu, "converts to int8", ""};
    } else if (node.op == Op::kDequantize) {
      place = {Place::kCpu, "converts to float for what follows", ""};
    } else if (!IsQuantizedOperator(graph, node)) {
      place = PlacementOfFloat(graph, node);
    } else if (IsOverlayNode(graph, node)) {
      place = {Place::kOverlay, "int8 operator" + (node.remark.empty() ? "" : "; " + node.remark), ""};
    } else if (OnlyMoves(graph, node)) {
      place = {Place::kCpu, "int8 operator that moves elements in a way the overlay's layout does not absorb", ""};
    } else {
      place = {Place::kCpu, "the overlay has no instruction for it", ""};
    }
    if (place.place != Place::kOverlay || !OnlyMoves(graph, node)) continue;
    // Moving what the CPU has just made is no reason for a launch.
    const bool from_cpu = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId in) {
      if (graph.at(in).is_constant()) return true;
      const NodeId from = producer[static_cast<size_t>(in)];
      return from != kNone && places[static_cast<size_t>(from)].place == Place::kCpu;
    });
    if (from_cpu) place = {Place::kCpu, "only moves what the CPU made", ""};
  }
  return places;
}

bool OnlyMoves(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::kTranspose:
    case Op::kReshape:
    case Op::kSlice:
    case Op::kConcat:
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
    case Op::kGather:
      break;
    case Op::kResize:
      if (node.as<ResizeAttrs>().mode != ResizeMode::kNearest) return false;
      break;
    default:
      return false;
  }
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId in) {
    return graph.at(in).dtype != DType::kInt8 || graph.at(in).quant == graph.at(node.outputs[0]).quant;
  });
}

std::vector<StepNodes> OrderSteps(const Graph& graph, const std::vector<Placement>& places) {
  std::vector<bool> available(graph.values.size(), false);
  for (ValueId id : graph.inputs) available[static_cast<size_t>(id)] = true;
  std::vector<bool> done(graph.nodes.size(), false);
  const auto ready = [&](const Node& node) {
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kNone || graph.at(id).is_constant() || available[static_cast<size_t>(id)];
    });
  };
  const auto finish = [&](size_t i) {
    done[i] = true;
    for (ValueId id : graph.nodes[i].outputs) available[static_cast<size_t>(id)] = true;
  };

  std::vector<StepNodes> steps;
  size_t left = graph.nodes.size();
  size_t before = left + 1, two_before = left + 2;
  for (bool overlay = true; left != 0; overlay = !overlay) {
    assert(left < two_before && "a node waits for what nothing computes");
    two_before = std::exchange(before, left);
    StepNodes step{overlay, {}};
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      if (done[i] || !ready(node)) continue;
      const bool border = places[i].place == Place::kFolded;
      if (!border && (places[i].place == Place::kOverlay) != overlay) continue;
      finish(i);
      --left;
      if (!border) step.nodes.push_back(static_cast<NodeId>(i));
    }
    if (!step.nodes.empty()) steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace xrun::compiler
