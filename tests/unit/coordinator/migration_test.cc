// A store of every released version is brought up and keeps all that it holds.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/proto/job_state.h"
#include "common/proto/timestamps.h"
#include "tests/unit/coordinator/records.h"
#include "tests/unit/coordinator/released_schemas.h"

namespace prefixmem::store {
namespace {

constexpr int64_t kSecond = 1000;

class Migration : public testing::TestWithParam<int> {
 protected:
  int version() const { return GetParam(); }
  bool since(int version) const { return GetParam() >= version; }

  // As the program of that version left it.
  void SetUp() override {
    ASSERT_TRUE(make_folders(path()).ok());
    auto opened = Database::open(path() / "coordinator.db");
    ASSERT_TRUE(opened.ok());
    Database& database = *opened;
    ASSERT_TRUE(database.execute("PRAGMA journal_mode = WAL;").ok());
    for (int i = 0; i < version(); ++i) {
      const char* script = kReleasedSchemas.at(static_cast<size_t>(i));
      ASSERT_TRUE(database.execute(script).ok()) << script;
    }
    ASSERT_TRUE(database.execute(fmt::format("PRAGMA user_version = {};", version())).ok());
    fill(database);
  }

  void fill(Database& database) {
    add_job(database, "job-1", v1::JOB_STATE_RUNNING, "");
    add_job(database, "job-2", v1::JOB_STATE_RUNNING, "cancelled by a client");
    add_job(database, "job-3", v1::JOB_STATE_SUCCEEDED, "");
    add_job(database, "job-0", v1::JOB_STATE_CANCELLED, "");  // while it waited
    add_attempt(database, "job-1", 1, 100 * kSecond, 130 * kSecond);
    add_attempt(database, "job-1", 2, 200 * kSecond, 190 * kSecond);  // the clock was set
    add_attempt(database, "job-1", 3, 300 * kSecond, 0);
    add_attempt(database, "job-2", 1, 300 * kSecond, 0);
    add_attempt(database, "job-3", 1, 300 * kSecond, 380 * kSecond);
    ASSERT_TRUE(database
                    .run("INSERT INTO events (job_id, number, is_log, body) VALUES (?, 1, 1, ?)",
                         "job-1", Blob{log_event("job-1", 1).SerializeAsString()})
                    .ok());
    const v1::Artifact file = artifact("checkpoints/1", std::string(64, 'a'), 1);
    ASSERT_TRUE(database
                    .run("INSERT INTO artifacts (job_id, attempt, path, sha256, kind, step, body)"
                         " VALUES (?, 1, ?, ?, 'checkpoint', 1, ?)",
                         "job-1", file.path(), file.sha256(), Blob{file.SerializeAsString()})
                    .ok());
    ASSERT_TRUE(database.run("INSERT INTO submissions VALUES ('key', 'digest', '', 'job-1')").ok());
    v1::Worker worker;
    worker.set_id("w");
    ASSERT_TRUE(
        database
            .run("INSERT INTO workers (id, body) VALUES ('w', ?)", Blob{worker.SerializeAsString()})
            .ok());
    if (since(5)) add_sweep(database);
    if (since(8)) add_token(database);
    if (since(9)) {
      ASSERT_TRUE(database
                      .run("INSERT INTO contents (sha256, bytes, use_ms) VALUES (?, 4, 0)",
                           std::string(64, 'c'))
                      .ok());
      v1::Model model;
      model.set_name("tiny");
      ASSERT_TRUE(
          database.run("INSERT INTO models VALUES ('tiny', ?)", Blob{model.SerializeAsString()})
              .ok());
    }
    if (since(10)) add_tenant(database);
    if (since(11)) add_told_model(database);
  }

  static WallTime end_of_job(const std::string& id) {
    return from_unix_millis(id == "job-3" ? 400 * kSecond : 900 * kSecond);
  }
  void add_job(Database& database, const std::string& id, v1::JobState state,
               const std::string& stop) {
    JobRecord record = job_record(id, "name-of-" + id, state);
    record.job.set_sweep_id("sweep-1");
    if (has_ended(state)) *record.job.mutable_end_time() = to_timestamp(end_of_job(id));
    ASSERT_TRUE(database
                    .run(since(6) ? "INSERT INTO jobs (id, name, sweep_id, state, retries,"
                                    " stop_reason, last_event, steps_timed, step_seconds, body)"
                                    " VALUES (?, ?, 'sweep-1', ?, 1, ?, 7, 3, 1.5, ?)"
                                  : "INSERT INTO jobs (id, name, sweep_id, state, retries,"
                                    " cancel_reason, last_event, steps_timed, step_seconds, body)"
                                    " VALUES (?, ?, 'sweep-1', ?, 1, ?, 7, 3, 1.5, ?)",
                         id, record.job.name(), static_cast<int>(state), stop,
                         Blob{record.job.SerializeAsString()})
                    .ok());
    if (since(6) && !stop.empty()) {
      ASSERT_TRUE(database.run("UPDATE jobs SET stop_code = 'CANCELLED' WHERE id = ?", id).ok());
    }
    if (since(7) && id == "job-1") {
      ASSERT_TRUE(database.run("UPDATE jobs SET run_ms = 30000 WHERE id = ?", id).ok());
    }
    if (since(13) && has_ended(state)) {
      ASSERT_TRUE(
          database
              .run("UPDATE jobs SET end_ms = ? WHERE id = ?", to_unix_millis(end_of_job(id)), id)
              .ok());
    }
    ASSERT_TRUE(
        database.run("INSERT INTO labels SELECT seq, 'k', 'v' FROM jobs WHERE id = ?", id).ok());
  }

  void add_attempt(Database& database, const std::string& job, int attempt, int64_t start,
                   int64_t end) {
    ASSERT_TRUE(database
                    .run("INSERT INTO attempts (job_id, attempt, worker_id, last_event, start_ms,"
                         " end_ms, code, message) VALUES (?, ?, 'w', 5, ?, ?, '', '')",
                         job, attempt, start, end)
                    .ok());
    if (!since(4)) return;
    ASSERT_TRUE(database
                    .run("UPDATE attempts SET gang = 'shared' WHERE job_id = ? AND attempt = ?",
                         job, attempt)
                    .ok());
  }

  static void add_sweep(Database& database) {
    v1::Sweep sweep;
    sweep.set_id("sweep-1");
    ASSERT_TRUE(database
                    .run("INSERT INTO sweeps (id, state, body) VALUES ('sweep-1', ?, ?)",
                         static_cast<int>(v1::SWEEP_STATE_RUNNING), Blob{sweep.SerializeAsString()})
                    .ok());
  }

  static void add_token(Database& database) {
    v1::Token token;
    token.set_id("token-1");
    ASSERT_TRUE(database
                    .run("INSERT INTO tokens (sha256, body) VALUES ('digest', ?)",
                         Blob{token.SerializeAsString()})
                    .ok());
  }

  static void add_tenant(Database& database) {
    v1::Tenant tenant;
    tenant.set_weight(3);
    tenant.mutable_quota()->set_slots(4);
    ASSERT_TRUE(database
                    .run("INSERT INTO tenants VALUES ('vision', 500, 1.5, 2000, ?)",
                         Blob{tenant.SerializeAsString()})
                    .ok());
  }

  static void add_told_model(Database& database) {
    v1::ModelConfig told;
    told.set_model("/old");
    ASSERT_TRUE(database
                    .run("INSERT INTO told_models VALUES ('sweep-1', '/old', ?)",
                         Blob{told.SerializeAsString()})
                    .ok());
  }

  // Every column of every table and every index.
  static std::vector<std::string> shape_of(const std::filesystem::path& folder) {
    std::vector<std::string> shape;
    auto database = Database::open(folder / "coordinator.db", /*read_only=*/true);
    EXPECT_TRUE(database.ok());
    const auto note = [&](const Row& row) {
      shape.push_back(row.text(0));
      return Status();
    };
    EXPECT_TRUE(database
                    ->query(note,
                            "SELECT format('%s.%s %s %d %s %d', t.name, c.name, c.type,"
                            " c.\"notnull\", coalesce(c.dflt_value, ''), c.pk) FROM sqlite_schema"
                            " AS t, pragma_table_info(t.name) AS c ORDER BY 1")
                    .ok());
    EXPECT_TRUE(database
                    ->query(note,
                            "SELECT name FROM sqlite_schema WHERE type IN ('index', 'trigger')"
                            " ORDER BY 1")
                    .ok());
    return shape;
  }

  int64_t end_of(const std::string& job_id) {
    int64_t end = -1;
    auto database = Database::open(path() / "coordinator.db", /*read_only=*/true);
    EXPECT_TRUE(database
                    ->query(
                        [&](const Row& row) {
                          end = row.integer(0);
                          return Status();
                        },
                        "SELECT end_ms FROM jobs WHERE id = ?", job_id)
                    .ok());
    return end;
  }

  void open() {
    auto opened = Store::open(path());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
  }
  Reader& reader() { return store_->reader(); }
  std::filesystem::path path() const { return folder_.path() / "data"; }

  const TempFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_P(Migration, GivesTheTablesOfANewStore) {
  open();
  const auto fresh = Store::open(folder_.path() / "fresh");
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(shape_of(path()), shape_of(folder_.path() / "fresh"));
}

TEST_P(Migration, KeepsJobsAndWhatWasAskedOfThem) {
  open();
  const auto jobs = reader().unfinished_jobs();
  ASSERT_TRUE(jobs.ok()) << jobs.status().message();
  ASSERT_EQ(jobs->size(), 2u);
  EXPECT_EQ(jobs->at(0).job.name(), "name-of-job-1");
  EXPECT_EQ(jobs->at(0).retries, 1);
  EXPECT_EQ(jobs->at(0).last_event, 7);
  EXPECT_EQ(jobs->at(0).steps_timed, 3);
  EXPECT_EQ(jobs->at(0).step_seconds, 1.5);
  EXPECT_EQ(jobs->at(0).run_time, Millis(30 * kSecond));
  EXPECT_EQ(jobs->at(0).stop.to_string(), "OK");
  EXPECT_EQ(jobs->at(1).stop.to_string(), "CANCELLED: cancelled by a client");
  EXPECT_EQ(jobs->at(1).run_time, Millis(0));
  EXPECT_EQ(reader().job("job-3").value()->state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(reader().list({.labels = {{"k", "v"}}}, 10)->jobs.size(), 4u);
}

TEST_P(Migration, KeepsAttemptsEventsAndFiles) {
  open();
  const auto attempt = *reader().attempt("job-1", 3);
  ASSERT_TRUE(attempt.has_value());
  EXPECT_EQ(attempt->worker_id, "w");
  EXPECT_EQ(attempt->last_event, 5);
  EXPECT_FALSE(attempt->end.has_value());
  EXPECT_EQ(attempt->gang, since(4) ? "shared" : "job-1/3") << "each had one of its own before";
  EXPECT_EQ(reader().logs("job-1", 1, 10)->size(), 1u);
  EXPECT_EQ(reader().newest_checkpoint("job-1").value()->path(), "checkpoints/1");
  EXPECT_EQ(reader().digests()->size(), since(9) ? 2u : 1u) << "of the file, and of content";
  EXPECT_EQ(reader().submission("key").value()->job_id, "job-1");
  EXPECT_EQ(reader().workers()->at(0).id(), "w");
}

TEST_P(Migration, KnowsWhenJobsEnded) {
  open();
  EXPECT_EQ(end_of("job-1"), 0);
  EXPECT_EQ(end_of("job-3"), 400 * kSecond);
  EXPECT_EQ(end_of("job-0"), 900 * kSecond);
}

TEST_P(Migration, KeepsSweepsTokensAndModelsWhereThereWereAny) {
  open();
  EXPECT_EQ(reader().trials("sweep-1")->size(), 4u);
  EXPECT_EQ(reader().sweep("sweep-1")->has_value(), since(5));
  EXPECT_EQ(reader().tokens()->size(), since(8) ? 1u : 0u);
  EXPECT_EQ(reader().models()->size(), since(9) ? 1u : 0u);
}

TEST_P(Migration, KeepsTenantsAndToldModelsWhereThereWereAny) {
  open();
  const auto tenants = *reader().tenants();
  ASSERT_EQ(tenants.size(), since(10) ? 2u : 1u);
  EXPECT_EQ(tenants[0].tenant.name(), "default");
  if (since(10)) {
    EXPECT_EQ(tenants[1].tenant.name(), "vision");
    EXPECT_EQ(tenants[1].tenant.weight(), 3);
    EXPECT_EQ(tenants[1].tenant.quota().slots(), 4);
    EXPECT_EQ(tenants[1].stored_bytes, 500);
    EXPECT_EQ(tenants[1].recent_slots, 1.5);
    EXPECT_EQ(tenants[1].used, from_unix_millis(2 * kSecond));
  }
  const auto told = *reader().told_models("sweep-1");
  ASSERT_EQ(told.size(), since(11) ? 1u : 0u);
  if (since(11)) {
    EXPECT_EQ(told[0].model(), "/old");
  }
}

TEST_P(Migration, TakesWhatIsNew) {
  open();
  JobRecord job = job_record("job-4");
  job.furthest_step = 9;
  job.bank_limit = 4;
  v1::Sweep sweep;
  sweep.set_id("sweep-2");
  Transaction transaction(*store_);
  transaction.insert_job(job);
  transaction.insert_sweep(sweep);
  v1::ModelConfig told;
  told.set_model("/m");
  transaction.add_told_model("sweep-2", told);
  transaction.put_token({"other", {}});
  transaction.add_content({std::string(64, 'd'), 5, {}});
  v1::Model model;
  model.set_name("new");
  transaction.insert_model(model);
  v1::Artifact file = artifact("checkpoints/9", std::string(64, 'b'), 9);
  file.set_bytes(1000);
  transaction.add_artifact("job-1", file);
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_EQ(reader().unfinished_jobs()->back().furthest_step, 9);
  EXPECT_EQ(reader().unfinished_jobs()->back().bank_limit, 4);
  EXPECT_TRUE(reader().sweep("sweep-2")->has_value());
  EXPECT_EQ(reader().told_models("sweep-2")->at(0).model(), "/m");
  EXPECT_EQ(*reader().content_bytes(std::string(64, 'd')), 5);
  EXPECT_TRUE(reader().model("new")->has_value());
  const auto tenants = *reader().tenants();
  ASSERT_FALSE(tenants.empty());
  EXPECT_EQ(tenants[0].tenant.name(), "default");
  EXPECT_EQ(tenants[0].stored_bytes, 1000);
}

INSTANTIATE_TEST_SUITE_P(FromEveryRelease, Migration, testing::Range(1, kSchemaVersion + 1),
                         [](const auto& version) { return fmt::format("{}", version.param); });

}  // namespace
}  // namespace prefixmem::store
