#include "tools/driver/bench.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "isa/time_marks.h"
#include "runtime/device.h"
#include "runtime/internal.h"
#include "tools/driver/infer.h"
#ifdef XRUN_HAVE_XRT
#include "runtime/xrt_device.h"
#endif

namespace xrun::tools {
namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned kInputs = 8;  ///< different ones that take turns

using Outputs = std::vector<std::vector<uint8_t>>;

void FillInputs(const api::Session& session, const api::Request& request, unsigned seed) {
  std::mt19937_64 random(seed + 1);
  for (const api::TensorInfo& info : session.inputs()) {
    void* data = request.input(info.name).data();
    if (info.dtype == api::DType::kFloat32) {
      for (size_t i = 0; i < info.elements(); ++i) {
        static_cast<float*>(data)[i] = static_cast<float>(random() % 4001) / 1000.0F - 2.0F;
      }
    } else {
      for (size_t i = 0; i < info.bytes(); ++i) {
        static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(info.dtype == api::DType::kInt8 ? random() : 0);
      }
    }
  }
}

Outputs OutputsOf(const api::Session& session, const api::Request& request) {
  Outputs outputs;
  for (const api::TensorInfo& info : session.outputs()) {
    const auto* data = static_cast<const uint8_t*>(request.output(info.name).data());
    outputs.emplace_back(data, data + info.bytes());
  }
  return outputs;
}

std::vector<Outputs> Expected(const api::Program& program) {
  api::Session session(api::Device::open("sim"), program);
  api::Request request = session.request();
  std::vector<Outputs> expected;
  for (unsigned seed = 0; seed < kInputs; ++seed) {
    FillInputs(session, request, seed);
    request.submit();
    request.wait();
    expected.push_back(OutputsOf(session, request));
  }
  return expected;
}

std::string FirstDifference(const api::Session& session, const Outputs& got, const Outputs& right) {
  for (size_t o = 0; o < right.size(); ++o) {
    const auto [a, b] = std::mismatch(got[o].begin(), got[o].end(), right[o].begin());
    if (a == got[o].end()) continue;
    return "output '" + session.outputs()[o].name + "', byte " + std::to_string(a - got[o].begin()) + ": " +
           std::to_string(*a) + ", in the simulator " + std::to_string(*b);
  }
  return {};
}

/// One thread's part. Everything it needs is there before the clock starts.
class Worker {
 public:
  Worker(api::Session& session, const BenchOptions& options, const std::vector<Outputs>& expected)
      : session_(session), options_(options), expected_(expected) {
    for (unsigned i = 0; i < options.in_flight; ++i) {
      slots_.push_back(std::make_unique<Slot>(Slot{session.request(), i % kInputs, {}, {}, false}));
      FillInputs(session, slots_.back()->request, slots_.back()->seed);
    }
    latencies.reserve(1 << 16);
  }

  void WarmUp() {
    for (unsigned i = 0; i < options_.warmup; ++i) {
      Slot& slot = *slots_[i % slots_.size()];
      Finish(slot, false);
      Submit(slot);
    }
    for (const auto& slot : slots_) Finish(*slot, false);
  }

  /// Until `more()` says no.
  template <typename More>
  void Run(const More& more) {
    for (size_t i = 0; more(); i = (i + 1) % slots_.size()) {
      Finish(*slots_[i], true);
      Submit(*slots_[i]);
    }
    for (const auto& slot : slots_) Finish(*slot, true);
  }

  std::vector<double> latencies;
  uint64_t wrong = 0;
  std::string first_wrong;

 private:
  struct Slot {
    api::Request request;
    unsigned seed;
    Clock::time_point submitted, completed;
    bool busy;
  };

  static void Submit(Slot& slot) {
    slot.busy = true;
    slot.submitted = Clock::now();
    slot.request.submit([s = &slot](const api::Error*) { s->completed = Clock::now(); });
  }
  void Finish(Slot& slot, bool count) {
    if (!slot.busy) return;
    slot.busy = false;
    slot.request.wait();
    if (!count) return;
    latencies.push_back(std::chrono::duration<double, std::micro>(slot.completed - slot.submitted).count());
    if (expected_.empty()) return;
    const Outputs got = OutputsOf(session_, slot.request);
    if (got == expected_[slot.seed]) return;
    if (wrong++ == 0) first_wrong = FirstDifference(session_, got, expected_[slot.seed]);
  }

  api::Session& session_;
  const BenchOptions& options_;
  const std::vector<Outputs>& expected_;
  std::vector<std::unique_ptr<Slot>> slots_;
};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Microseconds of launches by XRT alone; none where there is no XRT.
Result<std::vector<double>> PlainXrt(runtime::Device& device, const std::shared_ptr<const Program>& program,
                                     unsigned launches) {
#ifdef XRUN_HAVE_XRT
  if (device.name().rfind("xrt", 0) == 0) return runtime::TimePlainXrt(device, program, launches);
#endif
  static_cast<void>(device), static_cast<void>(program), static_cast<void>(launches);
  return std::vector<double>{};
}

}  // namespace

double BenchResult::Percentile(double percent) const {
  if (latencies.empty()) return 0;
  const auto rank = static_cast<size_t>(percent / 100 * static_cast<double>(latencies.size()));
  return latencies[std::min(rank, latencies.size() - 1)];
}

Result<BenchResult> Bench(const api::Device& device, const api::Program& program, const BenchOptions& options,
                          ProgressMode progress_mode) {
  BenchResult result;
  std::optional<Failure> failed;
  XRUN_RETURN_IF_ERROR(Try([&] {
    const std::vector<Outputs> expected = options.verify ? Expected(program) : std::vector<Outputs>{};
    api::Session session(device, program,
                         {.in_flight = std::min(1024U, options.threads * options.in_flight),
                          .requests_per_launch = options.requests_per_launch});
    std::vector<std::unique_ptr<Worker>> workers;
    for (unsigned t = 0; t < options.threads; ++t) {
      workers.push_back(std::make_unique<Worker>(session, options, expected));
    }
    Progress progress("measuring", static_cast<int64_t>(options.requests), progress_mode);
    std::atomic<uint64_t> started{0};
    std::atomic<bool> stop{false};
    std::atomic<unsigned> warm{0};
    std::mutex mutex;
    Clock::time_point begin;
    std::vector<std::thread> threads;
    for (const auto& worker : workers) {
      threads.emplace_back([&, w = worker.get()] {
        auto status = Try([&] {
          w->WarmUp();
          // The clock starts when all are warm.
          if (++warm == options.threads) {
            const std::lock_guard lock(mutex);
            begin = Clock::now();
            warm = 2 * options.threads;
          }
          while (warm < 2 * options.threads && !stop) std::this_thread::yield();
          const Clock::time_point end = begin + options.duration;
          w->Run([&] {
            if (stop) return false;
            const uint64_t number = started++;
            progress.Advance();
            return options.requests != 0 ? number < options.requests : Clock::now() < end;
          });
        });
        if (status.ok()) return;
        stop = true;
        const std::lock_guard lock(mutex);
        if (!failed) failed = std::move(status).failure();
      });
    }
    for (std::thread& thread : threads) thread.join();
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    for (const auto& worker : workers) {
      result.latencies.insert(result.latencies.end(), worker->latencies.begin(), worker->latencies.end());
      result.wrong += worker->wrong;
      if (result.first_wrong.empty()) result.first_wrong = worker->first_wrong;
    }
  }));
  if (failed) return *std::move(failed);
  result.requests = result.latencies.size();
  result.verified = options.verify ? result.requests : 0;
  std::sort(result.latencies.begin(), result.latencies.end());
  return result;
}

Result<OverheadResult> MeasureOverhead(const api::Device& device, const std::string& name, unsigned requests) {
  XRUN_ASSIGN_OR_RETURN(const auto opened, runtime::OpenDevice(name));
  auto empty = std::make_shared<Program>();
  empty->model_name = "empty";
  empty->config = opened->config() ? *opened->config() : BuiltInConfigs().front();
  empty->capabilities = 1;
  empty->overlay_steps.emplace_back();
  empty->steps = {{Step::Kind::kOverlay, 0}};
  OverheadResult result;
  std::optional<Failure> failed;
  XRUN_RETURN_IF_ERROR(Try([&] {
    api::Session session(device, internal::WrapProgram(empty), {.in_flight = 1});
    api::Request request = session.request();
    std::vector<double> by_request, by_run, plain;
    const auto time = [](std::vector<double>& times, const auto& body) {
      const auto begin = Clock::now();
      body();
      times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    };
    // In turns, so that whatever else the machine does meets all of them.
    constexpr unsigned kTurn = 50;
    for (unsigned done = 0; done < requests; done += kTurn) {
      for (unsigned i = 0; i < kTurn; ++i) {
        time(by_request, [&] {
          request.submit();
          request.wait();
        });
      }
      for (unsigned i = 0; i < kTurn; ++i) time(by_run, [&] { session.run({}, {}); });
      auto times = PlainXrt(*opened, empty, kTurn);
      if (!times.ok()) {
        failed = std::move(times).failure();
        return;
      }
      plain.insert(plain.end(), times->begin(), times->end());
    }
    if (!plain.empty()) result.plain_xrt_us = Median(std::move(plain));
    result.xrun_us = Median(std::move(by_request));
    result.run_us = Median(std::move(by_run));
  }));
  if (failed) return *std::move(failed);
  return result;
}

Result<std::vector<LayerTime>> TimeLayers(const api::Device& device, const api::Program& program) {
  std::vector<LayerTime> layers;
  XRUN_RETURN_IF_ERROR(Try([&] {
    const auto file = internal::ProgramOf(program);
    api::Session session(device, program, {.in_flight = 1});
    std::vector<LayerTime> found;
    internal::SetStepObserver(
        session,
        [&](const internal::StepEvent& event) {
          const Step& step = file->steps[event.step];
          if (step.kind != Step::Kind::kOverlay) return;
          const OverlayStep& overlay = file->overlay_steps[step.index];
          const TimeMarks marks = TimeMarksOf(overlay);
          std::map<uint32_t, uint64_t> ends;
          for (size_t m = 0; m < marks.marks.size() && m < event.time_marks.size(); ++m) {
            for (const NodeRange& range : overlay.ranges) {
              const uint32_t at = marks.marks[m].instruction;
              if (range.engine != marks.marks[m].engine || at < range.first || at >= range.first + range.count)
                continue;
              ends[range.node] = std::max(ends[range.node], event.time_marks[m]);
            }
          }
          for (const auto& [node, end] : ends) {
            found.push_back({file->nodes[node].name, file->nodes[node].op, step.index, end, 0});
          }
        },
        true);
    api::Request request = session.request();
    FillInputs(session, request, 0);
    for (int run = 0; run < 2; ++run) {  // the first one warms caches of host and device
      found.clear();
      request.submit();
      request.wait();
    }
    layers = std::move(found);
  }));
  std::stable_sort(layers.begin(), layers.end(), [](const LayerTime& a, const LayerTime& b) {
    return a.launch != b.launch ? a.launch < b.launch : a.end < b.end;
  });
  for (size_t i = 0; i < layers.size(); ++i) {
    const bool first = i == 0 || layers[i - 1].launch != layers[i].launch;
    layers[i].cycles = layers[i].end - (first ? 0 : layers[i - 1].end);
  }
  return layers;
}

}  // namespace xrun::tools
