// Which checkpoints stay, and which blobs go with those that do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/sha256.h"
#include "tests/unit/coordinator/records.h"

namespace prefixmem::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The checkpoint of step s of an attempt lies at "c/s".
class RetentionTest : public StoreTest {
 protected:
  std::unique_ptr<BlobWriter> upload(const std::string& content) {
    auto writer = store().blobs().begin();
    EXPECT_TRUE(writer.ok() && (*writer)->write(content).ok());
    EXPECT_TRUE((*writer)->finish(sha256_hex(content)).ok());
    return std::move(writer).value();
  }
  static void list(Transaction& transaction, const std::string& job, int64_t step,
                   const std::string& content, int attempt = 1) {
    transaction.add_artifact(
        job, artifact("c/" + std::to_string(step), sha256_hex(content), step, attempt));
  }
  void add(const std::string& job, int64_t step, const std::string& content, int attempt = 1) {
    upload(content);
    ASSERT_TRUE(write([&](Transaction& t) { list(t, job, step, content, attempt); }).ok());
  }
  Status keep(const std::string& job, int count) {
    return write([&](Transaction& t) { t.keep_newest_checkpoints(job, count); });
  }
  std::vector<std::string> listed(const std::string& job) {
    std::vector<std::string> paths;
    const auto artifacts = *reader().artifacts(job);
    for (const v1::Artifact& one : artifacts) paths.push_back(one.path());
    return paths;
  }
  bool there(const std::string& content) { return store().blobs().read(sha256_hex(content)).ok(); }
};

TEST_F(RetentionTest, TheNewestByStepStayAndTheBlobsOfTheOthersGo) {
  add("job-1", 10, "of 10");
  add("job-1", 30, "of 30");
  add("job-1", 20, "of 20");
  add("job-2", 5, "of 5");
  ASSERT_TRUE(keep("job-1", 2).ok());
  EXPECT_THAT(listed("job-1"), ElementsAre("c/20", "c/30"));
  EXPECT_FALSE(there("of 10"));
  EXPECT_TRUE(there("of 20") && there("of 30") && there("of 5"));
}

TEST_F(RetentionTest, OfTheSameStepTheLastListedStays) {
  add("job-1", 10, "first", 1);
  add("job-1", 10, "second", 2);
  ASSERT_TRUE(keep("job-1", 1).ok());
  EXPECT_FALSE(there("first"));
  EXPECT_TRUE(there("second"));
}

TEST_F(RetentionTest, OtherFilesStay) {
  upload("adapter");
  ASSERT_TRUE(write([](Transaction& t) {
                t.add_artifact("job-1",
                               artifact("adapter", sha256_hex("adapter"), 0, 1, "adapter"));
              }).ok());
  ASSERT_TRUE(keep("job-1", 0).ok());
  EXPECT_THAT(listed("job-1"), ElementsAre("adapter"));
  EXPECT_TRUE(there("adapter"));
}

TEST_F(RetentionTest, ABlobThatAnotherArtifactNamesStays) {
  add("job-1", 10, "shared");
  add("job-1", 20, "of 20");
  add("job-2", 10, "shared");
  ASSERT_TRUE(keep("job-1", 1).ok());
  EXPECT_THAT(listed("job-1"), ElementsAre("c/20"));
  EXPECT_TRUE(there("shared"));
  ASSERT_TRUE(keep("job-2", 0).ok());
  EXPECT_FALSE(there("shared"));
}

TEST_F(RetentionTest, OfAPathTheNewestVersionStays) {
  add("job-1", 10, "old", 1);
  add("job-1", 20, "other path");
  add("job-1", 10, "new", 2);
  add("job-2", 10, "other job");
  ASSERT_TRUE(write([](Transaction& t) { t.keep_newest_version("job-1", "c/10"); }).ok());
  EXPECT_FALSE(there("old"));
  EXPECT_TRUE(there("new") && there("other path") && there("other job"));
}

TEST_F(RetentionTest, ABlobThatTheSameTransactionListsStays) {
  add("job-1", 10, "shared");
  ASSERT_TRUE(write([](Transaction& t) {
                t.keep_newest_checkpoints("job-1", 0);
                list(t, "job-2", 10, "shared");
              }).ok());
  EXPECT_TRUE(there("shared"));
}

TEST_F(RetentionTest, ABlobJustUploadedAndNotYetListedStays) {
  add("job-1", 10, "shared");
  const auto again = upload("shared");
  ASSERT_TRUE(keep("job-1", 0).ok());
  ASSERT_TRUE(write([](Transaction& t) { list(t, "job-2", 10, "shared"); }).ok());
  EXPECT_TRUE(there("shared"));
}

TEST_F(RetentionTest, NothingGoesWithoutACommit) {
  add("job-1", 10, "of 10");
  {
    Transaction transaction(store());
    transaction.keep_newest_checkpoints("job-1", 0);
  }
  EXPECT_THAT(listed("job-1"), ElementsAre("c/10"));
  EXPECT_TRUE(there("of 10"));
}

TEST_F(RetentionTest, OpeningRemovesWhatNoArtifactNames) {
  add("job-1", 10, "listed");
  upload("refused");
  reopen();
  EXPECT_TRUE(there("listed"));
  EXPECT_FALSE(there("refused"));
  EXPECT_THAT(listed("job-2"), IsEmpty());
}

}  // namespace
}  // namespace prefixmem::store
