#ifndef XRUN_RUNTIME_IO_SUGGEST_H_
#define XRUN_RUNTIME_IO_SUGGEST_H_

#include <string>
#include <string_view>
#include <vector>

namespace xrun::io {

/// The candidate closest to `word` when it is close enough to be a slip (at most a third of the letters differ, case
/// aside): ready to stand in a hint as "did you mean 'NAME'?". Empty otherwise.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

/// "a, b, c", cut with "... (N in all)" after `limit` names.
std::string ListNames(const std::vector<std::string>& names, size_t limit = 12);

}  // namespace xrun::io

#endif  // XRUN_RUNTIME_IO_SUGGEST_H_
