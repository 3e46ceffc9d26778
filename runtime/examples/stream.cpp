// stream PROGRAM.xprog [FRAMES [FRAMES_PER_SECOND [DEVICE]]]: a camera that does not wait. Frames come at their rate
// (0: as fast as they are taken); each goes into a request that is free, several are under way at a time, results are
// taken in the order of the frames. A frame that finds no request free is dropped and counted: the picture stays live.

#include <xrun/xrun.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr unsigned kInFlight = 4;

/// What the camera sees: a bright bar that wanders.
void Expose(size_t frame, std::vector<float>& image) {
  for (size_t i = 0; i < image.size(); ++i) image[i] = (i / 7 + frame) % 23 < 5 ? 1.0F : 0.0F;
}

/// A request with its place in the stream.
struct Slot {
  explicit Slot(xrun::Request r) : request(std::move(r)) {}
  xrun::Request request;
  size_t frame = 0;
  Clock::time_point taken;
};

class Stream {
 public:
  explicit Stream(xrun::Session& session) : session_(session), in_(session.inputs()[0]), out_(session.outputs()[0]) {
    for (unsigned i = 0; i < kInFlight; ++i) free_.push_back(NewSlot());
    scores_.resize(out_.elements());
  }

  /// False: no request is free, the frame is dropped.
  bool Offer(size_t frame, const std::vector<float>& image) {
    Collect(0ns);
    if (free_.empty()) return false;
    Slot* slot = free_.back();
    free_.pop_back();
    slot->frame = frame;
    slot->taken = Clock::now();
    // Straight into the memory the runtime works on.
    const auto memory = slot->request.input(in_.name);
    if (in_.dtype == xrun::DType::kInt8) {
      in_.quantize(image, memory.as<int8_t>());
    } else {
      std::ranges::copy(image, memory.as<float>().begin());
    }
    slot->request.submit();
    under_way_.push_back(slot);
    return true;
  }

  /// Results that are there, in order; waits up to `patience` for each.
  void Collect(std::chrono::nanoseconds patience) {
    while (!under_way_.empty() && under_way_.front()->request.wait_for(patience)) {
      Slot* slot = under_way_.front();
      under_way_.pop_front();
      const auto memory = slot->request.output(out_.name);
      if (out_.dtype == xrun::DType::kInt8) {
        out_.dequantize(memory.as<int8_t>(), scores_);
      } else {
        std::ranges::copy(memory.as<float>(), scores_.begin());
      }
      const auto best = std::max_element(scores_.begin(), scores_.end()) - scores_.begin();
      std::printf("frame %zu: class %td  %.4f\n", slot->frame, best, scores_[static_cast<size_t>(best)]);
      latencies_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - slot->taken).count());
      free_.push_back(slot);
    }
  }

  void Finish() {
    while (!under_way_.empty()) Collect(100ms);
  }

  size_t done() const { return latencies_.size(); }
  double Latency(double share) {
    if (latencies_.empty()) return 0;
    std::sort(latencies_.begin(), latencies_.end());
    return latencies_[static_cast<size_t>(share * static_cast<double>(latencies_.size() - 1))];
  }

 private:
  Slot* NewSlot() {
    slots_.emplace_back(session_.request());
    return &slots_.back();
  }

  xrun::Session& session_;
  const xrun::TensorInfo &in_, &out_;
  std::deque<Slot> slots_;
  std::vector<Slot*> free_;
  std::deque<Slot*> under_way_;
  std::vector<float> scores_;
  std::vector<double> latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s PROGRAM.xprog [FRAMES [FRAMES_PER_SECOND [DEVICE]]]\n", argv[0]);
    return 2;
  }
  const size_t frames = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 100;
  const double rate = argc > 3 ? std::strtod(argv[3], nullptr) : 30;
  try {
    const auto device = xrun::Device::open(argc > 4 ? argv[4] : "sim");
    xrun::Session session(device, xrun::Program::load(argv[1]), {.in_flight = kInFlight, .timeout = 5s});
    Stream stream(session);
    std::vector<float> image(session.inputs()[0].elements());
    size_t dropped = 0;
    const auto start = Clock::now();
    for (size_t frame = 0; frame < frames; ++frame) {
      Expose(frame, image);
      if (rate > 0) {
        std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(
                                                  std::chrono::duration<double>(static_cast<double>(frame) / rate)));
        if (!stream.Offer(frame, image)) ++dropped;
      } else {
        while (!stream.Offer(frame, image)) std::this_thread::yield();
      }
    }
    stream.Finish();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf(
        "%zu frames, %zu done, %zu dropped, %.1f a second; from frame to result %.0f us (median), %.0f us (99 %%)\n",
        frames, stream.done(), dropped, static_cast<double>(stream.done()) / seconds, stream.Latency(0.5),
        stream.Latency(0.99));
    return 0;
  } catch (const xrun::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
