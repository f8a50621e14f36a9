#include "coordinator/store/directory_blobs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "common/files.h"
#include "common/sha256.h"
#include "coordinator/store/s3/s3_blobs.h"
#include "tests/unit/common/full_disk.h"
#include "tests/unit/common/temp_folder.h"
#include "tests/unit/coordinator/s3_server.h"

namespace prefixmem::store {
namespace {

namespace fs = std::filesystem;

const std::string kContent = "the quick brown fox";
const std::string kDigest = sha256_hex(kContent);

enum class Kind { kFolder, kBucket };

// What all stores of blobs do.
class BlobsTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (in_bucket()) bucket_ = s3::S3Server::shared().fresh_options();
    open();
  }
  virtual bool in_bucket() const { return GetParam() == Kind::kBucket; }
  void open() {
    blobs_.reset();
    auto opened = in_bucket() ? s3::S3Blobs::open(bucket_, folder_.path())
                              : DirectoryBlobs::open(folder_.path());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    blobs_ = std::move(opened).value();
  }
  Status add(const std::string& content, const std::string& sha256) {
    PM_ASSIGN(const auto writer, blobs_->begin());
    PM_TRY(writer->write(content.substr(0, 5)));
    PM_TRY(writer->write(content.substr(5)));
    return writer->finish(sha256);
  }
  std::string read(const std::string& sha256, size_t most) {
    auto reader = blobs_->read(sha256);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    std::string content;
    for (std::string part = *(*reader)->read(most); !part.empty(); part = *(*reader)->read(most)) {
      EXPECT_LE(part.size(), most);
      content += part;
    }
    return content;
  }
  // On disk and in the bucket, but for what says whose they are.
  int files() const {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      const bool counts = entry.path().filename() != s3::S3Blobs::kIdentity;
      count += entry.is_regular_file() && counts ? 1 : 0;
    }
    if (!in_bucket()) return count;
    const auto listed = s3::Client(bucket_).list(bucket_.prefix);
    EXPECT_TRUE(listed.ok()) << listed.status().message();
    return count + static_cast<int>(listed->size()) - 1;
  }
  // A bucket removes objects a little later.
  void expect_files(int count) const {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (in_bucket() && files() > count && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(Millis(5));
    }
    EXPECT_EQ(files(), count);
  }

  const TempFolder folder_;
  s3::Options bucket_;
  std::unique_ptr<Blobs> blobs_;
};

INSTANTIATE_TEST_SUITE_P(All, BlobsTest, testing::Values(Kind::kFolder, Kind::kBucket),
                         [](const auto& info) {
                           return info.param == Kind::kFolder ? "Folder" : "Bucket";
                         });

class DirectoryBlobsTest : public BlobsTest {
  bool in_bucket() const override { return false; }
};

// Root may read every folder: for a while the test is nobody, who owns the given one.
class Unprivileged {
 public:
  explicit Unprivileged(const fs::path& folder) {
    if (geteuid() != 0) return;
    own(folder);
    for (const auto& entry : fs::recursive_directory_iterator(folder)) own(entry.path());
    EXPECT_EQ(seteuid(kNobody), 0);
    root_ = true;
  }
  ~Unprivileged() {
    if (root_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;

  static void own(const fs::path& path) { EXPECT_EQ(chown(path.c_str(), kNobody, kNobody), 0); }

  bool root_ = false;
};

TEST_P(BlobsTest, WhatWasWrittenIsReadBack) {
  ASSERT_TRUE(add(kContent, kDigest).ok());
  EXPECT_EQ(read(kDigest, 4), kContent);
  EXPECT_EQ(read(kDigest, 1000), kContent);
}

TEST_F(DirectoryBlobsTest, LieByTheirDigests) {
  ASSERT_TRUE(add(kContent, kDigest).ok());
  EXPECT_TRUE(fs::exists(folder_.path() / kDigest.substr(0, 2) / kDigest));
}

// Seen from outside: a folder that cannot be read cannot be synced.
TEST_F(DirectoryBlobsTest, ASubfolderThatIsThereIsSyncedBeforeItsFirstBlobCounts) {
  fs::create_directory(folder_.path() / kDigest.substr(0, 2));
  const Unprivileged unprivileged(folder_.path());
  fs::permissions(folder_.path(), fs::perms::owner_write | fs::perms::owner_exec);
  const Status status = add(kContent, kDigest);
  fs::permissions(folder_.path(), fs::perms::owner_all);
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(add(kContent, kDigest).ok());
}

TEST_P(BlobsTest, AnEmptyBlobIsABlob) {
  auto writer = blobs_->begin();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->finish(sha256_hex("")).ok());
  EXPECT_EQ(read(sha256_hex(""), 10), "");
}

TEST_P(BlobsTest, AnUnknownOneIsNotFound) {
  const Status status = blobs_->read(kDigest).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_NE(status.message().find(kDigest), std::string::npos);
}

TEST_P(BlobsTest, IsAbsentUntilItIsFinished) {
  auto writer = blobs_->begin();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->write(kContent).ok());
  EXPECT_EQ((*writer)->bytes(), static_cast<int64_t>(kContent.size()));
  EXPECT_EQ(blobs_->read(kDigest).status().code(), Code::kNotFound);
  ASSERT_TRUE((*writer)->finish(kDigest).ok());
  EXPECT_EQ(read(kDigest, 100), kContent);
}

TEST_P(BlobsTest, AnUnfinishedWriterRemovesWhatItWrote) {
  {
    auto writer = blobs_->begin();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->write(kContent).ok());
    expect_files(1);
  }
  expect_files(0);
}

TEST_P(BlobsTest, AnotherDigestThanAnnouncedIsDataLossAndLeavesNothing) {
  const std::string other = sha256_hex("other");
  const Status status = add(kContent, other);
  EXPECT_EQ(status.to_string(),
            "DATA_LOSS: content of 19 bytes has sha256 " + kDigest + ", announced was " + other);
  expect_files(0);
}

// A file in the way of a folder fails for root too, as a full disk does.
TEST_F(DirectoryBlobsTest, WhatTheDiskDoesNotTakeIsToBeTriedAgain) {
  auto writer = blobs_->begin();
  ASSERT_TRUE(writer.ok() && (*writer)->write(kContent).ok());
  const fs::path subfolder = folder_.path() / kDigest.substr(0, 2);
  ASSERT_TRUE(write_file_atomic(subfolder, "in the way").ok());
  const Status status = (*writer)->finish(kDigest);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(status.message().starts_with("the store takes no file: ")) << status.message();

  fs::remove_all(folder_.path() / "incoming");
  EXPECT_EQ(blobs_->begin().status().code(), Code::kUnavailable);
}

TEST_P(BlobsTest, WhatADiskThatFillsHasTakenGoesAgain) {
  const auto writer = blobs_->begin();
  ASSERT_TRUE(writer.ok());
  {
    const FullDisk disk(5);
    const Status status = (*writer)->write(kContent);
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_TRUE(status.message().starts_with("the store takes no file: ")) << status.message();
    EXPECT_TRUE(status.message().ends_with(": No space left on device")) << status.message();
  }
  expect_files(0);
  EXPECT_TRUE(add(kContent, kDigest).ok());
}

TEST_P(BlobsTest, TheSameContentTwiceIsOneBlob) {
  ASSERT_TRUE(add(kContent, kDigest).ok());
  auto reader = blobs_->read(kDigest);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(add(kContent, kDigest).ok());
  expect_files(1);
  EXPECT_EQ(*(*reader)->read(100), kContent) << "one being read is not disturbed";
}

TEST_P(BlobsTest, ARemovedOneIsGoneButForItsReaders) {
  ASSERT_TRUE(add(kContent, kDigest).ok());
  auto reader = blobs_->read(kDigest);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(blobs_->remove(kDigest).ok());
  EXPECT_EQ(blobs_->read(kDigest).status().code(), Code::kNotFound);
  EXPECT_EQ(*(*reader)->read(100), kContent);
  EXPECT_TRUE(blobs_->remove(kDigest).ok()) << "again";
}

TEST_P(BlobsTest, OneJustFinishedStaysAsLongAsItsWriterLives) {
  {
    auto first = blobs_->begin();
    auto second = blobs_->begin();
    ASSERT_TRUE(first.ok() && second.ok());
    ASSERT_TRUE((*first)->write(kContent).ok() && (*second)->write(kContent).ok());
    ASSERT_TRUE((*first)->finish(kDigest).ok() && (*second)->finish(kDigest).ok());
    const auto moved = std::move(first).value();
    ASSERT_TRUE(blobs_->remove(kDigest).ok());
    EXPECT_EQ(*blobs_->keep_only({}), 0);
    EXPECT_EQ(read(kDigest, 100), kContent);
  }
  ASSERT_TRUE(blobs_->remove(kDigest).ok());
  expect_files(0);
}

TEST_P(BlobsTest, KeepsOnlyWhatItIsTold) {
  ASSERT_TRUE(add(kContent, kDigest).ok());
  ASSERT_TRUE(add("something else", sha256_hex("something else")).ok());
  auto unfinished = blobs_->begin();
  ASSERT_TRUE(unfinished.ok());
  EXPECT_EQ(*blobs_->keep_only({kDigest, sha256_hex("not here")}), 1);
  EXPECT_EQ(read(kDigest, 100), kContent);
  ASSERT_TRUE((*unfinished)->write("late").ok());
  EXPECT_TRUE((*unfinished)->finish(sha256_hex("late")).ok());
}

TEST_P(BlobsTest, OpeningRemovesWhatACrashLeft) {
  ASSERT_TRUE(add(kContent, kDigest).ok());
  ASSERT_TRUE(write_file_atomic(folder_.path() / "incoming" / "blob-x.tmp", "half").ok());
  open();
  expect_files(1);
  EXPECT_EQ(read(kDigest, 100), kContent);
}

class ResumedBlobsTest : public BlobsTest {
 protected:
  Result<std::unique_ptr<BlobWriter>> resume(int64_t offset) {
    return blobs_->resume({kDigest, static_cast<int64_t>(kContent.size()), offset});
  }
  Status write(int64_t offset, const std::string& bytes) {
    PM_ASSIGN(const auto writer, resume(offset));
    return writer->write(bytes);
  }
};

INSTANTIATE_TEST_SUITE_P(All, ResumedBlobsTest, testing::Values(Kind::kFolder, Kind::kBucket),
                         [](const auto& info) {
                           return info.param == Kind::kFolder ? "Folder" : "Bucket";
                         });

TEST_P(ResumedBlobsTest, GoesOnAfterWhatIsThere) {
  ASSERT_TRUE(write(0, kContent.substr(0, 4)).ok());
  EXPECT_EQ(*blobs_->unfinished(kDigest), 4);
  open();
  EXPECT_EQ(*blobs_->unfinished(kDigest), 4) << "a restart keeps it";
  const auto writer = resume(4);
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ((*writer)->bytes(), 4);
  ASSERT_TRUE((*writer)->write(kContent.substr(4)).ok());
  ASSERT_TRUE((*writer)->finish(kDigest).ok());
  EXPECT_EQ(read(kDigest, 100), kContent);
  EXPECT_EQ(*blobs_->unfinished(kDigest), 0);
  expect_files(1);
}

TEST_P(ResumedBlobsTest, AnEarlierOffsetDropsWhatIsBehindIt) {
  ASSERT_TRUE(write(0, "the quack").ok());
  ASSERT_TRUE(write(6, kContent.substr(6, 3)).ok());
  EXPECT_EQ(*blobs_->unfinished(kDigest), 9);
  const auto writer = resume(9);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->write(kContent.substr(9)).ok());
  EXPECT_TRUE((*writer)->finish(kDigest).ok());
}

TEST_P(ResumedBlobsTest, ALaterOffsetIsRefused) {
  ASSERT_TRUE(write(0, "the").ok());
  EXPECT_EQ(resume(4).status().code(), Code::kFailedPrecondition);
}

TEST_P(ResumedBlobsTest, OneWriterOfADigestAtATime) {
  {
    const auto writer = resume(0);
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ(resume(0).status().code(), Code::kUnavailable);
  }
  EXPECT_TRUE(resume(0).ok());
}

TEST_P(ResumedBlobsTest, WrongContentLeavesNothingToGoOnFrom) {
  const auto writer = resume(0);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->write("something else of it").ok());
  EXPECT_EQ((*writer)->finish(kDigest).code(), Code::kDataLoss);
  expect_files(0);
}

TEST_P(ResumedBlobsTest, ADiskThatFillsLeavesNothingToGoOnFrom) {
  ASSERT_TRUE(write(0, kContent.substr(0, 4)).ok());
  {
    const FullDisk disk(5);
    const Status status = write(4, kContent.substr(4));
    EXPECT_EQ(status.code(), Code::kResourceExhausted) << "whoever goes on with it is told";
    EXPECT_TRUE(status.message().ends_with(": No space left on device")) << status.message();
  }
  EXPECT_EQ(*blobs_->unfinished(kDigest), 0);
  expect_files(0);
  EXPECT_TRUE(write(0, kContent).ok());
}

TEST_P(ResumedBlobsTest, OldPartsAreDroppedUnlessTheyAreWritten) {
  ASSERT_TRUE(write(0, "the").ok());
  EXPECT_EQ(*blobs_->drop_unfinished(Millis(3'600'000)), 0);
  {
    const auto writer = resume(3);
    EXPECT_EQ(*blobs_->drop_unfinished(Millis(0)), 0);
  }
  EXPECT_EQ(*blobs_->drop_unfinished(Millis(0)), 1);
  EXPECT_EQ(*blobs_->unfinished(kDigest), 0);
}

TEST_P(ResumedBlobsTest, KeepingOnlyOthersLeavesParts) {
  ASSERT_TRUE(write(0, "the").ok());
  EXPECT_EQ(*blobs_->keep_only({}), 0);
  EXPECT_EQ(*blobs_->unfinished(kDigest), 3);
}

TEST_P(BlobsTest, APinKeepsWhatIsThereAndWhatComes) {
  {
    const auto pin = blobs_->pin(kDigest);
    ASSERT_TRUE(add(kContent, kDigest).ok());
    EXPECT_FALSE(*blobs_->remove(kDigest));
    EXPECT_EQ(**blobs_->size(kDigest), static_cast<int64_t>(kContent.size()));
  }
  EXPECT_TRUE(*blobs_->remove(kDigest));
  EXPECT_FALSE(blobs_->size(kDigest)->has_value());
}

TEST_P(BlobsTest, IsReadFromAnOffset) {
  ASSERT_TRUE(add(kContent, kDigest).ok());
  const auto reader = blobs_->read(kDigest, 16);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->bytes(), 19);
  EXPECT_EQ(*(*reader)->read(100), "fox");
}

TEST_P(BlobsTest, WhoKeepsAllPutsRemovalOff) {
  ASSERT_TRUE(add(kContent, kDigest).ok() && add("other", sha256_hex("other")).ok());
  {
    const auto keeper = blobs_->keep_all();
    EXPECT_FALSE(*blobs_->remove(kDigest));
    EXPECT_FALSE(*blobs_->remove(sha256_hex("other")));
    EXPECT_TRUE(blobs_->size(kDigest)->has_value());
    ASSERT_TRUE(add("other", sha256_hex("other")).ok());
  }
  EXPECT_FALSE(blobs_->size(kDigest)->has_value());
  EXPECT_TRUE(blobs_->size(sha256_hex("other"))->has_value()) << "brought again";
  expect_files(1);
}

TEST_P(BlobsTest, OneThatComesAgainAsItGoesIsThere) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(add(kContent, kDigest).ok());
    ASSERT_TRUE(*blobs_->remove(kDigest));
    EXPECT_FALSE(blobs_->size(kDigest)->has_value());
  }
  ASSERT_TRUE(add(kContent, kDigest).ok());
  open();
  EXPECT_EQ(read(kDigest, 100), kContent);
}

}  // namespace
}  // namespace prefixmem::store
