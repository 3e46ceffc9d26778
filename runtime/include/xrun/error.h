#ifndef XRUN_ERROR_H_
#define XRUN_ERROR_H_

#include <stdexcept>
#include <string>

#include "xrun/export.h"

namespace xrun::api {

enum class ErrorCode {
  kInvalid,    ///< the caller or a file: wrong name, shape, type, path, program
  kTimeout,    ///< the request took longer than the session's timeout
  kCancelled,  ///< Request::cancel, or its handle was destroyed
  kDevice,     ///< the device: a trap, a launch that failed
};

/// The one exception of libxrun. `message()` names the file, tensor, step, node or limit; `hint()` says the way out and
/// may be empty; `what()` is both.
class XRUN_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string message, std::string hint);
  ~Error() override;
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;

  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  ErrorCode code_;
  std::string message_, hint_;
};

}  // namespace xrun::api

#endif  // XRUN_ERROR_H_
