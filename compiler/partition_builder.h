#ifndef XRUN_COMPILER_PARTITION_BUILDER_H_
#define XRUN_COMPILER_PARTITION_BUILDER_H_

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "compiler/lower.h"

namespace xrun::compiler {

/// Private to Lower. A partition while its nodes are added in execution order: which tensor holds which value, which
/// tensors are boxes of others, and after which layer a tensor is complete.
class PartitionBuilder {
 public:
  PartitionBuilder(const Graph& graph, const HardwareConfig& config, const LowerOptions& options)
      : graph(graph), config(config), options(options) {}

  const Graph& graph;
  const HardwareConfig& config;
  const LowerOptions& options;
  Partition partition;

  /// Valid until the next tensor is added.
  OverlayTensor& at(int32_t tensor) { return partition.tensors[static_cast<size_t>(tensor)]; }
  const OverlayTensor& at(int32_t tensor) const { return partition.tensors[static_cast<size_t>(tensor)]; }
  const Node& node(NodeId id) const { return graph.nodes[static_cast<size_t>(id)]; }
  /// The tensor that owns the memory: the parent of a view.
  int32_t Root(int32_t tensor) const { return at(tensor).is_view() ? at(tensor).parent : tensor; }
  /// Channel groups that so many channels fill.
  uint32_t Groups(uint32_t channels) const { return (channels + config.channels - 1) / config.channels; }

  /// The tensor that holds a value; kNone where no node has asked for it or made it yet.
  int32_t Find(ValueId value) const;
  /// The tensor that holds a value, an input of the partition or a constant where it is new. With `exact`, its
  /// C × H × W must be those of the value's own shape: a reshaped view is good enough for a FullyConnected only.
  Result<int32_t> TensorOf(ValueId value, bool exact);
  /// A new tensor that holds a value, its channels without holes.
  Result<int32_t> NewTensor(ValueId value);
  /// The same with dimensions other than the value's own, not yet said to hold it.
  int32_t NewTensor(ValueId value, const std::array<uint32_t, 3>& dims);
  int32_t AddTensor(OverlayTensor tensor);
  /// From now on `tensor` holds `value`, perhaps beside others.
  void Hold(ValueId value, int32_t tensor) { tensor_of_[value] = tensor; }
  /// From now on `tensor` holds `value`, under its name and with its parameters, and no longer what it was made for.
  void Replace(int32_t tensor, ValueId value);

  /// Turns a tensor into a box of `parent`.
  void MakeView(int32_t tensor, int32_t parent, uint32_t group0, uint32_t y0, uint32_t x0);
  /// The tensor stays where it is: it has views, or is read as it lies.
  void Pin(int32_t tensor) { progress(tensor).pinned = true; }
  bool IsPinned(int32_t tensor) const { return progress(tensor).pinned; }

  void AddLayer(Layer layer, NodeId id);
  /// The same for a layer that alone makes its result.
  void AddProducer(Layer layer, NodeId id);
  /// A layer that copies one tensor to another of the same size: channels to where the other has them, requantized
  /// where parameters differ.
  Status AddMove(NodeId id, int32_t from, int32_t to);
  /// A dense copy in memory of its own, under a value's name.
  Result<int32_t> AddCopy(NodeId id, int32_t from, ValueId value);

  /// The one layer that makes a tensor; kNone where there are several, or none.
  int32_t Producer(int32_t tensor) const { return progress(tensor).producer; }
  /// The layer after which a tensor is complete; kNone: before all.
  int32_t Ready(int32_t tensor) const { return progress(tensor).ready; }
  void SetReady(int32_t tensor, int32_t layer) { progress(tensor).ready = layer; }

 private:
  struct Progress {
    int32_t producer = kNone, ready = kNone;
    bool pinned = false;
  };
  Progress& progress(int32_t tensor) { return progress_[static_cast<size_t>(tensor)]; }
  const Progress& progress(int32_t tensor) const { return progress_[static_cast<size_t>(tensor)]; }

  std::map<ValueId, int32_t> tensor_of_;
  std::vector<Progress> progress_;  ///< of the partition's tensors
};

/// A tensor with the same elements in memory of its own in the workspace, to be written.
OverlayTensor Apart(const OverlayTensor& tensor);

/// Gives a tensor's channels the places that they have in another.
void TakeChannels(const OverlayTensor& from, OverlayTensor* to);

/// Drops a channel map that says nothing.
void DropIdentity(OverlayTensor* tensor);

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_PARTITION_BUILDER_H_
