// board_server SOCKET: one stand-in board for several processes, as one board and its kernel driver serve them.
// Programs reach it with XRUN_STAND_IN_SOCKET=SOCKET beside XILINX_XRT. When a process ends, however it ends, what it
// had is taken back: its commands that no unit has begun are dropped, the one that runs is waited for, then memory and
// contexts are free.
//
// It prints "ready", then answers lines of its input with a line of JSON each, until the input ends:
//   counts    what is in use, what the units have done, how many commands processes left behind
//   kill PID  waits until a unit is at work for that process, and kills it by SIGKILL while it is

#include <sys/un.h>
#include <xclbin.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/stand_in_board/board.h"
#include "tests/stand_in_board/protocol.h"

namespace xrun::stand_in {
namespace {

std::atomic<uint64_t> clients{0}, left_behind{0};
std::mutex processes_mutex;
std::map<pid_t, uint64_t> processes;  ///< number of the client

/// The end of a connection that units write to when a command has ended.
struct Peer {
  explicit Peer(int s) : socket(s) {}
  Peer(const Peer&) = delete;
  ~Peer() { ::close(socket); }
  void Send(const AnswerHead& head, const void* data) {
    const std::lock_guard lock(mutex);
    // Whoever is gone is noticed by who reads.
    if (SendAll(socket, &head, sizeof(head))) SendAll(socket, data, head.bytes);
  }
  const int socket;
  std::mutex mutex;
};

/// A process: what a file of the driver is. It knows what there is to be taken back.
class Client {
 public:
  Client(std::shared_ptr<Peer> peer, uint64_t number) : peer_(std::move(peer)), number_(number) {
    ucred process{};
    socklen_t size = sizeof(process);
    if (::getsockopt(peer_->socket, SOL_SOCKET, SO_PEERCRED, &process, &size) == 0) {
      const std::lock_guard lock(processes_mutex);
      processes[pid_ = process.pid] = number_;
    }
    ++clients;
  }
  Client(const Client&) = delete;
  ~Client() {
    {
      const std::lock_guard lock(processes_mutex);
      processes.erase(pid_);
    }
    left_behind += board_.Abandon(number_);
    for (const Context& c : contexts_) board_.CloseContext(c.unit, c.epoch);
    for (const Memory& m : memory_) board_.Release(m.address, m.bytes, m.epoch, m.generation);
    --clients;
  }

  void Serve() {
    CallHead call;
    std::vector<uint8_t> data, answer;
    while (ReceiveAll(peer_->socket, &call, sizeof(call))) {
      data.resize(call.bytes);
      if (!ReceiveAll(peer_->socket, data.data(), call.bytes)) return;
      answer.clear();
      AnswerHead head;
      std::string text;
      try {
        head.value = Do(call, data, answer);
      } catch (const std::bad_alloc&) {
        head.kind = AnswerHead::Kind::kNoMemory;
      } catch (const std::system_error& error) {
        head.kind = AnswerHead::Kind::kFailure;
        head.value = static_cast<uint64_t>(error.code().value());
        text = error.what();
        answer.assign(text.begin(), text.end());
      }
      head.bytes = answer.size();
      peer_->Send(head, answer.data());
    }
  }

 private:
  struct Context {
    unsigned unit;
    uint64_t epoch;
    bool operator==(const Context&) const = default;
  };
  struct Memory {
    uint64_t address, bytes, epoch, generation;
    bool operator==(const Memory&) const = default;
  };

  uint64_t Do(const CallHead& call, const std::vector<uint8_t>& data, std::vector<uint8_t>& answer) {
    const auto& a = call.arguments;
    const auto unit = static_cast<unsigned>(a[0]);
    switch (call.call) {
      case Call::kLoad:
        board_.Load(reinterpret_cast<const axlf*>(data.data()));
        return 0;
      case Call::kCheckAlive:
        board_.CheckAlive(a[0]);
        return 0;
      case Call::kEpoch:
        return board_.epoch();
      case Call::kGeneration:
        return board_.generation();
      case Call::kOpenContext:
        board_.OpenContext(data.data(), unit, a[1] != 0);
        contexts_.push_back({unit, board_.epoch()});
        return 0;
      case Call::kCloseContext:
        Forget(contexts_, {unit, a[1]});
        board_.CloseContext(unit, a[1]);
        return 0;
      case Call::kAllocate: {
        const uint64_t address = board_.Allocate(static_cast<uint32_t>(a[0]), a[1]);
        memory_.push_back({address, a[1], board_.epoch(), board_.generation()});
        return address;
      }
      case Call::kRelease:
        Forget(memory_, {a[0], a[1], a[2], a[3]});
        board_.Release(a[0], a[1], a[2], a[3]);
        return 0;
      case Call::kCopyTo:
        board_.CopyTo(a[0], data.data(), data.size());
        return 0;
      case Call::kCopyFrom:
        answer.resize(a[1]);
        board_.CopyFrom(a[0], answer.data(), answer.size());
        return 0;
      case Call::kSubmit:
        Submit(a[0], a[1], data);
        return 0;
      case Call::kReadRegister:
        return board_.ReadRegister(unit, static_cast<uint32_t>(a[1]));
      case Call::kWriteRegister:
        board_.WriteRegister(unit, static_cast<uint32_t>(a[1]), static_cast<uint32_t>(a[2]));
        return 0;
    }
    Fail(EINVAL, "an unknown call");
  }

  void Submit(uint64_t number, uint64_t epoch, const std::vector<uint8_t>& data) {
    auto words = std::make_shared<std::vector<uint32_t>>(data.size() / sizeof(uint32_t));
    std::memcpy(words->data(), data.data(), words->size() * sizeof(uint32_t));
    Command command;
    command.packet = reinterpret_cast<ert_start_kernel_cmd*>(words->data());
    command.epoch = epoch;
    command.client = number_;
    command.event = [peer = peer_, packet = command.packet, number] {
      AnswerHead end;
      end.kind = AnswerHead::Kind::kCommandEnd;
      end.number = number;
      end.value = packet->state;
      peer->Send(end, nullptr);
    };
    command.keep = std::move(words);
    board_.Submit(std::move(command));
  }

  template <typename T>
  static void Forget(std::vector<T>& all, const T& one) {
    const auto it = std::find(all.begin(), all.end(), one);
    if (it != all.end()) all.erase(it);
  }

  Board& board_ = Board::Get();
  const std::shared_ptr<Peer> peer_;
  const uint64_t number_;
  pid_t pid_ = 0;
  std::vector<Context> contexts_;
  std::vector<Memory> memory_;
};

int Listen(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof(address.sun_path)) return -1;
  std::strcpy(address.sun_path, path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return -1;
  return ::listen(socket, 16) == 0 ? socket : -1;
}

void PrintCounts() {
  const BoardCounts counts = Board::Get().counts();
  std::string launches;
  for (const uint64_t n : Board::Get().launches()) launches += (launches.empty() ? "" : ", ") + std::to_string(n);
  std::printf(
      "{\"clients\": %llu, \"buffers\": %zu, \"contexts\": %zu, \"commands\": %zu, \"left_behind\": %llu, "
      "\"launches\": [%s]}\n",
      static_cast<unsigned long long>(clients), counts.buffers, counts.contexts, counts.commands,
      static_cast<unsigned long long>(left_behind), launches.c_str());
  std::fflush(stdout);
}

void Kill(pid_t pid) {
  bool killed = false;
  for (bool there = true; there && !killed; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
    const std::lock_guard lock(processes_mutex);
    const auto it = processes.find(pid);
    there = it != processes.end();
    if (there) Board::Get().WhileAtWork(it->second, [&] { killed = ::kill(pid, SIGKILL) == 0; });
  }
  std::printf("{\"killed\": %s}\n", killed ? "true" : "false");
  std::fflush(stdout);
}

}  // namespace
}  // namespace xrun::stand_in

int main(int argc, char** argv) {
  using namespace xrun::stand_in;
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
    return 2;
  }
  const int listener = Listen(argv[1]);
  if (listener < 0) {
    std::perror(argv[1]);
    return 1;
  }
  std::thread([listener] {
    for (uint64_t number = 1;; ++number) {
      const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      std::thread([socket, number] { Client(std::make_shared<Peer>(socket), number).Serve(); }).detach();
    }
  }).detach();
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "counts") PrintCounts();
    if (line.rfind("kill ", 0) == 0) Kill(static_cast<pid_t>(std::atol(line.c_str() + 5)));
  }
  ::unlink(argv[1]);
  std::fflush(stdout);
  ::_exit(0);  // connections and units have threads of their own, which nobody can wait for
}
