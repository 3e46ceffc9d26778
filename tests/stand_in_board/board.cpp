#include "tests/stand_in_board/board.h"

#include <sys/mman.h>
#include <xclbin.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace xrun::stand_in {
namespace {

constexpr uint64_t kPage = 4096;
uint64_t RoundUp(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

std::span<const uint8_t> SectionOf(const axlf* image, axlf_section_kind kind) {
  for (uint32_t i = 0; i < image->m_header.m_numSections; ++i) {
    const axlf_section_header& header = image->m_sections[i];
    if (header.m_sectionKind != static_cast<uint32_t>(kind)) continue;
    return {reinterpret_cast<const uint8_t*>(image) + header.m_sectionOffset, header.m_sectionSize};
  }
  Fail(EINVAL, "the xclbin lacks a section that it needs");
}

}  // namespace

const char* Name(Fault fault) {
  constexpr std::array<const char*, kFaults> kNames = {
      "hang",    "stall",    "error state", "lost completion", "corrupt output", "refused allocation",
      "removal", "busy unit"};
  return kNames[static_cast<size_t>(fault)];
}

BoardOptions BoardOptions::Parse(const std::string& text) {
  BoardOptions options;
  for (std::string rest = text; !rest.empty();) {
    const std::string word = rest.substr(0, rest.find(','));
    rest.erase(0, word.size() + 1);
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    if (equals == std::string::npos) Fail(EINVAL, "XRUN_STAND_IN: '" + word + "' has no value");
    const uint64_t value = std::strtoull(word.c_str() + equals + 1, nullptr, 10);
    if (key == "latency_us") {
      options.latency = std::chrono::microseconds(value);
    } else if (key == "dram_mbytes") {
      options.dram_bytes_per_second = value * 1000000;
    } else {
      Fail(EINVAL, "XRUN_STAND_IN: unknown option '" + key + "'");
    }
  }
  return options;
}

Board& Board::Get() {
  static Board* board = new Board;
  return *board;
}

Board::Board() {
  if (const char* text = std::getenv("XRUN_STAND_IN")) options_ = BoardOptions::Parse(text);
}

void Board::SetOptions(const BoardOptions& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
}

void Board::Inject(Fault fault, uint32_t skip) {
  const std::lock_guard lock(mutex_);
  faults_.emplace_back(fault, skip);
}

std::optional<Fault> Board::TakeFault(bool launch) {
  const std::lock_guard lock(mutex_);
  if (faults_.empty()) return std::nullopt;
  auto& [fault, skip] = faults_.front();
  if ((fault != Fault::kRefuseAllocation) != launch) return std::nullopt;
  if (skip > 0) {
    --skip;
    return std::nullopt;
  }
  const Fault taken = fault;
  faults_.pop_front();
  ++faults_happened_;
  return taken;
}

void Board::Repair() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
  removed_ = false;
  for (const auto& unit : units_) {
    const std::lock_guard unit_lock(unit->mutex);
    unit->reset = true;
    unit->wake.notify_all();
  }
}

BoardCounts Board::counts() {
  const std::lock_guard lock(mutex_);
  BoardCounts counts = counts_;
  for (const auto& unit : units_) {
    const std::lock_guard unit_lock(unit->mutex);
    counts.commands += unit->queue.size() + (unit->busy ? 1 : 0);
  }
  return counts;
}

std::vector<uint64_t> Board::launches() {
  const std::lock_guard lock(mutex_);
  std::vector<uint64_t> launches;
  for (const auto& unit : units_) {
    const std::lock_guard unit_lock(unit->mutex);
    launches.push_back(unit->launches);
  }
  return launches;
}

// Memory and contexts ------------------------------------------------------------------------------------------------

void Board::Load(const axlf* image) {
  const std::lock_guard lock(mutex_);
  if (config_ && std::memcmp(uuid_.data(), image->m_header.uuid, uuid_.size()) == 0) return;
  if (counts_.contexts != 0) Fail(EBUSY, "an xclbin is in use");
  if (counts_.buffers != 0) Fail(EBUSY, "buffers of another xclbin are in use");
  const auto json = SectionOf(image, USER_METADATA);
  auto config = ConfigFromJson({reinterpret_cast<const char*>(json.data()), json.size()}, "xclbin");
  if (!config.ok()) Fail(EINVAL, "USER_METADATA: " + config.failure().ToString());
  StopUnits();
  config_ = std::move(config).value();
  ++generation_;
  std::copy_n(image->m_header.uuid, uuid_.size(), uuid_.begin());

  if (memory_ != nullptr) ::munmap(memory_, memory_bytes_);
  banks_.clear();
  const auto topology = SectionOf(image, MEM_TOPOLOGY);
  int32_t count = 0;
  std::memcpy(&count, topology.data(), sizeof(count));
  memory_bytes_ = 0;
  for (int32_t i = 0; i < count; ++i) {
    mem_data data;
    std::memcpy(&data, topology.data() + offsetof(mem_topology, m_mem_data) + sizeof(data) * static_cast<size_t>(i),
                sizeof(data));
    Bank bank;
    bank.base = data.m_base_address;
    bank.bytes = data.m_size * 1024;
    // The first page stays free: address 0 is nobody's.
    bank.free[bank.base + kPage] = bank.bytes - kPage;
    banks_.push_back(bank);
    memory_bytes_ = std::max(memory_bytes_, bank.base + bank.bytes);
  }
  memory_ = static_cast<uint8_t*>(
      ::mmap(nullptr, memory_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (memory_ == MAP_FAILED) Fail(errno, "memory of the banks");

  const auto layout = SectionOf(image, IP_LAYOUT);
  std::memcpy(&count, layout.data(), sizeof(count));
  for (int32_t i = 0; i < count; ++i) {
    units_.push_back(std::make_shared<Unit>(*config_));
    Unit* unit = units_.back().get();
    unit->thread = std::thread([this, unit] { UnitLoop(*unit); });
  }
}

void Board::StopUnits() {
  for (const auto& unit : units_) {
    {
      const std::lock_guard lock(unit->mutex);
      unit->stop = unit->reset = true;
    }
    unit->wake.notify_all();
    unit->thread.join();
  }
  units_.clear();
}

void Board::CheckAlive(uint64_t epoch) {
  if (removed_ || epoch != epoch_) Fail(ENODEV, "the device is gone");
}

void Board::OpenContext(const unsigned char* uuid, unsigned unit, bool shared) {
  const std::lock_guard lock(mutex_);
  if (!config_ || std::memcmp(uuid_.data(), uuid, uuid_.size()) != 0) Fail(EBUSY, "another xclbin is loaded");
  if (unit != ~0U) {
    if (unit >= units_.size()) Fail(EINVAL, "no such unit");
    Unit& u = *units_[unit];
    if (u.exclusive || (!shared && u.contexts != 0)) Fail(EBUSY, "the unit is in exclusive use");
    ++u.contexts;
    u.exclusive = !shared;
  }
  ++counts_.contexts;
}

void Board::CloseContext(unsigned unit, uint64_t epoch) {
  const std::lock_guard lock(mutex_);
  if (epoch != epoch_) return;
  if (unit < units_.size()) {
    --units_[unit]->contexts;
    units_[unit]->exclusive = false;
  }
  --counts_.contexts;
}

uint64_t Board::Allocate(uint32_t bank, uint64_t bytes) {
  if (TakeFault(false) == Fault::kRefuseAllocation) throw std::bad_alloc();
  const std::lock_guard lock(mutex_);
  if (bank >= banks_.size()) Fail(EINVAL, "no such memory bank");
  bytes = RoundUp(bytes);
  auto& free = banks_[bank].free;
  for (auto it = free.begin(); it != free.end(); ++it) {
    if (it->second < bytes) continue;
    const auto [address, size] = *it;
    free.erase(it);
    if (size > bytes) free[address + bytes] = size - bytes;
    ++counts_.buffers;
    counts_.bytes += bytes;
    // What lay there before is no longer of use; whoever forgets to write it, reads this.
    std::memset(memory_ + address, 0xA5, bytes);
    return address;
  }
  throw std::bad_alloc();
}

void Board::Release(uint64_t address, uint64_t bytes, uint64_t epoch, uint64_t generation) {
  const std::lock_guard lock(mutex_);
  if (generation != generation_) return;
  bytes = RoundUp(bytes);
  if (epoch == epoch_) {
    --counts_.buffers;
    counts_.bytes -= bytes;
  }
  for (Bank& bank : banks_) {
    if (address < bank.base || address >= bank.base + bank.bytes) continue;
    auto it = bank.free.emplace(address, bytes).first;
    const auto next = std::next(it);
    if (next != bank.free.end() && it->first + it->second == next->first) {
      it->second += next->second;
      bank.free.erase(next);
    }
    if (it != bank.free.begin()) {
      const auto before = std::prev(it);
      if (before->first + before->second == it->first) {
        before->second += it->second;
        bank.free.erase(it);
      }
    }
  }
}

std::span<uint8_t> Board::Memory(uint64_t address, uint64_t bytes) {
  if (memory_ == nullptr || address > memory_bytes_ || bytes > memory_bytes_ - address) {
    Fail(EFAULT, "an address beyond the memory banks");
  }
  return {memory_ + address, bytes};
}

void Board::CopyTo(uint64_t address, const void* from, uint64_t bytes) {
  const std::lock_guard lock(order_);
  std::memcpy(Memory(address, bytes).data(), from, bytes);
}

void Board::CopyFrom(uint64_t address, void* to, uint64_t bytes) {
  AwaitLateUnits(address, bytes);
  const std::lock_guard lock(order_);
  std::memcpy(to, Memory(address, bytes).data(), bytes);
}

}  // namespace xrun::stand_in
