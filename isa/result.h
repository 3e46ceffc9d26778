#ifndef XRUN_ISA_RESULT_H_
#define XRUN_ISA_RESULT_H_

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace xrun {

/// What went wrong, for a person: `message` names the file, node, operator or instruction and the limit that was hit;
/// `hint` (may be empty) says the way out. User and environment failures travel as values of this type; our own bugs
/// are asserts. Library code never prints and never exits.
struct Failure {
  std::string message;
  std::string hint;

  /// `message`, followed by the hint on a line of its own when there is one.
  std::string ToString() const { return hint.empty() ? message : message + "\n  hint: " + hint; }

  /// The same failure with the place it was noticed put in front: "model.onnx: node 'Conv_3': ...".
  Failure In(const std::string& where) && { return {where + ": " + message, std::move(hint)}; }
};

/// A value, or the reason why there is none. `Result<void>` is `Status`.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Failure& failure() const& {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Failure&& failure() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Failure> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(std::move(failure)) {}

  bool ok() const { return !failure_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Failure& failure() const& {
    assert(!ok());
    return *failure_;
  }
  Failure&& failure() && {
    assert(!ok());
    return std::move(*failure_);
  }

 private:
  std::optional<Failure> failure_;
};

using Status = Result<void>;

/// Returns the failure of `expr` from the enclosing function, if it has one.
#define XRUN_RETURN_IF_ERROR(expr)                        \
  do {                                                    \
    if (auto xrun_status_ = (expr); !xrun_status_.ok()) { \
      return std::move(xrun_status_).failure();           \
    }                                                     \
  } while (false)

#define XRUN_CONCAT_INNER_(a, b) a##b
#define XRUN_CONCAT_(a, b) XRUN_CONCAT_INNER_(a, b)

/// `XRUN_ASSIGN_OR_RETURN(auto x, F());` — the value of F(), or its failure returned from the enclosing function.
#define XRUN_ASSIGN_OR_RETURN(lhs, expr) XRUN_ASSIGN_OR_RETURN_(XRUN_CONCAT_(xrun_result_, __LINE__), lhs, expr)
#define XRUN_ASSIGN_OR_RETURN_(tmp, lhs, expr)    \
  auto tmp = (expr);                              \
  if (!tmp.ok()) return std::move(tmp).failure(); \
  lhs = std::move(tmp).value()

}  // namespace xrun

#endif  // XRUN_ISA_RESULT_H_
