#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "isa/atomic_file.h"
#include "runtime/io/file.h"
#include "runtime/io/suggest.h"
#include "tests/unit/io_test_util.h"

namespace xrun::io {
namespace {

using testing::ExpectFailure;
using testing::Put;
using testing::Slurp;
using testing::TemporaryDirectory;

TEST(AtomicFile, ReplacesWholeOrNotAtAll) {
  const TemporaryDirectory directory;
  const std::string path = directory / "out";
  ASSERT_RESULT_OK(WriteFileAtomically(path, std::string_view("old")));
  for (const bool nameless : {true, false}) {
    auto file = AtomicFile::Create(path, nameless);
    ASSERT_RESULT_OK(file);
    ASSERT_RESULT_OK(file->Write("new", 3));
    EXPECT_EQ(Slurp(path), "old");
    EXPECT_EQ(directory.entries(), nameless ? 1U : 2U);
  }
  EXPECT_EQ(Slurp(path), "old");
  EXPECT_EQ(directory.entries(), 1U);
  ASSERT_RESULT_OK(WriteFileAtomically(path, std::string_view("new")));
  EXPECT_EQ(Slurp(path), "new");
  EXPECT_EQ(directory.entries(), 1U);
  auto named = AtomicFile::Create(path, false);
  ASSERT_RESULT_OK(named);
  ASSERT_RESULT_OK(named->Write("newer", 5));
  ASSERT_RESULT_OK(named->Commit());
  EXPECT_EQ(Slurp(path), "newer");
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(AtomicFile, KeepsPermissionsAndLinks) {
  const TemporaryDirectory directory;
  Put(directory / "real", "old");
  chmod((directory / "real").c_str(), 0640);
  std::filesystem::create_symlink("real", directory / "link");
  ASSERT_RESULT_OK(WriteFileAtomically(directory / "link", std::string_view("new")));
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_EQ(Slurp(directory / "real"), "new");
  struct stat info {};
  ASSERT_EQ(stat((directory / "real").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
}

TEST(AtomicFile, ReportsFullDisk) {
  ExpectFailure(WriteFileAtomically("/dev/full", std::string_view("x")), {"/dev/full", "No space left on device"});
  // A file size limit fails in the middle of a write to a regular file, as a full disk does.
  const TemporaryDirectory directory;
  Put(directory / "out", "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto status = WriteFileAtomically(directory / "out", std::string(5000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ExpectFailure(status, {"out", "after 1000 bytes", "too large", "unchanged"});
  EXPECT_EQ(Slurp(directory / "out"), "old");
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(AtomicFile, NamesWhatCannotBeWritten) {
  const TemporaryDirectory directory;
  ExpectFailure(WriteFileAtomically("", std::string_view("x")), {"empty"});
  ExpectFailure(WriteFileAtomically(directory.path(), std::string_view("x")), {"is a directory"});
  ExpectFailure(WriteFileAtomically(directory / "no/file", std::string_view("x")),
                {"no/file", "No such file", "must exist"});
  ExpectFailure(WriteFileAtomically(directory / std::string(5000, 'n'), std::string_view("x")), {"name too long"});
}

TEST(AtomicFile, SignalsRemoveTemporaries) {
  const TemporaryDirectory directory;
  {
    auto first = AtomicFile::Create(directory / "a", false);
    auto second = AtomicFile::Create(directory / "b", false);
    ASSERT_TRUE(first.ok() && second.ok());
    ASSERT_RESULT_OK(first->Commit());
    EXPECT_EQ(directory.entries(), 2U);
    RemoveTemporaries();
    EXPECT_EQ(directory.entries(), 1U);  // "a" is complete and stays
  }
  EXPECT_TRUE(std::filesystem::exists(directory / "a"));
  EXPECT_FALSE(std::filesystem::exists(directory / "b"));
}

TEST(ReadFile, RefusesOddFiles) {
  const TemporaryDirectory directory;
  ExpectFailure(ReadFile(directory / "absent"), {"absent", "No such file"});
  ExpectFailure(ReadFile("/dev/zero"), {"not a regular file"});
  Put(directory / "five", "12345");
  ExpectFailure(ReadFile(directory / "five", 4), {"five", "5 bytes", "limit of 4"});
  const auto bytes = ReadFile(directory / "five", 5);
  ASSERT_RESULT_OK(bytes);
  EXPECT_EQ(bytes->size(), 5U);
}

TEST(DidYouMean, FindsSlipsOnly) {
  const std::vector<std::string> names = {"--calib", "--calib-samples", "--arch", "scale", "std"};
  EXPECT_EQ(DidYouMean("--claib", names), "did you mean '--calib'?");
  EXPECT_EQ(DidYouMean("--calib-sample", names), "did you mean '--calib-samples'?");
  EXPECT_EQ(DidYouMean("Scale", names), "did you mean 'scale'?");
  EXPECT_EQ(DidYouMean("sdt", names), "did you mean 'std'?");
  EXPECT_EQ(DidYouMean("mean", names), "");
  EXPECT_EQ(DidYouMean("", names), "");
  EXPECT_EQ(ListNames({"a", "b", "c"}, 2), "a, b, ... (3 in all)");
}

}  // namespace
}  // namespace xrun::io
