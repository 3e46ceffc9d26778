#ifndef XRUN_RUNTIME_C_API_H_
#define XRUN_RUNTIME_C_API_H_

// What stands behind the handles of xrun_c.h, and the border that no exception crosses.

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "xrun/buffer.h"
#include "xrun/session.h"
#include "xrun/xrun_c.h"

struct xrun_error {
  xrun_status code = XRUN_INTERNAL;
  std::string message, hint;
  bool is_static = false;  ///< of the library, not to be freed
};

struct xrun_device {
  xrun::api::Device device;
  std::string description;
};

struct xrun_program {
  xrun::api::Program program;
};

struct xrun_session {
  xrun::api::Session session;
};

struct xrun_buffer {
  xrun::api::Buffer buffer;
};

struct xrun_request {
  xrun::api::Request request;
};

namespace xrun::c_api {

xrun_status CodeOf(api::ErrorCode code);
/// Stores an error if the caller wants one; gives its code.
xrun_status Fail(xrun_error** error, xrun_status code, const char* message, const char* hint) noexcept;

xrun_status FailNull(xrun_error** error, const char* argument) noexcept;

/// NULL where a handle or array is wanted is a mistake of the caller, found before anything is touched.
struct NullArgument {
  const char* name;
};
template <typename T>
T* NotNull(T* pointer, const char* name) {
  if (pointer == nullptr) throw NullArgument{name};
  return pointer;
}
#define XRUN_NOT_NULL(argument) ::xrun::c_api::NotNull(argument, #argument)

/// Calls `body` and turns whatever it throws into a status and an error object.
template <typename Body>
xrun_status Guard(xrun_error** error, Body&& body) noexcept {
  try {
    body();
    return XRUN_OK;
  } catch (const NullArgument& null) {
    return FailNull(error, null.name);
  } catch (const api::Error& e) {
    return Fail(error, CodeOf(e.code()), e.message().c_str(), e.hint().c_str());
  } catch (const std::bad_alloc&) {
    return Fail(error, XRUN_INTERNAL, "out of memory", "");
  } catch (const std::exception& e) {
    return Fail(error, XRUN_INTERNAL, e.what(), "");
  } catch (...) {
    return Fail(error, XRUN_INTERNAL, "unknown exception", "");
  }
}

}  // namespace xrun::c_api

#endif  // XRUN_RUNTIME_C_API_H_
