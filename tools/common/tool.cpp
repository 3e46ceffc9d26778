#include "tools/common/tool.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "isa/atomic_file.h"
#include "runtime/io/suggest.h"

namespace xrun::tools {
namespace {

struct UsageException {
  std::string message, hint;
};

char interrupted[64];  // what the handler says; it may not format

extern "C" void OnEndingSignal(int signal) {
  xrun::RemoveTemporaries();
  if (write(STDERR_FILENO, interrupted, std::strlen(interrupted)) < 0) _exit(128 + signal);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void HandleSignals(const std::string& name) {
  const char* line = isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "";  // over a progress line
  std::snprintf(interrupted, sizeof(interrupted), "%s%s: error: interrupted; no file is half written\n", line,
                name.c_str());
  struct sigaction action {};
  action.sa_handler = OnEndingSignal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // nohup stays nohup
  }
  std::signal(SIGXFSZ, SIG_IGN);
}

void SetUpLogging(const std::string& name, const CommonOptions& common) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%n: %l: %v");
  logger->set_level(common.quiet            ? spdlog::level::err
                    : common.verbosity == 0 ? spdlog::level::warn
                    : common.verbosity == 1 ? spdlog::level::info
                    : common.verbosity == 2 ? spdlog::level::debug
                                            : spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

void Complain(const std::string& name, const Failure& failure) {
  std::fprintf(stderr, "%s: error: %s\n", name.c_str(), failure.ToString().c_str());
}

// Long names with their dashes, for suggestions.
std::vector<std::string> FlagNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// CLI11's own layout lists exclusions in the order of memory addresses, and enumerators by their bytes: help must be
// the same text every time. Here an option is its names and the type it takes; descriptions say the rest.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    if (is_positional) return option->get_name(true, false);
    std::string text;
    for (const std::string& name : option->get_snames()) text += (text.empty() ? "-" : ", -") + name;
    for (const std::string& name : option->get_lnames()) text += (text.empty() ? "--" : ", --") + name;
    return text;
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string plain = option->get_type_name();  // "TYPE:validator:validator"; the type may hold "[...:...]"
    if (option->get_positional() || plain.empty()) return "";
    int depth = 0;
    for (size_t i = 0; i < plain.size(); ++i) {
      depth += plain[i] == '[' ? 1 : plain[i] == ']' ? -1 : 0;
      if (plain[i] == ':' && depth == 0) plain.resize(i);
    }
    return plain.starts_with("[=") ? plain : " " + plain;
  }
};

}  // namespace

const char* Version() { return XRUN_VERSION; }

void UsageError(const std::string& message, const std::string& hint) { throw UsageException{message, hint}; }

void CheckUsage(const std::string& flag, const Status& status) {
  if (!status.ok()) UsageError(flag + ": " + status.failure().message, status.failure().hint);
}

Status FlushStdout() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return Failure{std::string("stdout cannot be written: ") + std::strerror(errno), ""};
  }
  return {};
}

Tool::Tool(const std::string& name, const std::string& description) : name_(name), app_(description, name) {
  app_.set_help_flag("-h,--help", "Print this help and exit");
  app_.set_version_flag("--version", name + " " + Version(), "Print the version and exit");
  auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(34);
  app_.formatter(std::move(formatter));
  const std::string group = "Common";
  app_.add_flag("-v,--verbose", common_.verbosity, "Say more; twice or thrice: more still")->group(group);
  app_.add_flag("-q,--quiet", common_.quiet, "Say nothing but errors")->group(group);
  // A flag with an optional value: --json FILE would swallow a positional argument, so the value needs '='.
  app_.add_flag("--json{-}", common_.json, "Write the results as JSON to stdout, or with --json=FILE to a file")
      ->group(group)
      ->type_name("[=FILE]");
  app_.add_option("--progress", common_.progress, "Progress line on stderr: auto, on or off [auto]")
      ->transform(CLI::Transformer(std::map<std::string, ProgressMode>{
          {"auto", ProgressMode::kAuto}, {"on", ProgressMode::kOn}, {"off", ProgressMode::kOff}}))
      ->type_name("MODE")
      ->group(group);
}

int Tool::ReportUsage(const std::string& message, const std::string& hint) const {
  Complain(name_, Failure{message, hint.empty() ? name_ + " --help lists what it takes" : hint});
  return kExitUsage;
}

int Tool::Parse(int argc, const char* const* argv, bool& finished) {
  finished = true;
  try {
    app_.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version
    app_.exit(success);
    const Status flushed = FlushStdout();
    if (flushed.ok()) return kExitOk;
    Complain(name_, flushed.failure());
    return kExitUserError;
  } catch (const CLI::ExtrasError& error) {
    for (const std::string& argument : app_.remaining(true)) {
      if (!argument.starts_with('-')) continue;
      const std::string flag = argument.substr(0, argument.find('='));
      return ReportUsage("unknown flag " + flag, io::DidYouMean(flag, FlagNames(app_)));
    }
    return ReportUsage(error.what(), "");
  } catch (const CLI::ParseError& error) {
    return ReportUsage(error.what(), "");
  }
  finished = false;
  return kExitOk;
}

int Tool::Run(int argc, const char* const* argv, const std::function<Status()>& body) {
  try {
    bool finished = false;
    const int code = Parse(argc, argv, finished);
    if (finished) return code;
    HandleSignals(name_);
    SetUpLogging(name_, common_);
    Status status = body();
    if (status.ok()) status = FlushStdout();
    if (status.ok()) return kExitOk;
    std::fflush(stdout);
    Complain(name_, status.failure());
    return kExitUserError;
  } catch (const UsageException& usage) {
    return ReportUsage(usage.message, usage.hint);
  } catch (const std::bad_alloc&) {
    Complain(name_, Failure{"not enough memory", ""});
    return kExitUserError;
  } catch (const std::exception& exception) {
    Complain(name_, Failure{std::string("internal error: ") + exception.what(),
                            "this is a mistake in " + name_ + ", not in its input; please report it"});
    return kExitInternal;
  } catch (...) {
    Complain(name_, Failure{"internal error of unknown kind",
                            "this is a mistake in " + name_ + ", not in its input; please report it"});
    return kExitInternal;
  }
}

void Tool::Warn(const std::string& message) const {
  if (!common_.quiet) std::fprintf(stderr, "%s: warning: %s\n", name_.c_str(), message.c_str());
}

std::string JsonText(const nlohmann::ordered_json& document) {
  nlohmann::ordered_json whole;
  whole["schema"] = 1;
  whole.update(document);
  // Names out of hostile models need not be UTF-8: replaced, never thrown over.
  return whole.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Status PrintJson(const nlohmann::ordered_json& document) {
  const std::string text = JsonText(document);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return FlushStdout();
}

Status Tool::WriteJson(const nlohmann::ordered_json& document) const {
  if (!common_.json) return {};
  return *common_.json == "-" ? PrintJson(document) : WriteFileAtomically(*common_.json, JsonText(document));
}

}  // namespace xrun::tools
