#include "tools/driver/calibrate.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace xrun::tools {
namespace {

/// Work shared by the threads: the next run to take, and the failure of the earliest run that had one.
struct Shared {
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::map<int64_t, Failure> failures;

  void Fail(int64_t run, Failure failure) {
    const std::lock_guard lock(mutex);
    failures.emplace(run, std::move(failure));
    failed = true;
  }
};

using Inputs = std::vector<std::span<const float>>;

Inputs InputsOf(const compiler::Graph& graph, const io::Feed& feed) {
  Inputs inputs;
  for (compiler::ValueId id : graph.inputs) {
    const io::Array& array = feed.tensors.at(graph.at(id).name);
    inputs.emplace_back(array.data<float>(), static_cast<size_t>(array.size()));
  }
  return inputs;
}

void Work(const compiler::Graph& graph, const io::Dataset& data, compiler::Calibrator& calibrator, Shared& shared,
          Progress& progress) {
  // A thread that took a run finishes it, so of all runs that fail the first one is always among those seen.
  while (!shared.failed) {
    const int64_t run = shared.next.fetch_add(1);
    if (run >= data.runs()) return;
    auto feed = data.Get(run);
    if (!feed.ok()) return shared.Fail(run, std::move(feed).failure());
    Status added = calibrator.Add(InputsOf(graph, *feed));
    if (!added.ok()) return shared.Fail(run, std::move(added).failure());
    progress.Advance();
  }
}

}  // namespace

std::vector<io::InputSpec> InputSpecsOf(const compiler::Graph& graph) {
  std::vector<io::InputSpec> specs;
  for (compiler::ValueId id : graph.inputs) specs.push_back({graph.at(id).name, graph.at(id).shape});
  return specs;
}

Result<compiler::Calibration> Calibrate(const compiler::Graph& graph, const io::Dataset& data, int jobs,
                                        Progress& progress) {
  const auto threads = static_cast<size_t>(std::clamp<int64_t>(jobs, 1, data.runs()));
  std::vector<compiler::Calibrator> calibrators;
  for (size_t i = 0; i < threads; ++i) {
    XRUN_ASSIGN_OR_RETURN(compiler::Calibrator calibrator, compiler::Calibrator::Create(graph, 1));
    calibrators.push_back(std::move(calibrator));
  }
  Shared shared;
  {
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < threads; ++i) {
      workers.emplace_back([&, i] { Work(graph, data, calibrators[i], shared, progress); });
    }
    Work(graph, data, calibrators[0], shared, progress);
  }
  if (!shared.failures.empty()) return std::move(shared.failures.begin()->second);
  for (size_t i = 1; i < threads; ++i) calibrators[0].calibration().Merge(calibrators[i].calibration());
  return std::move(calibrators[0].calibration());
}

Status FeedSome(const io::Dataset& data, const compiler::Graph& graph, int64_t count, Progress& progress,
                const std::function<Status(std::span<const std::span<const float>>)>& add) {
  const int64_t runs = std::min(data.runs(), count);
  for (int64_t i = 0; i < runs; ++i) {
    XRUN_ASSIGN_OR_RETURN(const io::Feed feed, data.Get(i * data.runs() / runs));
    XRUN_RETURN_IF_ERROR(add(InputsOf(graph, feed)));
    progress.Advance();
  }
  return {};
}

}  // namespace xrun::tools
