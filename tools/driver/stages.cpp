#include "tools/driver/stages.h"

#include <algorithm>
#include <cstdio>

#include "compiler/passes/canonicalize.h"
#include "isa/atomic_file.h"
#include "runtime/io/suggest.h"

namespace xrun::tools {

std::vector<std::string> StageNames() {
  std::vector<std::string> names = {"import"};
  for (std::string_view pass : compiler::CanonicalizationPasses()) names.emplace_back(pass);
  for (const char* stage : {"calibrate", "quantize", "lower", "place", "tile", "schedule", "encode"}) {
    names.emplace_back(stage);
  }
  return names;
}

Status StageDumper::Add(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string stage = text.substr(0, colon);
  const std::vector<std::string> names = StageNames();
  if (std::find(names.begin(), names.end(), stage) == names.end()) {
    std::string hint = io::DidYouMean(stage, names);
    if (hint.empty()) hint = "stages are " + io::ListNames(names, names.size());
    return Failure{"no stage '" + stage + "'", hint};
  }
  Request request;
  if (colon != std::string::npos) {
    request.file = text.substr(colon + 1);
    if (request.file.empty()) return Failure{"'" + text + "' names no file after the colon", ""};
  }
  if (!requests_.emplace(stage, std::move(request)).second) return Failure{"stage '" + stage + "' is given twice", ""};
  return {};
}

void StageDumper::operator()(const std::string& stage, const std::function<std::string()>& text) {
  const auto it = requests_.find(stage);
  if (it == requests_.end()) return;
  Request& request = it->second;
  std::string dump = text();
  if (!dump.ends_with('\n')) dump += '\n';
  request.seen = true;
  if (request.file.empty()) {
    const std::string title = "== after " + stage + "\n";
    std::fwrite(title.data(), 1, title.size(), stdout);
    std::fwrite(dump.data(), 1, dump.size(), stdout);
    return;
  }
  request.text += dump;
  Status written = WriteFileAtomically(request.file, request.text);
  if (status_.ok()) status_ = std::move(written);
}

bool StageDumper::UsesStdout() const {
  return std::any_of(requests_.begin(), requests_.end(), [](const auto& r) { return r.second.file.empty(); });
}

std::vector<std::string> StageDumper::Missed() const {
  std::vector<std::string> missed;
  for (const auto& [stage, request] : requests_) {
    if (!request.seen) missed.push_back(stage);
  }
  return missed;
}

}  // namespace xrun::tools
