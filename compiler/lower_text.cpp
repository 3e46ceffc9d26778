#include <sstream>

#include "compiler/lower.h"

namespace xrun::compiler {
namespace {

const char* KindName(const Layer& layer) {
  switch (layer.kind) {
    case LayerKind::kConv:
      return "conv";
    case LayerKind::kDepthwise:
      return "depthwise";
    case LayerKind::kPool:
      return layer.average ? "average-pool" : "max-pool";
    case LayerKind::kMatMul:
      return layer.transposed ? "product by transposed" : "product by";
    case LayerKind::kElementwise:
      switch (layer.elementwise) {
        case kElementwiseAdd:
          return "add";
        case kElementwiseMul:
          return "multiply";
        case kElementwiseRequantize:
          return "requantize";
        case kElementwiseCopy:
          return layer.out.table ? "table" : "copy";
      }
  }
  return "?";
}

}  // namespace

std::string ToText(const LoweredModel& model, const Graph& graph) {
  std::ostringstream out;
  for (const LoweredStep& step : model.steps) {
    if (!step.partition) {
      const Node& node = graph.nodes[static_cast<size_t>(step.cpu_node)];
      out << "cpu " << node.name << " " << Name(node.op) << "\n";
      continue;
    }
    const Partition& p = model.partitions[*step.partition];
    out << "overlay partition " << *step.partition << "\n";
    for (size_t i = 0; i < p.tensors.size(); ++i) {
      const OverlayTensor& t = p.tensors[i];
      out << "  %" << i << " " << t.name << " " << t.channels << "x" << t.height << "x" << t.width << " scale "
          << t.scale << " zero " << t.zero_point << " register " << int{t.base};
      if (t.on_chip) {
        out << " on chip at " << t.on_chip->addr;
      } else {
        out << " offset " << t.offset;
      }
      out << "\n";
    }
    for (const Layer& layer : p.layers) {
      out << "  %" << layer.output << " = " << KindName(layer) << " %" << layer.input;
      if (layer.input_b != kNone) out << ", %" << layer.input_b;
      if (layer.kind != LayerKind::kElementwise && layer.kind != LayerKind::kMatMul) {
        out << " kernel " << layer.kernel_h << "x" << layer.kernel_w << " stride " << layer.stride_h << "x"
            << layer.stride_w << " pad " << layer.pad_top << "," << layer.pad_left;
        if (layer.dilation_h != 1 || layer.dilation_w != 1) {
          out << " dilation " << layer.dilation_h << "x" << layer.dilation_w;
        }
        if (layer.groups != 1) out << " groups " << layer.groups;
        if (!layer.phases.empty()) {
          out << " in " << layer.phases.size() << " phases of " << layer.cell_h << "x" << layer.cell_w << " cells";
        }
      }
      out << " clamp " << layer.out.clamp_lo << ".." << layer.out.clamp_hi;
      if (layer.out.table) out << " then table";
      if (layer.out.residual) out << " then add %" << layer.out.residual->tensor;
      out << "  # " << layer.name << "\n";
    }
  }
  return out.str();
}

}  // namespace xrun::compiler
