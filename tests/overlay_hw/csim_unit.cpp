#include "tests/overlay_hw/csim_unit.h"

#include <dlfcn.h>

#include <algorithm>
#include <stdexcept>

#include "simulator/prepared.h"

namespace xrun::test {
namespace {

constexpr uint64_t kSpan = uint64_t{1} << 36;

}  // namespace

CsimUnit::CsimUnit(const std::string& library) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const auto entry = reinterpret_cast<hw::csim::EntryPoint>(dlsym(handle, hw::csim::kEntryPoint));
  if (entry == nullptr) throw std::runtime_error(library + ": no entry point");
  api_ = entry();
  machine_.reset(api_->create());
}

Ended CsimUnit::Run(const Program& program, Buffers buffers, const HowToRun& how) {
  Ended ended;
  ended.buffers = std::move(buffers);
  std::vector<uint8_t> image = launch::BuildImage(program, program.overlay_steps[0]);
  std::vector<uint8_t> weights(program.weights.begin(), program.weights.end());
  std::vector<uint8_t> table(ended.buffers.size() * launch::kRequestBytes);
  ended.page.assign(launch::Get<uint32_t>(image, launch::kImageStatusBytes), 0xFF);
  std::vector<hw::csim::Region> regions;
  const auto add = [&](std::vector<uint8_t>& bytes) {
    regions.push_back({(regions.size() + 1) * kSpan, bytes.data(), bytes.size()});
    return regions.back().address;
  };
  hw::csim::LaunchInput input = {};
  input.program = add(image);
  input.weights = add(weights);
  input.status = add(ended.page);
  for (size_t r = 0; r < ended.buffers.size(); ++r) {
    for (size_t base = 0; base < kBaseRegisters; ++base) {
      std::vector<uint8_t>& bytes = ended.buffers[r][base];
      launch::PutRegister(table, r, base, bytes.empty() ? 0 : add(bytes), bytes.size());
    }
  }
  input.requests = add(table);
  input.request_count = static_cast<uint32_t>(ended.buffers.size());
  input.flags = how.time_marks ? launch::kFlagTimeMarks : 0;
  input.cycle_limit = how.cycle_limit;
  input.abort = how.abort;
  input.stall = how.stall;
  input.stall_after = how.stall_after;
  std::fill(std::begin(input.instructions), std::end(input.instructions), ~uint64_t{0});
  if (how.cycle_limit != 0) {
    const simulator::PreparedStep step(program, program.overlay_steps[0]);
    auto cut = simulator::SimulateTiming(step, {input.request_count, false, 0, how.cycle_limit});
    if (!cut.ok()) throw std::runtime_error(cut.failure().message);
    input.cycles = cut->limited ? 0 : cut->cycles;
    if (cut->limited) std::copy(cut->instructions_done.begin(), cut->instructions_done.end(), input.instructions);
  }
  input.regions = regions.data();
  input.region_count = regions.size();
  hw::csim::LaunchResult result;
  machine_->Run(input, result);
  ended.text = result.fault + result.deadlock;
  std::copy(std::begin(result.dram_beats), std::end(result.dram_beats), ended.dram_beats.begin());
  for (size_t at = launch::kStatusPageBytes; at < ended.page.size(); at += sizeof(uint64_t)) {
    ended.marks.push_back(launch::Get<uint64_t>(ended.page, at));
  }
  ended.page.resize(launch::kStatusPageBytes);
  return ended;
}

std::vector<uint8_t> CsimUnit::Identify() {
  std::vector<uint8_t> page(launch::kStatusPageBytes, 0xAA);
  const hw::csim::Region region = {kSpan, page.data(), page.size()};
  hw::csim::LaunchInput input = {};
  input.status = kSpan;
  input.regions = &region;
  input.region_count = 1;
  hw::csim::LaunchResult result;
  machine_->Run(input, result);
  return page;
}

Ended RunInSimulator(const Program& program, Buffers buffers, const HowToRun& how) {
  Ended ended;
  ended.buffers = std::move(buffers);
  ended.page.assign(launch::kStatusPageBytes, 0);
  std::vector<simulator::LaunchRequest> table(ended.buffers.size());
  for (size_t r = 0; r < table.size(); ++r) {
    for (size_t base = 0; base < kBaseRegisters; ++base) table[r].registers[base] = ended.buffers[r][base];
  }
  simulator::RunOptions options;
  options.checks = simulator::CheckLevel::kLimits;
  options.cycle_limit = how.cycle_limit;
  options.abort = how.abort;
  options.status_page = ended.page;
  if (Status s = simulator::RunOnce(program, program.overlay_steps[0], table, options); !s.ok()) {
    ended.text = s.failure().message;
  }
  return ended;
}

std::shared_ptr<Program> ProgramOf(const HardwareConfig& config, const std::string& text, size_t weight_bytes) {
  auto assembled = AssembleProgram(text);
  if (!assembled.ok()) throw std::runtime_error(assembled.failure().ToString());
  auto words = std::make_shared<Streams>(*std::move(assembled));
  auto weights = std::make_shared<std::vector<uint8_t>>(weight_bytes);
  for (size_t i = 0; i < weight_bytes; ++i) (*weights)[i] = static_cast<uint8_t>(i * 7);
  auto program = std::make_shared<Program>();
  program->config = config;
  program->capabilities = launch::kBaseCapabilities;
  OverlayStep& step = program->overlay_steps.emplace_back();
  for (size_t e = 0; e < kEngines; ++e) {
    step.prologue[e] = words->engines[e].prologue;
    step.body[e] = words->engines[e].body;
  }
  program->weights = *weights;
  program->storage = {words, weights};
  return program;
}

}  // namespace xrun::test
