// A backup of a coordinator that serves, and a coordinator that was restored from it.
#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "client/channel/backup_folder.h"
#include "client/channel/server.h"
#include "common/files.h"
#include "common/sha256.h"
#include "coordinator/restore.h"
#include "coordinator/store/store.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "prefixmem/v1/content_service.grpc.pb.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;
using client::BackupFolder;
using testing::HasSubstr;
using testing::SizeIs;

class Backup : public ServedTest {
 protected:
  fs::path out() const { return folder_.path() / "backup"; }
  fs::path data() const { return folder_.path() / "data"; }

  // As `pmt admin backup` does; bytes that were sent.
  int64_t back_up() {
    const auto made = try_back_up();
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.ok() ? *made : -1;
  }
  Result<int64_t> try_back_up() {
    PM_ASSIGN(auto server, client::Server::at(service_->grpc_address(), Millis(10000)));
    PM_ASSIGN(BackupFolder backup, BackupFolder::open(out()));
    PM_TRY(server.back_up(backup.request(), Millis(60000),
                          [&](const auto& message) { return backup.take(message); }));
    PM_TRY(backup.complete());
    return backup.received();
  }

  void stop() {
    jobs_.reset();
    workers_.reset();
    channel_.reset();
    service_.reset();
  }
  Status restore_it() { return restore({out(), data()}); }

  grpc::Status upload(const v1::AttemptId& id, const std::string& path, const std::string& kind,
                      const std::string& content, int step = 0) {
    v1::UploadHeader header;
    *header.mutable_id() = id;
    v1::Artifact& artifact = *header.mutable_artifact();
    artifact.set_path(path);
    artifact.set_kind(kind);
    artifact.set_step(step);
    artifact.set_bytes(static_cast<int64_t>(content.size()));
    artifact.set_sha256(sha256_hex(content));
    v1::UploadArtifactResponse response;
    const auto context = call();
    return send_file(*workers_->UploadArtifact(context.get(), &response), header, {content});
  }
  std::string download(const std::string& job, const std::string& path) {
    v1::DownloadArtifactRequest request;
    request.set_job(job);
    request.set_path(path);
    const auto context = call();
    const auto reader = jobs_->DownloadArtifact(context.get(), request);
    std::string content;
    for (v1::DownloadArtifactResponse part; reader->Read(&part);) content += part.chunk();
    EXPECT_TRUE(reader->Finish().ok());
    return content;
  }
  void upload_content(const std::string& content) {
    v1::ContentHeader header;
    header.set_sha256(sha256_hex(content));
    header.set_bytes(static_cast<int64_t>(content.size()));
    v1::UploadContentResponse response;
    const auto context = call();
    const auto stub = v1::ContentService::NewStub(channel_);
    const auto writer = stub->UploadContent(context.get(), &response);
    EXPECT_TRUE(send_file(*writer, header, {content}).ok());
  }
  std::string download_content(const std::string& sha256) {
    v1::DownloadContentRequest request;
    request.set_sha256(sha256);
    const auto context = call();
    const auto stub = v1::ContentService::NewStub(channel_);
    const auto reader = stub->DownloadContent(context.get(), request);
    std::string content;
    for (v1::DownloadContentResponse part; reader->Read(&part);) content += part.chunk();
    EXPECT_TRUE(reader->Finish().ok());
    return content;
  }
  std::string sweep() {
    v1::SubmitJobResponse response;
    EXPECT_TRUE(submit("{name: s, model: /m, data: {train: /d.jsonl}, train: {max_steps: 2}, "
                       "sweep: {grid: {train.seed: [1, 2]}}, priority: -1}",
                       response)
                    .ok());
    return response.sweep_id();
  }
  std::string token() {
    v1::CreateTokenRequest request;
    request.set_name("alice");
    request.set_role(v1::ROLE_VIEWER);
    request.set_days(1);
    v1::CreateTokenResponse made;
    EXPECT_TRUE(
        v1::AdminService::NewStub(channel_)->CreateToken(call().get(), request, &made).ok());
    return made.token().id();
  }
  std::vector<v1::Token> tokens() {
    v1::ListTokensResponse listed;
    EXPECT_TRUE(v1::AdminService::NewStub(channel_)->ListTokens(call().get(), {}, &listed).ok());
    return {listed.tokens().begin(), listed.tokens().end()};
  }
  std::vector<v1::Job> list() {
    v1::ListJobsResponse listed;
    EXPECT_TRUE(jobs_->ListJobs(call().get(), {}, &listed).ok());
    return {listed.jobs().begin(), listed.jobs().end()};
  }
  std::vector<v1::JobEvent> events(const std::string& job) {
    v1::WatchJobRequest request;
    request.set_job(job);
    request.set_past_only(true);
    const auto context = call();
    const auto reader = jobs_->WatchJob(context.get(), request);
    std::vector<v1::JobEvent> events;
    for (v1::JobEvent event; reader->Read(&event);) events.push_back(event);
    EXPECT_TRUE(reader->Finish().ok());
    return events;
  }
};

// Job "a" runs with a checkpoint, a sweep waits, one token: saved. Then time goes on, and is lost.
class RestoredBackup : public Backup {
 protected:
  void SetUp() override {
    Backup::SetUp();
    a_ = submit_one("a");
    TestWorker worker(channel_);
    worker.register_as("w", 1);
    const v1::AssignedAttempt attempt = worker.assignment();
    ASSERT_TRUE(upload(attempt.id(), "checkpoints/1", "checkpoint", kCheckpoint, 1).ok());
    sweep_ = sweep();
    token_ = token();
    before_ = events(a_);
    back_up();
    lost_ = submit_one("lost");
    ASSERT_TRUE(upload(attempt.id(), "checkpoints/2", "checkpoint", "later", 2).ok());
    ASSERT_TRUE(upload(attempt.id(), "checkpoints/3", "checkpoint", "latest", 3).ok());
    worker.end();
    stop();
  }

  const std::string kCheckpoint = std::string(3 << 20, 'c');
  std::string a_, sweep_, token_, lost_;
  std::vector<v1::JobEvent> before_;
};

TEST_F(RestoredBackup, ServesEveryJobFileSweepAndToken) {
  ASSERT_TRUE(restore_it().ok());
  start();
  EXPECT_THAT(list(), SizeIs(3)) << "a and the two trials, without the one of after the backup";
  EXPECT_EQ(download(a_, "checkpoints/1"), kCheckpoint);
  v1::GetSweepRequest request;
  request.set_sweep(sweep_);
  v1::Sweep sweep;
  ASSERT_TRUE(jobs_->GetSweep(call().get(), request, &sweep).ok());
  EXPECT_EQ(sweep.trials().waiting(), 2);
  ASSERT_THAT(tokens(), SizeIs(1));
  EXPECT_EQ(tokens().front().id(), token_);
  const auto after = events(a_);
  ASSERT_GT(after.size(), before_.size());
  for (size_t i = 0; i < before_.size(); ++i) {
    EXPECT_EQ(after[i].SerializeAsString(), before_[i].SerializeAsString());
  }
}

TEST_F(RestoredBackup, WhatRanIsQueuedAgainAndItsGangOfBeforeIsStale) {
  ASSERT_TRUE(restore_it().ok());
  start();
  EXPECT_EQ(job(a_).state(), v1::JOB_STATE_QUEUED);
  // Not always the last: the started coordinator tells soon what the job waits for.
  std::vector<std::string> reasons;
  for (const v1::JobEvent& event : events(a_)) reasons.push_back(event.state().reason());
  EXPECT_THAT(reasons, testing::Contains(testing::MatchesRegex(
                           "the coordinator was restored from a backup of 20..-..-..T..:..:..Z; "
                           "queued again from the checkpoint of step 1")));
  TestWorker worker(channel_);
  v1::WorkerMessage message;
  message.mutable_register_()->set_worker_id("w");
  message.mutable_register_()->set_slots(1);
  message.mutable_register_()->set_device("cpu");
  v1::AttemptId& running = *message.mutable_register_()->add_attempts();
  running.set_job_id(a_);
  running.set_attempt(1);
  worker.say(message);
  EXPECT_THAT(worker.hear().registered().stale(), SizeIs(1));
  const v1::AssignedAttempt attempt = worker.assignment();
  EXPECT_EQ(attempt.id().job_id(), a_);
  EXPECT_EQ(attempt.id().attempt(), 1001);
  EXPECT_EQ(attempt.resume_from().step(), 1);
}

TEST_F(RestoredBackup, AnotherRestoreCountsAttemptsFromElsewhere) {
  ASSERT_TRUE(restore_it().ok());
  ASSERT_TRUE(restore_it().ok());
  start();
  TestWorker worker(channel_);
  worker.register_as("w", 1);
  EXPECT_EQ(worker.assignment().id().attempt(), 2001);
}

TEST_F(RestoredBackup, WhatWasThereIsSetAside) {
  ASSERT_TRUE(restore_it().ok());
  ASSERT_TRUE(make_folders(folder_.path() / "look").ok());
  const fs::path aside = data() / "replaced-1";
  stop();
  options_.data_dir = aside;
  auto replaced = store::Store::open(aside);
  ASSERT_TRUE(replaced.ok()) << replaced.status().message();
  EXPECT_TRUE((*replaced)->reader().job(lost_)->has_value());
  EXPECT_TRUE((*replaced)->blobs().read(sha256_hex("latest")).ok());
}

TEST_F(RestoredBackup, GoesIntoAnEmptyFolderToo) {
  fs::remove_all(data());
  ASSERT_TRUE(restore_it().ok());
  start();
  EXPECT_EQ(download(a_, "checkpoints/1"), kCheckpoint);
}

// The backup of an older version has not every list of blobs.
TEST_F(RestoredBackup, OfAnOlderVersionIsBroughtUp) {
  auto manifest = nlohmann::json::parse(*read_file(out() / "backup.json"));
  const fs::path file = out() / manifest["database"]["file"];
  {
    auto database = store::Database::open(file);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database
                    ->execute("DROP TRIGGER artifact_added; DROP TRIGGER artifact_dropped;"
                              " DROP TRIGGER content_added; DROP TRIGGER content_dropped;"
                              " DROP INDEX jobs_by_end; DROP INDEX submissions_by_job;"
                              " DROP TABLE leftovers; ALTER TABLE jobs DROP COLUMN pinned;"
                              " ALTER TABLE jobs DROP COLUMN end_ms;"
                              " ALTER TABLE jobs DROP COLUMN tenant;"
                              " ALTER TABLE artifacts DROP COLUMN bytes; DROP TABLE tenants;"
                              " DROP TABLE contents; DROP TABLE models; DROP TABLE told_models;"
                              " PRAGMA user_version = 8;")
                    .ok());
    ASSERT_TRUE(database->execute("PRAGMA journal_mode = DELETE;").ok());
  }
  manifest["database"]["sha256"] = *sha256_of_file(file);
  ASSERT_TRUE(write_file_atomic(out() / "backup.json", manifest.dump()).ok());
  const Status restored = restore_it();
  ASSERT_TRUE(restored.ok()) << restored.message();
  start();
  EXPECT_EQ(download(a_, "checkpoints/1"), kCheckpoint);
}

TEST_F(Backup, HoldsContentToo) {
  upload_content("rows");
  back_up();
  stop();
  fs::remove_all(data());
  ASSERT_TRUE(restore_it().ok());
  start();
  EXPECT_EQ(download_content(sha256_hex("rows")), "rows");
}

TEST_F(RestoredBackup, ADamagedFileOfABackupIsFoundBeforeAnythingIsTouched) {
  const std::string digest = sha256_hex(kCheckpoint);
  const fs::path blob = out() / "blobs" / digest.substr(0, 2) / digest;
  std::string content = *read_file(blob);
  content[1000] = 'x';
  ASSERT_TRUE(write_file_atomic(blob, content).ok());
  const Status damaged = restore_it();
  EXPECT_EQ(damaged.code(), Code::kDataLoss);
  EXPECT_THAT(damaged.message(), HasSubstr(blob.string() + " of the backup is damaged"));
  fs::remove(blob);
  EXPECT_THAT(restore_it().to_string(), HasSubstr("NOT_FOUND: the backup is not whole"));
  start();
  EXPECT_TRUE(job(lost_).has_spec()) << "the store is as it was";
}

TEST_F(RestoredBackup, ABackupThatWasCutOffIsNone) {
  fs::remove(out() / "backup.json");
  EXPECT_THAT(restore_it().to_string(), HasSubstr("NOT_FOUND: the backup is not whole"));
  ASSERT_TRUE(write_file_atomic(out() / "backup.json", "{\"format\": 9}").ok());
  EXPECT_THAT(restore_it().to_string(), HasSubstr("is no description of a backup"));
  ASSERT_TRUE(write_file_atomic(out() / "backup.json", "{\"format\": 1}").ok());
  EXPECT_EQ(restore_it().code(), Code::kDataLoss);
}

TEST_F(RestoredBackup, ARestoreThatWasCutOffCanBeRunAgain) {
  ASSERT_TRUE(write_file_atomic(data() / store::Store::kRestoring, "").ok());
  ASSERT_TRUE(restore_it().ok());
  start();
  EXPECT_EQ(download(a_, "checkpoints/1"), kCheckpoint);
}

TEST_F(Backup, AFolderThatACoordinatorHasIsNotRestored) {
  back_up();
  EXPECT_EQ(restore_it().to_string(),
            "FAILED_PRECONDITION: " + (data() / "lock").string() + " is locked by another process");
}

TEST_F(Backup, OnlyWhatIsNewIsSentAgainAndWhatIsOldGoes) {
  submit_one("a");
  TestWorker worker(channel_);
  worker.register_as("w", 1);
  const v1::AttemptId id = worker.assignment().id();
  const std::string big(5 << 20, 'b');
  ASSERT_TRUE(upload(id, "checkpoints/1", "checkpoint", big, 1).ok());
  EXPECT_GT(back_up(), 5 << 20);
  ASSERT_TRUE(upload(id, "checkpoints/2", "checkpoint", "two", 2).ok());
  EXPECT_LT(back_up(), 1 << 20);
  const auto has = [&](const std::string& content) {
    const std::string digest = sha256_hex(content);
    return fs::exists(out() / "blobs" / digest.substr(0, 2) / digest);
  };
  EXPECT_TRUE(has(big) && has("two"));
  ASSERT_TRUE(upload(id, "checkpoints/3", "checkpoint", "three", 3).ok());
  back_up();
  EXPECT_TRUE(!has(big) && has("two") && has("three"));
  int databases = 0;
  for (const auto& entry : fs::directory_iterator(out())) {
    databases += entry.path().extension() == ".db" ? 1 : 0;
  }
  EXPECT_EQ(databases, 1);
}

TEST_F(Backup, IsAConsistentMomentOfAStoreThatIsWrittenTo) {
  std::atomic<bool> stop = false;
  std::atomic<int> submitted = 0;
  std::thread writer([&] {
    while (!stop) {
      sweep();  // two jobs in one transaction
      ++submitted;
    }
  });
  while (submitted < 5) std::this_thread::yield();
  back_up();
  stop = true;
  writer.join();
  this->stop();
  ASSERT_TRUE(restore_it().ok());
  start();
  EXPECT_EQ(list().size() % 2, 0u) << "half of a transaction";
  EXPECT_GE(list().size(), 10u);
}

TEST_F(Backup, ADigestThatIsNoneIsRefused) {
  v1::BackUpRequest request;
  request.add_known_sha256("short");
  const auto context = call();
  const auto reader = v1::AdminService::NewStub(channel_)->BackUp(context.get(), request);
  v1::BackUpResponse part;
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(reader->Finish().error_message(),
            "known_sha256 holds one of 5 bytes; allowed: 32 bytes");
}

TEST_F(Backup, TheDataFolderItselfIsNoPlaceForOne) {
  EXPECT_EQ(BackupFolder::open(data()).status().message(),
            data().string() +
                " is a coordinator's data folder; allowed: a folder of a backup, or a new one");
}

}  // namespace
}  // namespace prefixmem
