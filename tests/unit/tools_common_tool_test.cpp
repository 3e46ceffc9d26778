#include "tools/common/tool.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "isa/atomic_file.h"
#include "tests/unit/io_test_util.h"
#include "tools/common/calibration_flags.h"

namespace xrun::tools {
namespace {

using io::testing::Put;
using io::testing::Slurp;
using io::testing::TemporaryDirectory;

struct Outcome {
  int code = -1;
  std::string out, err;
};

/// A small tool like xcompile, run with `arguments`.
Outcome RunTool(const std::vector<std::string>& arguments,
                const std::function<Status(Tool&, const CalibrationOptions&, const PreprocessFlags&)>& body = nullptr) {
  Tool tool("xdemo", "A tool for tests.");
  std::string model;
  CalibrationOptions calibration;
  PreprocessFlags preprocess;
  tool.app().add_option("MODEL", model, "The model")->required();
  AddCalibrationFlags(tool.app(), calibration, {"minmax", "mse"}, "mse");
  preprocess.AddTo(tool.app());
  std::vector<const char*> argv = {"xdemo"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = tool.Run(static_cast<int>(argv.size()), argv.data(),
                          [&]() -> Status { return body ? body(tool, calibration, preprocess) : Status(); });
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

TEST(Tool, HelpAndVersion) {
  const Outcome help = RunTool({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* flag : {"--calib ", "--calib-samples", "--preprocess", "--json", "--progress", "--quiet", "MODEL"}) {
    EXPECT_NE(help.out.find(flag), std::string::npos) << flag << "\n" << help.out;
  }
  for (const char* line :
       {"\n  --json[=FILE] ", "\n  --resize WxH[:MODE] ", "\n  --progress MODE ", "\n  -v, --verbose "}) {
    EXPECT_NE(help.out.find(line), std::string::npos) << line << "\n" << help.out;
  }
  EXPECT_EQ(help.err, "");
  EXPECT_EQ(RunTool({"-h"}).out, help.out);
  const Outcome version = RunTool({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out, std::string("xdemo ") + Version() + "\n");
}

TEST(Tool, ExitCodes) {
  EXPECT_EQ(RunTool({"m"}).code, 0);
  const Outcome failed = RunTool({"m"}, [](auto&&...) -> Status { return Failure{"m: is bad", "use a better one"}; });
  EXPECT_EQ(failed.code, 1);
  EXPECT_EQ(failed.err, "xdemo: error: m: is bad\n  hint: use a better one\n");
  const Outcome memory = RunTool({"m"}, [](auto&&...) -> Status { throw std::bad_alloc(); });
  EXPECT_EQ(memory.code, 1);
  EXPECT_EQ(memory.err, "xdemo: error: not enough memory\n");
  const Outcome internal = RunTool({"m"}, [](auto&&...) -> Status { throw std::runtime_error("oops"); });
  EXPECT_EQ(internal.code, 3);
  EXPECT_NE(internal.err.find("internal error: oops"), std::string::npos);
  EXPECT_EQ(RunTool({"m"}, [](auto&&...) -> Status { throw 1; }).code, 3);
  EXPECT_EQ(RunTool({"m"}, [](auto&&...) -> Status { UsageError("no"); }).code, 2);
}

TEST(Tool, UsageErrors) {
  EXPECT_EQ(RunTool({}).code, 2);
  const Outcome unknown = RunTool({"m", "--calip=x"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("unknown flag --calip"), std::string::npos) << unknown.err;
  EXPECT_NE(unknown.err.find("did you mean '--calib'?"), std::string::npos) << unknown.err;
  EXPECT_EQ(RunTool({"m", "extra"}).code, 2);
  EXPECT_EQ(RunTool({"m", "--calib"}).code, 2);
  EXPECT_EQ(RunTool({"m", "--calib-samples", "5"}).code, 2) << "needs --calib";
  EXPECT_EQ(RunTool({"m", "--calib", "d", "--calib-samples", "0"}).code, 2);
  EXPECT_EQ(RunTool({"m", "--calib-method", "best"}).code, 2);
  EXPECT_EQ(RunTool({"m", "--input-range", "2,1"}).code, 2);
  EXPECT_EQ(RunTool({"m", "--calib", "d", "--input-range", "-1,1"}).code, 2);
  for (const char* wrong : {"yes", "-1", "1001", "5%", ""}) {
    EXPECT_EQ(RunTool({"m", "--calib", "d", "--channel-copies", wrong}).code, 2) << wrong;
  }
  EXPECT_EQ(RunTool({"m", "--channel-copies", "on"}).code, 2) << "needs --calib";
  EXPECT_EQ(RunTool({"m", "--progress", "maybe"}).code, 2);
  EXPECT_EQ(RunTool({"m", "--resize", "1x1", "--preprocess", "p.json"}).code, 2);
}

TEST(Tool, ChannelCopiesArePercentages) {
  for (const auto& [text, percent] : {std::pair("on", 200.0), std::pair("off", 0.0), std::pair("120.5", 120.5)}) {
    const auto expect = [want = percent](Tool&, const CalibrationOptions& options, const PreprocessFlags&) -> Status {
      EXPECT_EQ(options.channel_copies, want);
      return {};
    };
    EXPECT_EQ(RunTool({"m", "--calib", "d", "--channel-copies", text}, expect).code, 0) << text;
  }
}

TEST(Tool, CalibrationAndPreprocessFlags) {
  const Outcome outcome = RunTool({"--calib", "a=x.npy", "m", "--calib=b=y.npy", "--calib-samples", "7", "--mean",
                                   "-0.5,-0.25,0", "--std=2", "--resize", "8x9:shortest", "--channel-order", "bgr"},
                                  [](Tool&, const CalibrationOptions& options, const PreprocessFlags& flags) -> Status {
                                    EXPECT_EQ(options.sources, (std::vector<std::string>{"a=x.npy", "b=y.npy"}));
                                    EXPECT_EQ(options.samples, 7);
                                    EXPECT_EQ(options.method, "mse");
                                    EXPECT_FALSE(options.input_range_given);
                                    EXPECT_TRUE(flags.given());
                                    XRUN_ASSIGN_OR_RETURN(const auto p, flags.Get());
                                    EXPECT_EQ(p.mean, (std::vector<float>{-0.5F, -0.25F, 0.0F}));
                                    EXPECT_EQ(p.std, std::vector<float>{2.0F});
                                    EXPECT_EQ(p.resize_height, 9);
                                    EXPECT_EQ(p.channel_order, io::ChannelOrder::kBgr);
                                    return {};
                                  });
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const Outcome range = RunTool({"m", "--input-range", "-1,3.5"},
                                [](Tool&, const CalibrationOptions& options, const PreprocessFlags& flags) -> Status {
                                  EXPECT_EQ(options.input_range, std::make_pair(-1.0F, 3.5F));
                                  EXPECT_FALSE(flags.given());
                                  EXPECT_EQ(*flags.Get(), io::Preprocess{});
                                  return {};
                                });
  EXPECT_EQ(range.code, 0) << range.err;
  const auto get = [](Tool&, const CalibrationOptions&, const PreprocessFlags& flags) -> Status {
    XRUN_RETURN_IF_ERROR(flags.Get());
    return {};
  };
  const Outcome wrong = RunTool({"m", "--crop", "12"}, get);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("--crop: crop '12' is not WIDTHxHEIGHT"), std::string::npos) << wrong.err;
  const Outcome absent = RunTool({"m", "--preprocess", "no/such.json"}, get);
  EXPECT_EQ(absent.code, 1);
  EXPECT_NE(absent.err.find("no/such.json"), std::string::npos) << absent.err;
}

TEST(Tool, JsonToStdoutOrFile) {
  const auto body = [](Tool& tool, auto&&...) -> Status { return tool.WriteJson({{"n", 3}, {"name", "a\xFFz"}}); };
  EXPECT_EQ(RunTool({"m"}, body).out, "");
  const Outcome to_stdout = RunTool({"--json", "m"}, [&](Tool& tool, auto&&...) -> Status {
    EXPECT_FALSE(tool.common().text());
    return body(tool);
  });
  EXPECT_EQ(to_stdout.out, "{\n  \"schema\": 1,\n  \"n\": 3,\n  \"name\": \"a\xEF\xBF\xBDz\"\n}\n");
  const TemporaryDirectory directory;
  const std::string path = directory / "out.json";
  const Outcome to_file = RunTool({"m", "--json=" + path}, [&](Tool& tool, auto&&...) -> Status {
    EXPECT_TRUE(tool.common().text());
    return body(tool);
  });
  EXPECT_EQ(to_file.code, 0) << to_file.err;
  EXPECT_EQ(to_file.out, "");
  EXPECT_EQ(Slurp(path), to_stdout.out);
  EXPECT_EQ(RunTool({"m", "--json=" + (directory / "no/out.json")}, body).code, 1);
}

TEST(Tool, VerbosityAndProgress) {
  const auto log = [](auto&&...) -> Status {
    spdlog::info("details");
    spdlog::warn("careful");
    return {};
  };
  EXPECT_EQ(RunTool({"m"}, log).err, "xdemo: warning: careful\n");
  EXPECT_EQ(RunTool({"m", "-v"}, log).err, "xdemo: info: details\nxdemo: warning: careful\n");
  EXPECT_EQ(RunTool({"m", "-q"}, log).err, "");
  RunTool({"m", "--progress", "on"}, [](Tool& tool, auto&&...) -> Status {
    EXPECT_EQ(tool.common().progress_mode(), ProgressMode::kOn);
    return {};
  });
  RunTool({"m", "-q", "--progress", "on", "-vv"}, [](Tool& tool, auto&&...) -> Status {
    EXPECT_EQ(tool.common().progress_mode(), ProgressMode::kOff);
    EXPECT_EQ(tool.common().verbosity, 2);
    return {};
  });
}

TEST(Tool, SignalsLeaveNoTemporaries) {
  const TemporaryDirectory directory;
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Tool tool("xdemo", "A tool for tests.");
      const char* argv[] = {"xdemo"};
      _exit(tool.Run(1, argv, [&]() -> Status {
        XRUN_ASSIGN_OR_RETURN(auto file, AtomicFile::Create(directory / "out", signal == SIGKILL));
        XRUN_RETURN_IF_ERROR(file.Write("half", 4));
        std::raise(signal);
        return file.Commit();
      }));
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_EQ(directory.entries(), 0U);
  }
}

}  // namespace
}  // namespace xrun::tools
