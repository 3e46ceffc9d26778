// The board of a server: each call goes there, and a thread waits for what comes back.

#include <sys/un.h>
#include <xclbin.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/stand_in_board/board.h"
#include "tests/stand_in_board/protocol.h"

namespace xrun::stand_in {
namespace {

class RemoteBoard final : public Driver {
 public:
  explicit RemoteBoard(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof(address.sun_path)) Fail(ENAMETOOLONG, path);
    std::strcpy(address.sun_path, path);
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0 || ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      Fail(errno, path);
    }
    std::thread([this] { Listen(); }).detach();
  }

  void Load(const axlf* image) override { Ask(Call::kLoad, {}, image, image->m_header.m_length); }
  void CheckAlive(uint64_t epoch) override { Ask(Call::kCheckAlive, {epoch}); }
  uint64_t epoch() override { return Ask(Call::kEpoch, {}); }
  uint64_t generation() override { return Ask(Call::kGeneration, {}); }
  void OpenContext(const unsigned char* uuid, unsigned unit, bool shared) override {
    Ask(Call::kOpenContext, {unit, shared ? 1U : 0U}, uuid, kUuidBytes);
  }
  void CloseContext(unsigned unit, uint64_t epoch) override { AskQuietly(Call::kCloseContext, {unit, epoch}); }
  uint64_t Allocate(uint32_t bank, uint64_t bytes) override { return Ask(Call::kAllocate, {bank, bytes}); }
  void Release(uint64_t address, uint64_t bytes, uint64_t epoch, uint64_t generation) override {
    AskQuietly(Call::kRelease, {address, bytes, epoch, generation});
  }
  void CopyTo(uint64_t address, const void* from, uint64_t bytes) override {
    Ask(Call::kCopyTo, {address}, from, bytes);
  }
  void CopyFrom(uint64_t address, void* to, uint64_t bytes) override {
    Ask(Call::kCopyFrom, {address, bytes}, nullptr, 0, to);
  }
  void Submit(Command command) override {
    const ert_start_kernel_cmd* packet = command.packet;
    const uint64_t epoch = command.epoch;
    uint64_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = next_++;
      commands_.emplace(number, std::move(command));
    }
    try {
      // The header word, then `count` others.
      Ask(Call::kSubmit, {number, epoch}, packet, sizeof(uint32_t) * (1 + packet->count));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      commands_.erase(number);
      throw;
    }
  }
  uint32_t ReadRegister(unsigned unit, uint32_t offset) override {
    return static_cast<uint32_t>(Ask(Call::kReadRegister, {unit, offset}));
  }
  void WriteRegister(unsigned unit, uint32_t offset, uint32_t value) override {
    Ask(Call::kWriteRegister, {unit, offset, value});
  }

 private:
  static constexpr size_t kUuidBytes = 16;

  /// One call; what the server refuses is thrown here. `to`: where the answer's data goes.
  uint64_t Ask(Call call, const std::array<uint64_t, 4>& arguments, const void* data = nullptr, uint64_t bytes = 0,
               void* to = nullptr) {
    const std::lock_guard one(asking_);
    const CallHead head{call, arguments, bytes};
    std::unique_lock lock(mutex_);
    answered_ = false;
    to_ = to;
    lock.unlock();
    if (!SendAll(socket_, &head, sizeof(head)) || !SendAll(socket_, data, bytes)) Fail(ENODEV, "its server is gone");
    lock.lock();
    arrived_.wait(lock, [&] { return answered_ || gone_; });
    if (!answered_) Fail(ENODEV, "its server is gone");
    if (answer_.kind == AnswerHead::Kind::kNoMemory) throw std::bad_alloc();
    if (answer_.kind == AnswerHead::Kind::kFailure) {
      const std::error_code code(static_cast<int>(answer_.value), std::system_category());
      // The text ends with the code's own, which the exception here adds again.
      throw std::system_error(code, text_.substr(0, text_.rfind(": " + code.message())));
    }
    return answer_.value;
  }
  /// From destructors: when the server is gone it has taken everything back.
  void AskQuietly(Call call, const std::array<uint64_t, 4>& arguments) {
    try {
      Ask(call, arguments);
    } catch (const std::system_error&) {
    }
  }

  void Listen() {
    AnswerHead head;
    while (ReceiveAll(socket_, &head, sizeof(head))) {
      if (head.kind == AnswerHead::Kind::kCommandEnd) {
        End(head.number, static_cast<uint32_t>(head.value));
        continue;
      }
      std::unique_lock lock(mutex_);
      void* to = to_;
      if (head.kind == AnswerHead::Kind::kFailure) {
        text_.resize(head.bytes);
        to = text_.data();
      }
      // Whoever asked waits: nobody else has `to`.
      lock.unlock();
      if (!ReceiveAll(socket_, to, head.bytes)) break;
      lock.lock();
      answer_ = head;
      answered_ = true;
      arrived_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    gone_ = true;
    arrived_.notify_all();
  }

  /// As the driver does: the state into the packet, then the event. What goes with the command is its packet's buffer,
  /// which has no memory on the board: no call is made from this thread, which would wait for itself.
  void End(uint64_t number, uint32_t state) {
    std::unique_lock lock(mutex_);
    auto node = commands_.extract(number);
    lock.unlock();
    if (node.empty()) return;
    Command& command = node.mapped();
    const uint32_t header = command.packet->header & ~0xFU;
    __atomic_store_n(&command.packet->header, header | state, __ATOMIC_RELEASE);
    command.event();
  }

  int socket_ = -1;
  std::mutex asking_;  ///< one call at a time
  std::mutex mutex_;
  std::condition_variable arrived_;
  bool answered_ = false, gone_ = false;
  void* to_ = nullptr;
  AnswerHead answer_;
  std::string text_;
  std::map<uint64_t, Command> commands_;  ///< under way, by number
  uint64_t next_ = 1;
};

}  // namespace

Driver& Driver::Get() {
  // Never destroyed, because XRT's own static objects may outlive ours.
  static Driver* const driver = [] {
    const char* path = std::getenv("XRUN_STAND_IN_SOCKET");
    return path == nullptr ? static_cast<Driver*>(&Board::Get()) : new RemoteBoard(path);
  }();
  return *driver;
}

}  // namespace xrun::stand_in
