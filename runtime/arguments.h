#ifndef XRUN_RUNTIME_ARGUMENTS_H_
#define XRUN_RUNTIME_ARGUMENTS_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "isa/result.h"
#include "runtime/request_state.h"
#include "xrun/session.h"
#include "xrun/tensor.h"

namespace xrun::runtime {

/// The arrays given to one Session::run, matched to the program's tensors and checked. Allocates nothing for up to 16
/// each.
class RunArguments {
 public:
  using Infos = std::vector<api::TensorInfo>;

  /// Every input once, outputs at most once, each of a type that converts, all N times the size of their tensors.
  /// Failures say what is expected. Refers to the arguments' memory.
  Status Match(const Infos& input_infos, const Infos& output_infos, std::span<const api::NamedInput> inputs,
               std::span<const api::NamedOutput> outputs);

  /// N: how often the program runs.
  size_t runs() const { return runs_; }

  /// Run `run`'s part of the inputs to the request, quantized where floats are given for int8.
  void Fill(size_t run, const Program& program, RequestState& request) const;
  /// The request's outputs to run `run`'s part of the arrays.
  void Read(size_t run, const Program& program, const RequestState& request) const;

 private:
  template <typename T>
  class Few {
   public:
    void push_back(const T& value) {
      size_ < inline_.size() ? inline_[size_] = value : (more_.push_back(value), value), ++size_;
    }
    size_t size() const { return size_; }
    const T& operator[](size_t i) const { return i < inline_.size() ? inline_[i] : more_[i - inline_.size()]; }

   private:
    std::array<T, 16> inline_{};
    std::vector<T> more_;
    size_t size_ = 0;
  };

  struct In {
    const api::TensorInfo* info = nullptr;
    uint32_t index = 0;  ///< into the program's inputs
    const void* data = nullptr;
    bool convert = false;  ///< float for int8
  };
  struct Out {
    const api::TensorInfo* info = nullptr;
    uint32_t index = 0;
    void* data = nullptr;
    bool convert = false;
  };

  template <typename Argument, typename List>
  Status MatchOne(const char* kind, const Infos& infos, const Argument& argument, List& list);

  Few<In> inputs_;
  Few<Out> outputs_;
  size_t runs_ = 0;
};

/// "no input 'imput'; did you mean …" when `name` is none of `infos`.
Result<uint32_t> FindTensor(const char* kind, const std::vector<api::TensorInfo>& infos, std::string_view name);

}  // namespace xrun::runtime

#endif  // XRUN_RUNTIME_ARGUMENTS_H_
