// Opening, and what a transaction promises.
#include "coordinator/store/store.h"

#include <gtest/gtest.h>

#include <map>

#include "coordinator/store/schema.h"
#include "tests/unit/coordinator/records.h"

namespace prefixmem::store {
namespace {

TEST_F(StoreTest, HasOneOwner) {
  const auto second = Store::open(path());
  EXPECT_EQ(second.status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(second.status().message(),
            (path() / "lock").string() + " is locked by another process");
}

TEST_F(StoreTest, ANewerSchemaIsRefusedAndLeftAlone) {
  const std::string newer = "PRAGMA user_version = " + std::to_string(kSchemaVersion + 1);
  {
    auto other = Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute(newer).ok());
  }
  const auto folder = path().parent_path() / "copy";
  std::filesystem::copy(path(), folder);
  for (int i = 0; i < 2; ++i) {
    const Status refused = Store::open(folder).status();
    EXPECT_EQ(refused.code(), Code::kInvalidArgument);
    EXPECT_EQ(refused.message(),
              (folder / "coordinator.db").string() + ": the store has schema version " +
                  std::to_string(kSchemaVersion + 1) + ", this program knows versions up to " +
                  std::to_string(kSchemaVersion));
  }
}

TEST_F(StoreTest, ATokenThatChangesStaysInItsPlace) {
  auth::TokenRecord first{"aa", {}}, second{"bb", {}};
  first.token.set_id("token-1");
  second.token.set_id("token-2");
  ASSERT_TRUE(write([&](Transaction& t) {
                t.put_token(first);
                t.put_token(second);
              }).ok());
  first.token.set_name("changed");
  ASSERT_TRUE(write([&](Transaction& t) { t.put_token(first); }).ok());
  const auto found = *reader().tokens();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].sha256, "aa");
  EXPECT_EQ(found[0].token.name(), "changed") << "it stays in its place";
  EXPECT_EQ(found[1].token.id(), "token-2");
}

TEST_F(StoreTest, ATenantHasTheBytesOfTheFilesOfItsJobs) {
  const auto stored = [&] {
    std::map<std::string, int64_t> bytes;
    const auto records = reader().tenants();
    EXPECT_TRUE(records.ok());
    for (const TenantRecord& record : *records) {
      bytes[record.tenant.name()] = record.stored_bytes;
    }
    return bytes;
  };
  using Bytes = std::map<std::string, int64_t>;
  auth::TokenRecord token{"aa", {}};
  token.token.set_tenant("vision");
  JobRecord theirs = job_record("job-1"), nobodys = job_record("job-2");
  theirs.job.set_tenant("vision");
  const auto add = [](Transaction& t, const std::string& job, int64_t step, int64_t bytes) {
    v1::Artifact file = artifact("c/" + std::to_string(step), std::to_string(bytes), step);
    file.set_bytes(bytes);
    t.add_artifact(job, file);
  };
  ASSERT_TRUE(write([&](Transaction& t) {
                t.put_token(token);
                t.insert_job(theirs);
                t.insert_job(nobodys);
                add(t, "job-1", 1, 10);
                add(t, "job-1", 2, 100);
                add(t, "job-1", 2, 100);  // the same again
                add(t, "job-2", 1, 5);
              }).ok());
  EXPECT_EQ(stored(), (Bytes{{"default", 5}, {"vision", 110}}));
  ASSERT_TRUE(write([&](Transaction& t) { t.keep_newest_checkpoints("job-1", 1); }).ok());
  EXPECT_EQ(stored(), (Bytes{{"default", 5}, {"vision", 100}}));
  v1::Tenant set;
  set.set_name("vision");
  set.set_weight(3);
  ASSERT_TRUE(write([&](Transaction& t) {
                t.put_tenant(set);
                t.put_usage({set, 0, 1.5, from_unix_millis(7)});
              }).ok());
  const auto vision = reader().tenants()->at(1);
  EXPECT_EQ(vision.tenant.weight(), 3);
  EXPECT_EQ(vision.stored_bytes, 100) << "what is set leaves what is counted";
  EXPECT_EQ(vision.recent_slots, 1.5);
  EXPECT_EQ(vision.used, from_unix_millis(7));
}

TEST(Store, ADatabaseThatCannotHaveAWriteAheadLogIsRefused) {
  auto database = Database::open(":memory:");
  ASSERT_TRUE(database.ok());
  EXPECT_EQ(prepare_schema(*database).to_string(),
            "FAILED_PRECONDITION: journal_mode is memory; allowed: wal (the file system must be "
            "able to share memory)");
}

TEST(Store, AFolderThatCannotBeMadeIsNamed) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.path() / "file", "x").ok());
  const Status status = Store::open(folder.path() / "file" / "data").status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find((folder.path() / "file").string()), std::string::npos);
}

TEST_F(StoreTest, ATransactionWithoutCommitLeavesNoTrace) {
  {
    Transaction transaction(store());
    JobRecord job = job_record("job-1");
    transaction.insert_job(job);
    transaction.add_event(event("job-1", 1));
  }
  EXPECT_FALSE(reader().job("job-1")->has_value());
  EXPECT_TRUE(reader().events("job-1", 1, 10)->empty());
  EXPECT_TRUE(write([](Transaction& t) { t.add_event(event("job-1", 1)); }).ok());
}

TEST_F(StoreTest, NothingIsSeenBeforeTheCommitAndAllAfterIt) {
  Transaction transaction(store());
  JobRecord job = job_record("job-1");
  transaction.insert_job(job);
  EXPECT_FALSE(reader().job("job-1")->has_value());
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_TRUE(reader().job("job-1")->has_value());
}

TEST_F(StoreTest, TheFirstFailureIsKeptAndUndoesAll) {
  ASSERT_TRUE(write([](Transaction& t) { t.add_event(event("job-1", 1)); }).ok());
  const Status failed = write([](Transaction& t) {
    t.add_event(event("job-1", 2));
    t.add_event(event("job-1", 1));  // a number twice
    t.add_event(event("job-1", 3));
    t.put_worker({});
  });
  EXPECT_EQ(failed.code(), Code::kInternal);
  EXPECT_EQ(failed.message(), "store " + database().string() +
                                  ": UNIQUE constraint failed: events.job_id, events.number");
  EXPECT_EQ(reader().events("job-1", 1, 10)->size(), 1u);
  EXPECT_TRUE(reader().workers()->empty());
}

TEST_F(StoreTest, AfterAFailedWriteEveryFurtherOneIsRefusedWithTheSameReason) {
  const auto twice = [](Transaction& t) {
    t.add_event(event("job-1", 1));
    t.add_event(event("job-1", 1));
  };
  const Status failed = write(twice);
  ASSERT_FALSE(failed.ok());
  const Status further = write([](Transaction& t) { t.add_event(event("job-2", 1)); });
  EXPECT_EQ(further.to_string(), failed.to_string());
  EXPECT_TRUE(reader().events("job-2", 1, 10)->empty());
  reopen();
  EXPECT_TRUE(reader().events("job-1", 1, 10)->empty());
  EXPECT_TRUE(write([](Transaction& t) { t.add_event(event("job-2", 1)); }).ok());
}

// As a full disk does: SQLite has rolled back by itself before the failure is seen.
TEST_F(StoreTest, AWriteThatEndedItsTransactionIsAFailureLikeAnyOther) {
  auto other = Database::open(database());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other
                  ->execute("CREATE TRIGGER full BEFORE INSERT ON workers BEGIN"
                            " SELECT RAISE(ROLLBACK, 'no space'); END")
                  .ok());
  const Status failed = write([](Transaction& t) {
    t.add_event(event("job-1", 1));
    t.put_worker({});
    t.add_event(event("job-1", 2));
  });
  EXPECT_EQ(failed.message(), "store " + database().string() + ": no space");
  EXPECT_TRUE(reader().events("job-1", 1, 10)->empty());
  EXPECT_EQ(write([](Transaction& t) { t.drop_worker("w"); }).to_string(), failed.to_string());
}

TEST_F(StoreTest, SurvivesReopening) {
  ASSERT_TRUE(write([](Transaction& t) {
                JobRecord job = job_record("job-1");
                t.insert_job(job);
                t.add_event(event("job-1", 1));
                t.add_artifact("job-1", artifact("checkpoints/1", "aa"));
                t.add_submission({"key", "digest", "", "job-1"});
              }).ok());
  reopen();
  EXPECT_TRUE(reader().job("job-1")->has_value());
  EXPECT_EQ(reader().events("job-1", 1, 10)->size(), 1u);
  EXPECT_EQ(reader().artifacts("job-1")->size(), 1u);
  EXPECT_TRUE(reader().submission("key")->has_value());
}

TEST_F(StoreTest, SequenceNumbersGoOnAfterReopening) {
  JobRecord first = job_record("job-1");
  JobRecord second = job_record("job-2");
  ASSERT_TRUE(write([&](Transaction& t) { t.insert_job(first); }).ok());
  reopen();
  ASSERT_TRUE(write([&](Transaction& t) { t.insert_job(second); }).ok());
  EXPECT_EQ(first.seq, 1);
  EXPECT_EQ(second.seq, 2);
}

}  // namespace
}  // namespace prefixmem::store
