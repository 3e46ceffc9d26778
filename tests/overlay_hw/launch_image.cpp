#include "tests/overlay_hw/launch_image.h"

#include <random>

#include "isa/launch.h"

namespace xrun::test {
namespace {

// Places in DRAM, off any alignment; far enough apart for any buffer here.
constexpr uint64_t kImageAt = 0x10000040, kWeightsAt = 0x20000000, kTableAt = 0x30000100, kStatusAt = 0x40000000,
                   kBuffersAt = 0x100000000, kBufferDistance = 0x1000003;

template <typename T>
void Put(std::vector<uint8_t>& bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) bytes[at + i] = static_cast<uint8_t>(uint64_t{value} >> (8 * i));
}

uint64_t BufferAt(size_t request, size_t reg) {
  return kBuffersAt + (request * kBaseRegisters + reg) * kBufferDistance;
}

/// The program image (isa/README.md, section 7).
std::vector<uint8_t> ImageOf(const Program& program, const OverlayStep& step) {
  std::vector<uint8_t> image(launch::kImageHeaderBytes);
  Put(image, 0, launch::kImageMagic);
  Put(image, launch::kImageIsaMajor, kIsaMajor);
  Put(image, launch::kImageIsaMinor, kIsaMinor);
  Put(image, launch::kImageFingerprint, Fingerprint(program.config));
  Put(image, launch::kImageWeightBytes, uint64_t{program.weights.size()});
  Put(image, launch::kImageStatusBytes, launch::kStatusPageBytes);
  Put(image, launch::kImageStaggered, step.stagger ? 1U : 0U);
  for (size_t e = 0; e < kEngines; ++e) {
    const size_t entry = launch::kImageStreams + e * launch::kImageStreamBytes;
    Put(image, entry + launch::kStreamPrologue, static_cast<uint32_t>(step.prologue[e].size()));
    Put(image, entry + launch::kStreamBody, static_cast<uint32_t>(step.body[e].size()));
    Put(image, entry + launch::kStreamOffset, uint64_t{image.size()});
    for (const auto& words : {step.prologue[e], step.body[e]}) {
      for (const InstructionWord& word : words) {
        for (const uint64_t part : word) {
          image.resize(image.size() + sizeof part);
          Put(image, image.size() - sizeof part, part);
        }
      }
    }
  }
  return image;
}

/// The request table; `at(request, register)` is a buffer's address.
template <typename At>
std::vector<uint8_t> TableOf(const std::vector<RequestBuffers>& requests, At&& at) {
  std::vector<uint8_t> table(requests.size() * launch::kRequestBytes);
  for (size_t r = 0; r < requests.size(); ++r) {
    for (size_t i = 0; i < kBaseRegisters; ++i) {
      const size_t entry = r * launch::kRequestBytes + i * launch::kRequestRegisterBytes;
      Put(table, entry, uint64_t{at(r, i)});
      Put(table, entry + 8, uint64_t{requests[r][i].size()});
    }
  }
  return table;
}

}  // namespace

LaunchImage::LaunchImage(const Program& program, const OverlayStep& step, std::vector<RequestBuffers>& requests)
    : image_(ImageOf(program, step)),
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
  program_ = add(ImageOf(program, step));
  weights_ = add({program.weights.begin(), program.weights.end()});
  for (const RequestBuffers& request : requests) {
    for (const std::vector<uint8_t>& buffer : request) buffers_.push_back(add(buffer));
  }
  requests_ = add(TableOf(requests, [&](size_t r, size_t i) { return BufferAt(r, i); }));
  status_ = Place(launch::kStatusPageBytes);
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
