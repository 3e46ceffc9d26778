#ifndef XRUN_COMPILER_FLOAT_EXECUTOR_H_
#define XRUN_COMPILER_FLOAT_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "compiler/graph.h"
#include "runtime/cpu/kernels.h"

namespace xrun::compiler {

/// Runs a float graph on the host: for calibration, for the float side of an evaluation, for layer by layer comparison.
/// Memory is planned once and shared by values that do not live at the same time; constant convolution weights are
/// packed once. Results are the same for every number of threads. One caller at a time.
class FloatExecutor {
 public:
  /// Sees every float activation once: graph inputs first, then each node's outputs as they are computed. The data is
  /// valid during the call only.
  using Observer = std::function<void(ValueId, std::span<const float>)>;
  /// May change what a node computed, before anything reads it.
  using Editor = std::function<void(ValueId, std::span<float>)>;

  /// Fails, naming the node, for a graph that holds something the float kernels do not compute (a quantized operator,
  /// an element type). `threads` below 1 means one per hardware thread.
  static Result<FloatExecutor> Create(const Graph& graph, int threads);

  FloatExecutor(FloatExecutor&&) noexcept;
  FloatExecutor& operator=(FloatExecutor&&) noexcept;
  ~FloatExecutor();

  /// `inputs`: one span per graph input, in the graph's order, row-major. Fails when number or sizes are not the
  /// graph's, or when a graph input is not float.
  Status Run(std::span<const std::span<const float>> inputs, const Observer& observer = {}, const Editor& editor = {});

  /// Result `index` of the last Run, valid until the next; inputs that are outputs must still be alive.
  std::span<const float> output(size_t index) const;
  /// The same of an output of any element type, as bytes.
  std::span<const std::byte> output_bytes(size_t index) const;

  const Graph& graph() const { return graph_; }
  /// Bytes of activation memory, for reports.
  size_t arena_bytes() const { return arena_bytes_; }

 private:
  struct Step {
    cpu::OpCall call;
    std::vector<cpu::Tensor> inputs, outputs;
    std::vector<float> packed;
  };
  struct AlignedFree {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  using Memory = std::unique_ptr<std::byte[], AlignedFree>;

  FloatExecutor() = default;
  Status Build(const Graph& graph, int threads);
  void PlanMemory();
  void BindInput(ValueId id, const float* data);
  std::span<const float> Floats(ValueId id) const;

  Graph graph_;
  std::unique_ptr<cpu::Workers> workers_;
  std::vector<Step> steps_;
  std::vector<size_t> offsets_;  ///< of each value in the arena; kNoOffset when it is not there
  std::vector<void*> data_;      ///< where each value lies now
  Memory arena_, scratch_;
  size_t arena_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace xrun::compiler

#endif  // XRUN_COMPILER_FLOAT_EXECUTOR_H_
