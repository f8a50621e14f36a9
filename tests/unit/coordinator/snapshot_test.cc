// Damage is found at the start; a snapshot shows one moment while the store goes on.
#include "coordinator/store/snapshot.h"

#include <gmock/gmock.h>

#include "common/files.h"
#include "common/sha256.h"
#include "tests/unit/coordinator/records.h"

namespace prefixmem::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SnapshotTest : public StoreTest {
 protected:
  std::string add_blob(const std::string& content) {
    auto writer = store().blobs().begin();
    EXPECT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->write(content).ok());
    EXPECT_TRUE((*writer)->finish(sha256_hex(content)).ok());
    return sha256_hex(content);
  }
  // Many pages of events, so that a copy takes several pieces.
  void fill() {
    ASSERT_TRUE(write([](Transaction& t) {
                  for (int i = 1; i <= 3000; ++i) {
                    v1::JobEvent one = event("job-1", i);
                    one.mutable_state()->set_reason(std::string(4000, 'x'));
                    t.add_event(one);
                  }
                }).ok());
  }
  std::unique_ptr<Snapshot> begin() {
    auto snapshot = store().begin_snapshot();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status().message();
    return std::move(snapshot).value();
  }
  static int finish(Snapshot& snapshot) {
    for (int pieces = 1;; ++pieces) {
      const auto done = snapshot.copy_more();
      EXPECT_TRUE(done.ok()) << done.status().message();
      if (!done.ok() || *done) return pieces;
    }
  }
};

TEST_F(SnapshotTest, ShowsTheMomentOfItsBeginning) {
  fill();
  const auto snapshot = begin();
  int64_t number = 3000;
  int pieces = 1;
  for (; !*snapshot->copy_more(); ++pieces) {
    EXPECT_GT(snapshot->copied_pages(), 0);
    EXPECT_LT(snapshot->copied_pages(), snapshot->pages());
    number += 1;
    ASSERT_TRUE(write([&](Transaction& t) { t.add_event(event("job-1", number)); }).ok());
  }
  EXPECT_GE(pieces, 3) << "nothing was written while it was made";
  const auto copied = Reader::open(snapshot->file());
  ASSERT_TRUE(copied.ok());
  EXPECT_EQ((*copied)->events("job-1", 1, 10000)->size(), 3000u);
  EXPECT_EQ(reader().events("job-1", 1, 10000)->size(), static_cast<size_t>(number));
}

TEST_F(SnapshotTest, KeepsTheFilesThatItNamesAndLetsThemGoAfterwards) {
  const std::string old = add_blob("old"), newer = add_blob("new");
  ASSERT_TRUE(write([&](Transaction& t) {
                t.add_artifact("job-1", artifact("checkpoints/1", old, 1));
              }).ok());
  auto snapshot = begin();
  ASSERT_TRUE(write([&](Transaction& t) {
                t.add_artifact("job-1", artifact("checkpoints/2", newer, 2));
                t.keep_newest_checkpoints("job-1", 1);
              }).ok());
  finish(*snapshot);
  EXPECT_EQ(*snapshot->blobs(), std::set<std::string>{old});
  EXPECT_TRUE(store().blobs().read(old).ok());
  const fs::path file = snapshot->file();
  snapshot.reset();
  EXPECT_EQ(store().blobs().read(old).status().code(), Code::kNotFound);
  EXPECT_TRUE(store().blobs().read(newer).ok());
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(SnapshotTest, AFileThatCameAgainMeanwhileStays) {
  const std::string file = add_blob("content");
  ASSERT_TRUE(write([&](Transaction& t) {
                t.add_artifact("job-1", artifact("checkpoints/1", file, 1));
              }).ok());
  auto snapshot = begin();
  EXPECT_FALSE(*store().blobs().remove(file));
  add_blob("content");
  snapshot.reset();
  EXPECT_TRUE(store().blobs().read(file).ok());
}

TEST_F(SnapshotTest, WhatACrashLeftOfOneIsGoneAfterTheNextStart) {
  const fs::path left = path() / Snapshot::kFolder / "snapshot-1.db";
  ASSERT_TRUE(write_file_atomic(left, "half").ok());
  reopen();
  EXPECT_FALSE(fs::exists(left));
}

class Damage : public SnapshotTest {
 protected:
  // A second store's folder with a database of these bytes.
  Status open_with(const std::string& bytes) const {
    const fs::path folder = path().parent_path() / "other";
    EXPECT_TRUE(make_folders(folder).ok());
    EXPECT_TRUE(write_file_atomic(folder / "coordinator.db", bytes).ok());
    return Store::open(folder).status();
  }
  std::string bytes_when_closed() {
    fill();
    auto snapshot = begin();
    finish(*snapshot);
    return *read_file(snapshot->file());
  }
};

TEST_F(Damage, APageThatIsOverwrittenKeepsTheStoreFromOpening) {
  std::string bytes = bytes_when_closed();
  bytes.replace(bytes.size() / 2, 4096, 4096, '\xff');
  const Status refused = open_with(bytes);
  EXPECT_EQ(refused.code(), Code::kDataLoss);
  const fs::path folder = path().parent_path() / "other";
  EXPECT_THAT(refused.message(),
              testing::StartsWith((folder / "coordinator.db").string() + " is damaged ("));
  EXPECT_THAT(refused.message(),
              HasSubstr("); put a backup in its place with pmt admin restore BACKUP --data-dir " +
                        folder.string()));
  EXPECT_EQ(*read_file(folder / "coordinator.db"), bytes) << "it was changed";
}

TEST_F(Damage, AnIndexThatDisagreesWithItsTableIsFound) {
  ASSERT_TRUE(write([](Transaction& t) {
                JobRecord job = job_record("job-findme");
                t.insert_job(job);
              }).ok());
  auto snapshot = begin();
  finish(*snapshot);
  std::string bytes = *read_file(snapshot->file());
  const size_t at = bytes.find("job-findme");  // of the row or of the index: one of the two
  ASSERT_NE(at, std::string::npos);
  bytes[at + 4] = 'F';
  EXPECT_EQ(open_with(bytes).code(), Code::kDataLoss);
}

TEST_F(Damage, AFileThatIsCutOffKeepsTheStoreFromOpening) {
  const std::string bytes = bytes_when_closed();
  EXPECT_EQ(open_with(bytes.substr(0, bytes.size() / 2)).code(), Code::kDataLoss);
}

TEST_F(Damage, AFileThatIsNoDatabaseKeepsTheStoreFromOpening) {
  const Status refused = open_with(std::string(4096, 'x'));
  EXPECT_EQ(refused.code(), Code::kDataLoss);
  EXPECT_THAT(refused.message(), HasSubstr("file is not a database"));
  EXPECT_THAT(refused.message(), HasSubstr("pmt admin restore"));
}

TEST_F(Damage, ARestoreThatWasCutOffKeepsTheStoreFromOpening) {
  const fs::path folder = path().parent_path() / "other";
  ASSERT_TRUE(make_folders(folder).ok());
  ASSERT_TRUE(write_file_atomic(folder / Store::kRestoring, "").ok());
  const Status refused = Store::open(folder).status();
  EXPECT_EQ(refused.to_string(),
            "FAILED_PRECONDITION: " + (folder / "restoring").string() +
                " is there: a restore of this folder was cut off; run it again with pmt admin "
                "restore BACKUP --data-dir " +
                folder.string());
}

}  // namespace
}  // namespace prefixmem::store
