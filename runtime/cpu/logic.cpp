// Comparisons, logic, choice, and arithmetic of integers. Bools are bytes: 0 is false, everything else true, 1 is
// written.

#include <cmath>
#include <type_traits>

#include "runtime/cpu/broadcast.h"

namespace xrun::cpu {

namespace {

template <typename T>
void Compare(const OpCall& call, Workers& workers) {
  switch (call.op) {
    case Op::kEqual:
      return RunBroadcast<T, uint8_t>(call, workers, [](T a, T b) -> uint8_t { return a == b; });
    case Op::kGreater:
      return RunBroadcast<T, uint8_t>(call, workers, [](T a, T b) -> uint8_t { return a > b; });
    case Op::kGreaterOrEqual:
      return RunBroadcast<T, uint8_t>(call, workers, [](T a, T b) -> uint8_t { return a >= b; });
    case Op::kLess:
      return RunBroadcast<T, uint8_t>(call, workers, [](T a, T b) -> uint8_t { return a < b; });
    default:
      return RunBroadcast<T, uint8_t>(call, workers, [](T a, T b) -> uint8_t { return a <= b; });
  }
}

/// Overflow wraps around; division by zero gives 0, so that no data can stop a program.
template <typename T>
void Arithmetic(const OpCall& call, Workers& workers) {
  using U = std::make_unsigned_t<T>;
  const auto wrapped = [&](const auto& fn) {
    RunBroadcast<T>(call, workers, [&](T a, T b) { return static_cast<T>(fn(static_cast<U>(a), static_cast<U>(b))); });
  };
  switch (call.op) {
    case Op::kAdd:
      return wrapped([](U a, U b) { return a + b; });
    case Op::kSub:
      return wrapped([](U a, U b) { return a - b; });
    case Op::kMul:
      return wrapped([](U a, U b) { return a * b; });
    case Op::kMin:
      return RunBroadcast<T>(call, workers, [](T a, T b) { return std::min(a, b); });
    case Op::kMax:
      return RunBroadcast<T>(call, workers, [](T a, T b) { return std::max(a, b); });
    case Op::kDiv:
      // The most negative number has no negation: it stays itself.
      return RunBroadcast<T>(call, workers, [](T a, T b) {
        return b == 0 ? T{0} : b == -1 ? static_cast<T>(U{0} - static_cast<U>(a)) : static_cast<T>(a / b);
      });
    default: {  // Mod
      const bool fmod = std::get<ModAttrs>(*call.attrs).fmod;
      return RunBroadcast<T>(call, workers, [fmod](T a, T b) {
        if (b == 0 || b == -1) return T{0};
        const T rest = a % b;
        return static_cast<T>(!fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
      });
    }
  }
}

}  // namespace

void RunIntegers(const OpCall& call, Workers& workers) {
  if (call.outputs[0].dtype == DType::kInt32) return Arithmetic<int32_t>(call, workers);
  Arithmetic<int64_t>(call, workers);
}

void RunCompare(const OpCall& call, Workers& workers) {
  switch (call.inputs[0].dtype) {
    case DType::kFloat32:
      return Compare<float>(call, workers);
    case DType::kInt32:
      return Compare<int32_t>(call, workers);
    case DType::kInt64:
      return Compare<int64_t>(call, workers);
    default:  // bool, Equal alone
      return RunBroadcast<uint8_t>(call, workers, [](uint8_t a, uint8_t b) -> uint8_t { return !a == !b; });
  }
}

void RunLogic(const OpCall& call, Workers& workers) {
  uint8_t* y = call.outputs[0].as<uint8_t>();
  const auto each = [&](const auto& fn) {
    ForRanges(workers, Elements(call.outputs[0]), kElementsPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = fn(i) ? 1 : 0;
    });
  };
  switch (call.op) {
    case Op::kAnd:
      return RunBroadcast<uint8_t>(call, workers, [](uint8_t a, uint8_t b) -> uint8_t { return a && b; });
    case Op::kOr:
      return RunBroadcast<uint8_t>(call, workers, [](uint8_t a, uint8_t b) -> uint8_t { return a || b; });
    case Op::kXor:
      return RunBroadcast<uint8_t>(call, workers, [](uint8_t a, uint8_t b) -> uint8_t { return !a != !b; });
    case Op::kNot:
      return each([x = call.inputs[0].as<uint8_t>()](int64_t i) { return x[i] == 0; });
    default:  // IsNaN
      return each([x = call.inputs[0].as<float>()](int64_t i) { return std::isnan(x[i]); });
  }
}

void RunWhere(const OpCall& call, Workers& workers) {
  const Broadcast<3> shape(call);
  const uint8_t* condition = call.inputs[0].as<uint8_t>();
  WithElementType(call.outputs[0].dtype, [&]<typename T>(T*) {
    const T* a = call.inputs[1].as<T>();
    const T* b = call.inputs[2].as<T>();
    T* y = call.outputs[0].as<T>();
    ForRanges(workers, Elements(call.outputs[0]), kElementsPerTask, [&](int64_t begin, int64_t end) {
      shape.ForRuns(begin, end, [&](int64_t at, int64_t run, const std::array<int64_t, 3>& offsets) {
        for (int64_t i = 0; i < run; ++i) {
          y[at + i] = condition[offsets[0] + i * shape.step(0)] != 0 ? a[offsets[1] + i * shape.step(1)]
                                                                     : b[offsets[2] + i * shape.step(2)];
        }
      });
    });
  });
}

}  // namespace xrun::cpu
