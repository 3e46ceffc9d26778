#include "tools/driver/evaluate.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "compiler/float_executor.h"
#include "tools/driver/classify.h"

namespace xrun::tools {
namespace {

/// Runs that a thread takes at a time: enough to fill a launch.
constexpr int64_t kRunsAtATime = 8;

struct Shared {
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::map<int64_t, Failure> failures;
  Evaluation total;
};

class Worker {
 public:
  Worker(api::Session& session, const io::Dataset& data, const std::vector<int64_t>* labels,
         const EvaluateOptions& options, std::optional<compiler::FloatExecutor> executor)
      : session_(session), data_(data), labels_(labels), options_(options), executor_(std::move(executor)) {
    if (labels_ != nullptr) {
      counts_.int8.emplace(Accuracy{std::vector<int64_t>(options.top_k.size())});
      if (executor_) counts_.float32 = counts_.int8;
    }
    if (executor_) counts_.agreeing = 0;
    for (const api::TensorInfo& t : session_.inputs()) {
      inputs_.emplace_back(static_cast<size_t>(kRunsAtATime) * t.elements());
    }
    scores_.resize(static_cast<size_t>(kRunsAtATime) * session_.outputs()[0].elements());
  }

  void Work(Shared& shared, Progress& progress) {
    while (!shared.failed) {
      const int64_t first = shared.next.fetch_add(kRunsAtATime);
      if (first >= data_.runs()) break;
      const int64_t count = std::min(kRunsAtATime, data_.runs() - first);
      if (Status done = Take(first, count); !done.ok()) {
        const std::lock_guard lock(shared.mutex);
        shared.failures.emplace(first, std::move(done).failure());
        shared.failed = true;
        return;
      }
      progress.Advance(count * data_.batch());
    }
    const std::lock_guard lock(shared.mutex);
    AddTo(shared.total);
  }

 private:
  Status Take(int64_t first, int64_t count) {
    std::vector<io::Feed> feeds;
    for (int64_t run = 0; run < count; ++run) {
      XRUN_ASSIGN_OR_RETURN(io::Feed feed, data_.Get(first + run));
      for (size_t i = 0; i < inputs_.size(); ++i) {
        const api::TensorInfo& info = session_.inputs()[i];
        const float* from = feed.tensors.at(info.name).data<float>();
        std::copy_n(from, info.elements(), inputs_[i].data() + static_cast<size_t>(run) * info.elements());
      }
      feeds.push_back(std::move(feed));
    }
    const auto runs = static_cast<size_t>(count);
    std::vector<api::NamedInput> named;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const api::TensorInfo& info = session_.inputs()[i];
      named.emplace_back(info.name, std::span<const float>(inputs_[i].data(), runs * info.elements()));
    }
    const api::TensorInfo& out = session_.outputs()[0];
    const std::vector<api::NamedOutput> outputs = {
        api::NamedOutput(out.name, std::span<float>(scores_.data(), runs * out.elements()))};
    XRUN_RETURN_IF_ERROR(Try([&] { session_.run(named, outputs); }));
    for (int64_t run = 0; run < count; ++run) {
      const std::span<const float> scores(scores_.data() + static_cast<size_t>(run) * out.elements(), out.elements());
      XRUN_RETURN_IF_ERROR(Count(feeds[static_cast<size_t>(run)], scores));
    }
    return {};
  }

  Status Count(const io::Feed& feed, std::span<const float> scores) {
    std::span<const float> reference;
    if (executor_) {
      std::vector<std::span<const float>> inputs;
      const compiler::Graph& graph = executor_->graph();
      for (compiler::ValueId id : graph.inputs) {
        const io::Array& array = feed.tensors.at(graph.at(id).name);
        inputs.emplace_back(array.data<float>(), static_cast<size_t>(array.size()));
      }
      XRUN_RETURN_IF_ERROR(executor_->Run(inputs));
      reference = executor_->output(0);
    }
    const auto classes = scores.size() / static_cast<size_t>(data_.batch());
    for (int64_t i = 0; i < feed.valid; ++i) {
      const auto at = static_cast<size_t>(i) * classes;
      XRUN_RETURN_IF_ERROR(CountSample(feed.first_sample + i, scores.subspan(at, classes),
                                       executor_ ? reference.subspan(at, classes) : reference));
    }
    return {};
  }

  Status CountSample(int64_t sample, std::span<const float> scores, std::span<const float> reference) {
    ++counts_.samples;
    if (executor_ && TopK(scores, 1) == TopK(reference, 1)) ++*counts_.agreeing;
    if (labels_ == nullptr) return {};
    const int64_t label = (*labels_)[static_cast<size_t>(sample)] + options_.label_offset;
    if (label < 0 || label >= static_cast<int64_t>(scores.size())) {
      return Failure{"sample " + std::to_string(sample) + " has label " + std::to_string(label) + ", the output has " +
                         std::to_string(scores.size()) + " classes",
                     "--label-offset N is added to every label"};
    }
    const int64_t rank = RankOf(scores, label);
    for (size_t k = 0; k < options_.top_k.size(); ++k) counts_.int8->correct[k] += rank < options_.top_k[k] ? 1 : 0;
    if (!executor_) return {};
    const int64_t float_rank = RankOf(reference, label);
    for (size_t k = 0; k < options_.top_k.size(); ++k) {
      counts_.float32->correct[k] += float_rank < options_.top_k[k] ? 1 : 0;
    }
    return {};
  }

  void AddTo(Evaluation& total) const {
    const auto add = [](std::optional<Accuracy>& to, const std::optional<Accuracy>& from) {
      if (!from) return;
      if (!to) to.emplace(Accuracy{std::vector<int64_t>(from->correct.size())});
      for (size_t k = 0; k < from->correct.size(); ++k) to->correct[k] += from->correct[k];
    };
    total.samples += counts_.samples;
    add(total.int8, counts_.int8);
    add(total.float32, counts_.float32);
    if (counts_.agreeing) total.agreeing = total.agreeing.value_or(0) + *counts_.agreeing;
  }

  api::Session& session_;
  const io::Dataset& data_;
  const std::vector<int64_t>* labels_;
  const EvaluateOptions& options_;
  std::optional<compiler::FloatExecutor> executor_;
  Evaluation counts_;
  std::vector<std::vector<float>> inputs_;
  std::vector<float> scores_;
};

Status CheckSameModel(const api::Session& session, const compiler::Graph& graph, int64_t batch) {
  const auto mismatch = [](const std::string& what) {
    return Failure{"the float model is another one than the program: " + what, ""};
  };
  if (graph.inputs.size() != session.inputs().size()) return mismatch("the number of inputs differs");
  for (const api::TensorInfo& info : session.inputs()) {
    const compiler::ValueId id = graph.FindValue(info.name);
    if (id == compiler::kNone || std::find(graph.inputs.begin(), graph.inputs.end(), id) == graph.inputs.end()) {
      return mismatch("it has no input '" + info.name + "'");
    }
    if (compiler::Elements(graph.at(id).shape) != static_cast<int64_t>(info.elements())) {
      return mismatch("input '" + info.name + "' is " + io::ShapeText(graph.at(id).shape) + ", not " +
                      info.shape_text());
    }
  }
  const auto classes = static_cast<int64_t>(session.outputs()[0].elements());
  if (graph.outputs.empty() || compiler::Elements(graph.at(graph.outputs[0]).shape) != classes) {
    return mismatch("its first output has another size than '" + session.outputs()[0].name + "'");
  }
  if (classes % batch != 0) {
    return Failure{"output '" + session.outputs()[0].name + "' is " + session.outputs()[0].shape_text() +
                       ", not scores of classes for each of " + std::to_string(batch) + " samples",
                   ""};
  }
  return {};
}

}  // namespace

Result<Evaluation> Evaluate(api::Session& session, const compiler::Graph* float_model, const io::Dataset& data,
                            const std::vector<int64_t>* labels, const EvaluateOptions& options, Progress& progress) {
  if (float_model != nullptr) XRUN_RETURN_IF_ERROR(CheckSameModel(session, *float_model, data.batch()));
  const int64_t blocks = (data.runs() + kRunsAtATime - 1) / kRunsAtATime;
  const auto threads = static_cast<size_t>(std::clamp<int64_t>(options.jobs, 1, blocks));
  std::vector<Worker> workers;
  workers.reserve(threads);
  for (size_t i = 0; i < threads; ++i) {
    std::optional<compiler::FloatExecutor> executor;
    if (float_model != nullptr) {
      XRUN_ASSIGN_OR_RETURN(compiler::FloatExecutor created, compiler::FloatExecutor::Create(*float_model, 1));
      executor.emplace(std::move(created));
    }
    workers.emplace_back(session, data, labels, options, std::move(executor));
  }
  Shared shared;
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> others;
    for (size_t i = 1; i < threads; ++i) others.emplace_back([&, i] { workers[i].Work(shared, progress); });
    workers[0].Work(shared, progress);
  }
  if (!shared.failures.empty()) return std::move(shared.failures.begin()->second);
  shared.total.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return std::move(shared.total);
}

}  // namespace xrun::tools
