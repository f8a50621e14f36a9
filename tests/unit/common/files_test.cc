#include "common/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "tests/unit/common/temp_folder.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;

size_t count_entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST(WriteFileAtomic, ReplacesTheWholeFileAndLeavesNothingElse) {
  const TempFolder folder;
  const fs::path file = folder.path() / "a";
  const std::string long_text(3 << 20, 'x');
  ASSERT_TRUE(write_file_atomic(file, long_text).ok());
  EXPECT_EQ(*read_file(file), long_text);
  ASSERT_TRUE(write_file_atomic(file, std::string_view("a\0b", 3)).ok());
  EXPECT_EQ(*read_file(file), std::string("a\0b", 3));
  EXPECT_EQ(count_entries(folder.path()), 1u);
}

TEST(WriteFileAtomic, FailsWithoutAFolderAndNamesTheFile) {
  const TempFolder folder;
  const Status status = write_file_atomic(folder.path() / "none" / "a", "x");
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_NE(status.message().find("none/a"), std::string::npos);
}

TEST(WriteFileAtomic, AFullDiskLeavesTheOldFile) {
  const TempFolder folder;
  const fs::path file = folder.path() / "a";
  ASSERT_TRUE(write_file_atomic(file, "old").ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const Status status = write_file_atomic(file, std::string(5000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(*read_file(file), "old");
  EXPECT_EQ(count_entries(folder.path()), 1u);
}

TEST(PublishFile, RenamesAStreamedFile) {
  const TempFolder folder;
  std::ofstream(folder.path() / "a.tmp") << "streamed";
  ASSERT_TRUE(publish_file(folder.path() / "a.tmp", folder.path() / "a").ok());
  EXPECT_EQ(*read_file(folder.path() / "a"), "streamed");
  EXPECT_EQ(count_entries(folder.path()), 1u);
}

TEST(ReadFile, SaysWhyNot) {
  const TempFolder folder;
  const fs::path file = folder.path() / "a";
  EXPECT_EQ(read_file(file).status().code(), Code::kNotFound);
  EXPECT_EQ(read_file(folder.path()).status().message(),
            folder.path().string() + " is a folder; allowed: a file");
  ASSERT_TRUE(write_file_atomic(file, "12345").ok());
  EXPECT_TRUE(read_file(file, 5).ok());
  EXPECT_EQ(read_file(file, 4).status().message(),
            file.string() + " is too long; allowed: at most 4 bytes");
  EXPECT_EQ(read_file("/dev/zero", 100000).status().code(), Code::kResourceExhausted);
}

TEST(WriteAll, NamesTheTargetInAFailure) {
  const Fd reader(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(
      write_all(reader.get(), "x", "null device").message().starts_with("writing null device: "));
}

TEST(MakeFolders, MakesParentsAndAcceptsWhatIsThere) {
  const TempFolder folder;
  EXPECT_TRUE(make_folders(folder.path() / "a" / "b").ok());
  EXPECT_TRUE(make_folders(folder.path() / "a" / "b").ok());
  ASSERT_TRUE(write_file_atomic(folder.path() / "file", "x").ok());
  EXPECT_FALSE(make_folders(folder.path() / "file" / "c").ok());
}

TEST(IsInside, GoesByWholeNames) {
  EXPECT_TRUE(is_inside("/a/b", "/a/b"));
  EXPECT_TRUE(is_inside("/a/b/c", "/a/b"));
  EXPECT_FALSE(is_inside("/a/bc", "/a/b"));
  EXPECT_FALSE(is_inside("/a", "/a/b"));
}

TEST(FileLock, HasOneHolder) {
  const TempFolder folder;
  const fs::path file = folder.path() / "lock";
  {
    auto held = FileLock::acquire(file);
    ASSERT_TRUE(held.ok());
    const FileLock moved = std::move(held).value();
    EXPECT_EQ(FileLock::acquire(file).status().message(),
              file.string() + " is locked by another process");
  }
  EXPECT_TRUE(FileLock::acquire(file).ok());
}

TEST(Fd, ClosesOnce) {
  Fd a(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = a.get();
  Fd b(std::move(a));
  EXPECT_EQ(b.get(), number);
  b.reset();
  EXPECT_FALSE(b.valid());
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace prefixmem
