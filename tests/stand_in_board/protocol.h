#ifndef XRUN_TESTS_STAND_IN_BOARD_PROTOCOL_H_
#define XRUN_TESTS_STAND_IN_BOARD_PROTOCOL_H_

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

// What a process and the server of a board say to each other on a UNIX socket: a call and its answer, one at a time;
// and, whenever a command ends, a message of its own. Both ends are the same build on the same machine.

namespace xrun::stand_in {

enum class Call : uint32_t {
  kLoad,          ///< data: the xclbin
  kCheckAlive,    ///< epoch
  kEpoch,         ///< answer: epoch
  kGeneration,    ///< answer: generation
  kOpenContext,   ///< unit, shared; data: uuid
  kCloseContext,  ///< unit, epoch
  kAllocate,      ///< bank, bytes; answer: address
  kRelease,       ///< address, bytes, epoch, generation
  kCopyTo,        ///< address; data
  kCopyFrom,      ///< address, bytes; answer: data
  kSubmit,        ///< number of the command, epoch; data: the packet
  kReadRegister,  ///< unit, offset; answer: value
  kWriteRegister  ///< unit, offset, value
};

struct CallHead {
  Call call;
  std::array<uint64_t, 4> arguments{};
  uint64_t bytes = 0;  ///< of data, which follows
};

struct AnswerHead {
  enum class Kind : uint32_t {
    kAnswer,
    kNoMemory,   ///< std::bad_alloc
    kFailure,    ///< `value` is errno's; data: the text
    kCommandEnd  ///< no answer: `number` is the command's, `value` its state
  } kind = Kind::kAnswer;
  uint64_t number = 0, value = 0;
  uint64_t bytes = 0;
};

/// False: the other end is gone.
inline bool SendAll(int socket, const void* data, size_t bytes) {
  for (const auto* p = static_cast<const uint8_t*>(data); bytes > 0;) {
    const ssize_t sent = ::send(socket, p, bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    p += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return true;
}
inline bool ReceiveAll(int socket, void* data, size_t bytes) {
  for (auto* p = static_cast<uint8_t*>(data); bytes > 0;) {
    const ssize_t received = ::recv(socket, p, bytes, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return false;
    p += received;
    bytes -= static_cast<size_t>(received);
  }
  return true;
}

}  // namespace xrun::stand_in

#endif  // XRUN_TESTS_STAND_IN_BOARD_PROTOCOL_H_
