// rtl_vectors: a launch of the sequential top as a C header, DRAM before and what the simulator leaves after, for the
// testbench tb.cpp.
//
//   rtl_vectors ARCH.json OUT.h ENGINE SEED      a random program of load, conv, vector, save or all
//   rtl_vectors ARCH.json OUT.h PROGRAM.xprog    the first overlay step of a network, on random input

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

#include "isa/launch_image.h"
#include "isa/program.h"
#include "tests/overlay_hw/csim_unit.h"
#include "tests/overlay_hw/random_program.h"

namespace {

using namespace xrun;

constexpr uint64_t kPage = 4096;
uint64_t Pages(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

void PrintWords(std::ofstream& out, const char* name, const std::vector<uint8_t>& bytes) {
  out << "static const unsigned long long " << name << "[] = {";
  for (size_t at = 0; at < bytes.size(); at += 8) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llxULL,",
                  static_cast<unsigned long long>(launch::Get<uint64_t>(std::span(bytes).subspan(at, 8), 0)));
    out << (at % 64 == 0 ? "\n" : "") << text;
  }
  out << "};\n";
}

/// Buffers of a network's step: random input, outputs and workspace as large as its tensors ask for.
test::Buffers BuffersOf(const Program& program, const OverlayStep& step) {
  test::Buffers buffers(1);
  std::mt19937_64 random(1);
  // Tensors of one register lie one after another.
  for (const Binding& input : step.inputs) {
    auto& buffer = buffers[0][input.base];
    for (uint64_t n = input.layout.Bytes(program.config); n > 0; --n) buffer.push_back(static_cast<uint8_t>(random()));
  }
  for (const Binding& output : step.outputs) {
    auto& buffer = buffers[0][output.base];
    buffer.resize(buffer.size() + output.layout.Bytes(program.config));
  }
  buffers[0][kBaseWorkspace].resize(step.workspace_bytes);
  return buffers;
}

int Write(const Program& program, test::Buffers buffers, const char* path) {
  const OverlayStep& step = program.overlay_steps[0];
  const test::Ended sim = test::RunInSimulator(program, buffers);
  if (!sim.text.empty()) {
    std::fprintf(stderr, "rtl_vectors: %s\n", sim.text.c_str());
    return 1;
  }
  std::vector<uint8_t> before, after;
  const auto place = [&](std::span<const uint8_t> old, std::span<const uint8_t> now) {
    const uint64_t at = before.size();
    before.resize(at + Pages(old.size()) + kPage);  // regions lie apart
    after.resize(before.size());
    std::copy(old.begin(), old.end(), before.begin() + static_cast<ptrdiff_t>(at));
    std::copy(now.begin(), now.end(), after.begin() + static_cast<ptrdiff_t>(at));
    return at;
  };
  std::vector<uint8_t> image = launch::BuildImage(program, step), table(launch::kRequestBytes);
  const std::vector<uint8_t> page(launch::kStatusPageBytes);
  const uint64_t program_at = place(image, image), weights_at = place(program.weights, program.weights);
  const uint64_t status_at = place(page, sim.page);
  for (size_t base = 0; base < kBaseRegisters; ++base) {
    const auto& bytes = buffers[0][base];
    if (!bytes.empty()) launch::PutRegister(table, 0, base, place(bytes, sim.buffers[0][base]), bytes.size());
  }
  const uint64_t requests_at = place(table, table);
  std::ofstream out(path);
  out << "// Written by rtl_vectors.\n";
  out << "enum { kDramBytes = " << before.size() << " };\n";
  out << "static const unsigned long long kProgramAt = " << program_at << ", kWeightsAt = " << weights_at
      << ", kRequestsAt = " << requests_at << ", kStatusAt = " << status_at << ";\n";
  PrintWords(out, "kBefore", before);
  PrintWords(out, "kAfter", after);
  return out.flush() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fputs("usage: rtl_vectors ARCH.json OUT.h ENGINE SEED | rtl_vectors ARCH.json OUT.h PROGRAM.xprog\n", stderr);
    return 2;
  }
  auto config = FindConfig(argv[1]);
  if (!config.ok()) {
    std::fprintf(stderr, "rtl_vectors: %s\n", config.failure().message.c_str());
    return 1;
  }
  if (argc == 4) {
    auto program = ReadProgram(argv[3]);
    if (!program.ok()) {
      std::fprintf(stderr, "rtl_vectors: %s\n", program.failure().message.c_str());
      return 1;
    }
    return Write(*program, BuffersOf(*program, program->overlay_steps[0]), argv[2]);
  }
  Engine only = kAnyEngine;
  for (uint8_t e = 0; e < kEngines; ++e) {
    if (EngineName(static_cast<Engine>(e)) == argv[3]) only = static_cast<Engine>(e);
  }
  test::RandomProgram random(*config, std::strtoull(argv[4], nullptr, 10), only);
  return Write(*random.Build(), random.buffers(), argv[2]);
}
