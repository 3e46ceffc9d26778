#include "tests/overlay_hw/launch.h"

#include <random>

#include "isa/launch_image.h"

namespace xrun::test {
namespace {

// Places in DRAM, off any alignment; far enough apart for any buffer here.
constexpr uint64_t kImageAt = 0x10000040, kWeightsAt = 0x20000000, kTableAt = 0x30000100, kStatusAt = 0x40000000,
                   kBuffersAt = 0x100000000, kBufferDistance = 0x1000003;

uint64_t BufferAt(size_t request, size_t reg) {
  return kBuffersAt + (request * kBaseRegisters + reg) * kBufferDistance;
}

/// The request table; `at(request, register)` is a buffer's address.
template <typename At>
std::vector<uint8_t> TableOf(const std::vector<RequestBuffers>& requests, At&& at) {
  std::vector<uint8_t> table(requests.size() * launch::kRequestBytes);
  for (size_t r = 0; r < requests.size(); ++r) {
    for (size_t i = 0; i < kBaseRegisters; ++i) {
      launch::PutRegister(table, r, i, at(r, i), requests[r][i].size());
    }
  }
  return table;
}

}  // namespace

LaunchImage::LaunchImage(const Program& program, const OverlayStep& step, std::vector<RequestBuffers>& requests)
    : image_(launch::BuildImage(program, step)),
      weights_(program.weights.begin(), program.weights.end()),
      table_(TableOf(requests, BufferAt)),
      requests_(requests) {
  status_.assign(launch::kStatusPageBytes, 0xEE);
}

const std::vector<uint8_t>& LaunchImage::Run(hw::csim::Bench& bench) {
  hw::csim::Dram& dram = bench.dram;
  dram.Clear();
  dram.AddRegion(kImageAt, image_.data(), image_.size());
  if (!weights_.empty()) dram.AddRegion(kWeightsAt, weights_.data(), weights_.size());
  if (!table_.empty()) dram.AddRegion(kTableAt, table_.data(), table_.size());
  dram.AddRegion(kStatusAt, status_.data(), status_.size());
  for (size_t r = 0; r < requests_.size(); ++r) {
    for (size_t i = 0; i < kBaseRegisters; ++i) {
      std::vector<uint8_t>& buffer = requests_[r][i];
      if (!buffer.empty()) dram.AddRegion(BufferAt(r, i), buffer.data(), buffer.size());
    }
  }
  bench.Launch({kImageAt, kWeightsAt, kTableAt, kStatusAt, static_cast<uint32_t>(requests_.size())});
  beats_ = dram.beats_read + dram.beats_written;
  return status_;
}

uint64_t FlatLaunch::Place(uint64_t bytes) {
  const uint64_t at = bytes_ + 24;
  bytes_ = (at + bytes + 63) / 64 * 64;
  return at;
}

FlatLaunch::FlatLaunch(const Program& program, const OverlayStep& step, const std::vector<RequestBuffers>& requests) {
  const auto add = [&](std::vector<uint8_t> bytes) {
    const uint64_t at = Place(bytes.size());
    parts_.emplace_back(at, std::move(bytes));
    return at;
  };
  program_ = add(launch::BuildImage(program, step));
  weights_ = add({program.weights.begin(), program.weights.end()});
  for (const RequestBuffers& request : requests) {
    for (const std::vector<uint8_t>& buffer : request) buffers_.push_back(add(buffer));
  }
  requests_ = add(TableOf(requests, [&](size_t r, size_t i) { return BufferAt(r, i); }));
  bytes_ = (bytes_ + launch::kStatusPageBytes - 1) / launch::kStatusPageBytes * launch::kStatusPageBytes;
  status_ = bytes_;
  bytes_ += launch::kStatusPageBytes;
}

std::vector<RequestBuffers> RandomBuffers(const Program& program, const OverlayStep& step, size_t requests,
                                          uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<RequestBuffers> buffers(requests);
  for (RequestBuffers& request : buffers) {
    for (const auto* bindings : {&step.inputs, &step.outputs}) {
      for (const Binding& b : *bindings)
        request[b.base].resize(request[b.base].size() + b.layout.Bytes(program.config));
    }
    request[kBaseWorkspace].resize(step.workspace_bytes);
    if (step.stagger) {  // entries of the table, that know nothing of each other
      request[step.stagger->out].resize(step.stagger->bytes);
      request[step.stagger->in].resize(step.stagger->bytes);
    }
    for (std::vector<uint8_t>& buffer : request) {
      for (uint8_t& byte : buffer) byte = static_cast<uint8_t>(random());
    }
  }
  return buffers;
}

std::vector<simulator::LaunchRequest> SimulatorRequests(std::vector<RequestBuffers>& buffers) {
  std::vector<simulator::LaunchRequest> requests(buffers.size());
  for (size_t r = 0; r < buffers.size(); ++r) {
    for (size_t i = 0; i < kBaseRegisters; ++i) requests[r].registers[i] = buffers[r][i];
  }
  return requests;
}

}  // namespace xrun::test
