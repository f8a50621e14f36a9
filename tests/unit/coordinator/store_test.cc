// Opening, and what a transaction promises.
#include "coordinator/store/store.h"

#include <gtest/gtest.h>

#include <array>

#include "coordinator/store/schema.h"
#include "tests/unit/coordinator/records.h"

namespace prefixmem::store {
namespace {

// Makes a store as the program of that schema version left it.
std::string back_to(int version) {
  static constexpr std::array<const char*, kSchemaVersion - 1> kUndone = {
      "DROP INDEX artifacts_by_digest;",              // from 2 to 1
      "ALTER TABLE jobs DROP COLUMN furthest_step;",  // from 3 to 2, …
      "ALTER TABLE attempts DROP COLUMN gang; ALTER TABLE jobs DROP COLUMN bank_limit;",
      "DROP TABLE sweeps;",
      "ALTER TABLE jobs RENAME COLUMN stop_reason TO cancel_reason;"
      " ALTER TABLE jobs DROP COLUMN stop_code;",
      "ALTER TABLE jobs DROP COLUMN run_ms;",
      "DROP TABLE tokens;"};
  std::string script;
  for (int from = kSchemaVersion; from > version; --from) {
    script += kUndone.at(static_cast<size_t>(from) - 2);
  }
  return script + " PRAGMA user_version = " + std::to_string(version) + ";";
}

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
    EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
    EXPECT_EQ(refused.message(),
              (folder / "coordinator.db").string() + ": the store has schema version " +
                  std::to_string(kSchemaVersion + 1) + ", this program knows versions up to " +
                  std::to_string(kSchemaVersion));
  }
}

TEST_F(StoreTest, AnOlderSchemaIsBroughtUpAndKeepsWhatItHolds) {
  ASSERT_TRUE(write([](Transaction& t) { t.add_artifact("job-1", artifact("c/1", "aa")); }).ok());
  {
    auto other = Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute(back_to(1)).ok());
  }
  reopen();
  EXPECT_EQ(reader().artifacts("job-1")->size(), 1u);
  auto other = Database::open(database());
  ASSERT_TRUE(other.ok());
  EXPECT_TRUE(other->execute("DROP INDEX artifacts_by_digest").ok()) << "it is there again";
  JobRecord job = job_record("job-1");
  job.furthest_step = 9;
  ASSERT_TRUE(write([&](Transaction& t) { t.insert_job(job); }).ok());
  EXPECT_EQ(reader().unfinished_jobs()->at(0).furthest_step, 9);
}

TEST_F(StoreTest, AnAttemptOfBeforeGangsWereNamedHasOneOfItsOwn) {
  ASSERT_TRUE(write([](Transaction& t) {
                t.put_attempt({.job_id = "job-1", .attempt = 2, .worker_id = "w", .gang = "g"});
                t.put_attempt({.job_id = "job-2", .attempt = 1, .worker_id = "w", .gang = "g"});
                JobRecord job = job_record("job-1");
                job.bank_limit = 4;
                t.insert_job(job);
              }).ok());
  EXPECT_EQ((*reader().attempt("job-2", 1))->gang, "g");
  EXPECT_EQ(reader().unfinished_jobs()->at(0).bank_limit, 4);
  {
    auto other = Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute(back_to(3)).ok());
  }
  reopen();
  EXPECT_EQ((*reader().attempt("job-1", 2))->gang, "job-1/2");
  EXPECT_EQ((*reader().attempt("job-2", 1))->gang, "job-2/1");
  EXPECT_EQ((*reader().attempt("job-2", 1))->worker_id, "w");
  EXPECT_EQ(reader().unfinished_jobs()->at(0).bank_limit, 0);
}

TEST_F(StoreTest, AStoreOfBeforeSweepsHadRowsTakesThemAndKeepsItsJobs) {
  ASSERT_TRUE(write([](Transaction& t) {
                JobRecord job = job_record("job-1");
                job.job.set_sweep_id("sweep-1");
                t.insert_job(job);
              }).ok());
  {
    auto other = Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute(back_to(4)).ok());
  }
  reopen();
  EXPECT_FALSE(reader().sweep("sweep-1")->has_value());
  EXPECT_EQ(reader().trials("sweep-1")->size(), 1u);
  v1::Sweep sweep;
  sweep.set_id("sweep-2");
  ASSERT_TRUE(write([&](Transaction& t) { t.insert_sweep(sweep); }).ok());
  EXPECT_TRUE(reader().sweep("sweep-2")->has_value());
}

TEST_F(StoreTest, AJobThatWasToBeCancelledStillIs) {
  ASSERT_TRUE(write([](Transaction& t) {
                for (const char* id : {"job-1", "job-2"}) {
                  JobRecord job = job_record(id);
                  if (job.job.id() == "job-2") job.stop = cancelled("cancelled by a client");
                  t.insert_job(job);
                }
              }).ok());
  {
    auto other = Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute(back_to(5)).ok());
  }
  reopen();
  const auto jobs = reader().unfinished_jobs();
  EXPECT_EQ(jobs->at(0).stop.to_string(), "OK");
  EXPECT_EQ(jobs->at(1).stop.to_string(), "CANCELLED: cancelled by a client");
}

TEST_F(StoreTest, TheTimeOfEndedAttemptsIsCounted) {
  ASSERT_TRUE(write([](Transaction& t) {
                for (const char* id : {"job-1", "job-2"}) {
                  JobRecord job = job_record(id);
                  t.insert_job(job);
                }
                const auto at = [](int64_t seconds) { return from_unix_millis(seconds * 1000); };
                AttemptRecord attempt{.job_id = "job-1", .attempt = 1, .worker_id = "w"};
                attempt.start = at(100);
                attempt.end = at(130);
                t.put_attempt(attempt);
                attempt.attempt = 2;
                attempt.start = at(200);
                attempt.end = at(190);  // the clock was set
                t.put_attempt(attempt);
                attempt.attempt = 3;
                attempt.start = at(300);
                attempt.end = {};
                t.put_attempt(attempt);
              }).ok());
  {
    auto other = Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute(back_to(6)).ok());
  }
  reopen();
  EXPECT_EQ(reader().unfinished_jobs()->at(0).run_time, Millis(30000));
  EXPECT_EQ(reader().unfinished_jobs()->at(1).run_time, Millis(0));
}

TEST_F(StoreTest, AStoreOfBeforeTokensTakesThem) {
  {
    auto other = Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute(back_to(7)).ok());
  }
  reopen();
  EXPECT_TRUE(reader().tokens()->empty());
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

TEST(Store, AFileThatIsNoDatabaseIsDataLoss) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomic(folder.path() / "coordinator.db", std::string(4096, 'x')).ok());
  const Status status = Store::open(folder.path()).status();
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_NE(status.message().find("file is not a database"), std::string::npos) << status.message();
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
