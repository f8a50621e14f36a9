// What has ended goes, by request or by its age, and what is to be kept stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <utility>

#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "coordinator/core/find_job.h"
#include "tests/unit/coordinator/passing_blobs.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::HasSubstr;

constexpr Millis kHourOfKeeping = std::chrono::hours(1);
constexpr const char* kWeights = "weights of ";

class Removal : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 8).ok());
  }

  // A job of that name that has succeeded, with an adapter of 12 bytes and its name's.
  void train(const std::string& name, const std::string& more = "") {
    submit(name, more);
    finish(name);
  }
  void finish(const std::string& name) {
    bring(name + "/1", "adapter/adapter_config.json", "{}");
    bring(name + "/1", "adapter/adapter_model.safetensors", weights(name));
    ASSERT_TRUE(ended("w", name + "/1", "OK").ok());
  }
  static std::string weights(const std::string& name) { return kWeights + name; }
  // Trials s-1 and s-2.
  JobSpec submit_sweep(const std::string& key = "") {
    const auto wanted = parse_job_spec(
        "name: s\nmodel: /m\ndata: {train: t, eval: e}\ntrain: {max_steps: 9}\n"
        "sweep: {search: grid, goal: {metric: loss, mode: min}, space: {train.seed: [1, 2]}}");
    EXPECT_TRUE(wanted.ok()) << wanted.status().message();
    EXPECT_TRUE(coordinator().submit(*wanted, key).ok());
    return *wanted;
  }
  void train_sweep() {
    submit_sweep();
    for (const char* trial : {"s-1", "s-2"}) finish(trial);
    coordinator().tick();
    ASSERT_EQ(find_sweep(coordinator().reader(), "s")->state(), v1::SWEEP_STATE_FINISHED);
  }

  Result<v1::Removed> remove(const std::string& name) {
    return coordinator().remove_job(name, /*files_only=*/false);
  }
  Result<v1::Removed> remove_files(const std::string& name) {
    return coordinator().remove_job(name, /*files_only=*/true);
  }
  void pin(const std::string& name, bool pinned = true) {
    const auto after = coordinator().pin_job(name, pinned);
    ASSERT_TRUE(after.ok()) << after.status().message();
    EXPECT_EQ(after->pinned(), pinned);
  }

  bool there(const std::string& name) {
    const auto found = find_job(coordinator().reader(), name);
    EXPECT_TRUE(found.ok() || found.status().code() == Code::kNotFound);
    return found.ok();
  }
  bool has_blob(const std::string& bytes) {
    return store().blobs().size(sha256_hex(bytes))->has_value();
  }
  bool has_files(const std::string& name) {
    const bool listed = !coordinator().reader().artifacts(job(name).id())->empty();
    EXPECT_EQ(listed, has_blob(weights(name)));
    return listed;
  }
  int64_t stored() {
    const auto tenants = coordinator().tenants();
    for (const v1::Tenant& tenant : *tenants) {
      if (tenant.name() == auth::kDefaultTenant) return tenant.stored_bytes();
    }
    return -1;
  }
  size_t events_of(const std::string& id) {
    return coordinator().reader().events(id, 1, 100000)->size();
  }
  bool has_leftovers() { return *coordinator().reader().has_leftovers(WallTime()); }
  void pass_hours(int hours) {
    for (int hour = 0; hour < hours; ++hour) {
      clock_.advance(kHourOfKeeping);
      ASSERT_TRUE(heartbeat("w").ok());
      for (int i = 0; i < 20; ++i) coordinator().tick();
    }
  }
};

TEST_F(Removal, AJobGoesWithAllThatIsKeptOfIt) {
  const auto submitted = coordinator().submit(spec("a", "labels: {k: v}"), "key");
  ASSERT_TRUE(submitted.ok());
  finish("a");
  const std::string id = job("a").id();
  EXPECT_EQ(stored(), 14);
  const auto removed = remove("a");
  ASSERT_TRUE(removed.ok()) << removed.status().message();
  EXPECT_EQ(removed->jobs(), 1);
  EXPECT_EQ(removed->files(), 2);
  EXPECT_EQ(removed->bytes(), 14);
  EXPECT_FALSE(there("a"));
  EXPECT_FALSE(has_blob(weights("a")));
  EXPECT_EQ(stored(), 0);
  EXPECT_TRUE(coordinator().reader().artifacts(id)->empty());
  EXPECT_FALSE(coordinator().reader().attempt(id, 1)->has_value());
  EXPECT_TRUE(coordinator().reader().list({.labels = {{"k", "v"}}}, 10)->jobs.empty());
  coordinator().tick();
  EXPECT_EQ(events_of(id), 0u);
  EXPECT_EQ(remove("a").status().code(), Code::kNotFound);
}

TEST_F(Removal, ALateRequestMakesNoSecondJob) {
  ASSERT_TRUE(coordinator().submit(spec("a"), "key").ok());
  const std::string id = job("a").id();
  finish("a");
  ASSERT_TRUE(remove("a").ok());
  for (int day = 0; day < 2; ++day) {
    const auto late = coordinator().submit(spec("a"), "key");
    EXPECT_EQ(late.status().to_string(), "NOT_FOUND: idempotency_key \"key\" was used for job " +
                                             id + ", which was removed; allowed: another key");
    pass_hours(12);
    restart();
    ASSERT_TRUE(connect("w", 8).ok());
  }
  pass_hours(2);
  EXPECT_TRUE(coordinator().submit(spec("a"), "key").ok()) << "nobody knows of it any more";
}

TEST_F(Removal, ALateRequestMakesNoSecondSweep) {
  const auto wanted = submit_sweep("key");
  for (const char* trial : {"s-1", "s-2"}) finish(trial);
  coordinator().tick();
  ASSERT_TRUE(coordinator().remove_sweep("s", false).ok());
  EXPECT_EQ(coordinator().submit(wanted, "key").status().code(), Code::kNotFound);
}

TEST_F(Removal, ManyEventsGoBitByBit) {
  submit("a");
  std::vector<v1::TrainerEvent> steps;
  for (int step = 1; step <= 4500; ++step) steps.push_back(step_event(step, 5000));
  ASSERT_TRUE(events("w", "a/1", 1, steps).ok());
  coordinator().tick();
  finish("a");
  const std::string id = job("a").id();
  const size_t all = events_of(id);
  ASSERT_GT(all, 4500u);
  ASSERT_TRUE(remove("a").ok());
  EXPECT_EQ(events_of(id), all);
  coordinator().tick();
  EXPECT_EQ(events_of(id), all - 2000);
  restart();
  coordinator().tick();
  coordinator().tick();
  EXPECT_EQ(events_of(id), 0u);
  EXPECT_FALSE(has_leftovers());
}

TEST_F(Removal, OfFilesTheJobStays) {
  train("a");
  const auto removed = remove_files("a");
  ASSERT_TRUE(removed.ok()) << removed.status().message();
  EXPECT_EQ(removed->jobs(), 0);
  EXPECT_EQ(removed->files(), 2);
  EXPECT_FALSE(has_files("a"));
  EXPECT_EQ(stored(), 0);
  EXPECT_EQ(job("a").state(), v1::JOB_STATE_SUCCEEDED);
  const v1::Job shown = job("a");
  ASSERT_TRUE(shown.has_files_remove_time());
  clock_.advance(kHourOfKeeping);
  EXPECT_EQ(remove_files("a")->files(), 0);
  EXPECT_EQ(job("a").files_remove_time().seconds(), shown.files_remove_time().seconds());
  const auto refused =
      coordinator().submit(spec("b", "method: {type: lora, init: \"job://a\"}"), "");
  EXPECT_THAT(refused.status().message(),
              HasSubstr("(a) has no files; its files were removed at 20"));
  JobSpec later = spec("b");
  later.train.continue_from = "job://a";
  EXPECT_THAT(coordinator().submit(later, "").status().message(),
              HasSubstr("; its files were removed at 20"));
}

TEST_F(Removal, AJobThatHasNotEndedStays) {
  submit("a");
  submit("b", "resources: {ranks: 100}");
  for (const auto& refused : {remove("a"), remove_files("a")}) {
    EXPECT_EQ(
        refused.status().to_string(),
        "FAILED_PRECONDITION: job " + name_of(job("a")) +
            " is starting; allowed: once it has ended and that is written, as after a cancel");
  }
  EXPECT_THAT(remove("b").status().message(), HasSubstr("(b) is queued; allowed"));
  ASSERT_TRUE(coordinator().cancel("b").ok());
  EXPECT_TRUE(remove("b").ok());
}

TEST_F(Removal, WhatIsPinnedStays) {
  train("a");
  pin("a");
  pin("a");
  restart();
  for (const auto& refused : {remove("a"), remove_files("a")}) {
    EXPECT_EQ(refused.status().to_string(), "FAILED_PRECONDITION: job " + name_of(job("a")) +
                                                " is pinned; allowed: after pmt unpin");
  }
  EXPECT_TRUE(has_files("a"));
  pin("a", false);
  EXPECT_TRUE(remove("a").ok());
  EXPECT_EQ(coordinator().pin_job("a", true).status().code(), Code::kNotFound);
}

TEST_F(Removal, APinOfARunningJobOutlivesItsEnd) {
  submit("a");
  pin("a");
  finish("a");
  EXPECT_TRUE(job("a").pinned());
  restart();
  EXPECT_EQ(remove("a").status().code(), Code::kFailedPrecondition);
}

TEST_F(Removal, WhatAnotherComesAfterStaysUntilThatHasEnded) {
  train("a");
  submit("b", "after: a");
  EXPECT_EQ(remove("a").status().to_string(), "FAILED_PRECONDITION: job " + name_of(job("b")) +
                                                  " comes after job " + name_of(job("a")) +
                                                  "; allowed: once that has ended");
  EXPECT_TRUE(remove_files("a").ok());
  restart();
  ASSERT_TRUE(connect("w", 8, {"b/1"}).ok());
  finish("b");
  EXPECT_TRUE(remove("a").ok());
  restart();
  EXPECT_TRUE(there("b"));
  const auto late = coordinator().submit(spec("c", "after: a"), "");
  EXPECT_EQ(late.status().code(), Code::kNotFound);
}

TEST_F(Removal, ATrialGoesWithItsSweepAlone) {
  submit_sweep();
  finish("s-1");
  EXPECT_THAT(remove("s-1").status().message(), HasSubstr("(s-1) is a trial of sweep sweep-"));
  EXPECT_THAT(remove_files("s-1").status().message(), HasSubstr(", which goes on; allowed: once"));
  EXPECT_THAT(coordinator().remove_sweep("s", false).status().message(), HasSubstr("; allowed: "));
  finish("s-2");
  coordinator().tick();
  EXPECT_THAT(remove("s-1").status().message(),
              HasSubstr(" (s); allowed, once that has ended: to remove it, or files of the "
                        "trial alone"));
  EXPECT_TRUE(remove_files("s-1").ok());
  EXPECT_TRUE(has_files("s-2"));
  const auto removed = coordinator().remove_sweep("s", false);
  ASSERT_TRUE(removed.ok()) << removed.status().message();
  EXPECT_EQ(removed->jobs(), 2);
  EXPECT_EQ(removed->files(), 2);
  EXPECT_FALSE(there("s-1") || there("s-2"));
  EXPECT_EQ(find_sweep(coordinator().reader(), "s").status().code(), Code::kNotFound);
  EXPECT_EQ(stored(), 0);
  restart();
  EXPECT_FALSE(there("s-1") || there("s-2"));
}

TEST_F(Removal, APinnedTrialKeepsItsSweep) {
  train_sweep();
  pin("s-2");
  EXPECT_THAT(coordinator().remove_sweep("s", false).status().message(),
              HasSubstr("(s-2) is pinned"));
  EXPECT_TRUE(has_files("s-1")) << "all or nothing";
  const auto removed = coordinator().remove_sweep("s", true);
  ASSERT_TRUE(removed.ok()) << removed.status().message();
  EXPECT_EQ(removed->files(), 2);
  EXPECT_EQ(removed->pinned_jobs(), 1);
  EXPECT_FALSE(has_files("s-1"));
  EXPECT_TRUE(has_files("s-2"));
}

TEST_F(Removal, WhatAnotherHasOfItStays) {
  train("a");
  submit("b", "method: {type: lora, init: \"job://a\"}");
  EXPECT_TRUE(remove("a").ok());
  EXPECT_TRUE(has_blob(weights("a"))) << "b begins with it";
  submit("c");
  submit("d");
  bring("c/1", "adapter/x", "of both");
  bring("d/1", "adapter/x", "of both");
  for (const char* name : {"c", "d"}) ASSERT_TRUE(ended("w", std::string(name) + "/1", "OK").ok());
  EXPECT_TRUE(remove("c").ok());
  EXPECT_TRUE(has_blob("of both"));
  EXPECT_TRUE(remove("d").ok());
  EXPECT_FALSE(has_blob("of both"));
}

TEST_F(Removal, WhoWatchesHearsOfIt) {
  train("a");
  const std::string id = job("a").id();
  int heard = 0;
  const auto subscription = coordinator().subscriptions().subscribe(id, [&] { ++heard; });
  pin("a");
  EXPECT_EQ(heard, 1);
  pin("a", false);
  ASSERT_TRUE(remove("a").ok());
  EXPECT_EQ(heard, 3);
}

TEST_F(Removal, WhatCannotBeWrittenIsStillThere) {
  train("a");
  auto other = store::Database::open(database());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other
                  ->execute("CREATE TRIGGER full BEFORE DELETE ON jobs BEGIN"
                            " SELECT RAISE(FAIL, 'no room'); END;")
                  .ok());
  EXPECT_EQ(remove("a").status().code(), Code::kUnavailable);
  ASSERT_TRUE(other->execute("DROP TRIGGER full").ok());
  restart();
  EXPECT_TRUE(has_files("a"));
  EXPECT_TRUE(remove("a").ok());
}

// A removal may come at any moment of a submission that names what goes.
class RemovalMeanwhile : public Removal {
 protected:
  // Calls back once, when it is asked for something.
  class Blobs final : public PassingBlobs {
   public:
    Blobs(std::unique_ptr<store::Blobs> real, RemovalMeanwhile& test)
        : PassingBlobs(std::move(real)), test_(test) {}

    Result<std::unique_ptr<store::BlobWriter>> begin() override {
      call(test_.at_begin_);
      return PassingBlobs::begin();
    }
    std::shared_ptr<const void> pin(const std::string& sha256) override {
      call(test_.at_pin_);
      return PassingBlobs::pin(sha256);
    }

   private:
    static void call(std::function<void()>& what) {
      if (const auto now = std::exchange(what, {})) now();
    }

    RemovalMeanwhile& test_;
  };

  void SetUp() override {
    open_blobs_ =
        [this](const std::filesystem::path& folder) -> Result<std::unique_ptr<store::Blobs>> {
      PM_ASSIGN(auto real, store::DirectoryBlobs::open(folder));
      return std::unique_ptr<store::Blobs>(std::make_unique<Blobs>(std::move(real), *this));
    };
    Removal::SetUp();
    train("a");
  }
  Status begin_with_a() {
    return coordinator().submit(spec("b", "method: {type: lora, init: \"job://a\"}"), "").status();
  }
  std::function<void()> removal_of_a() {
    return [this] { EXPECT_TRUE(remove("a").ok()); };
  }

  std::function<void()> at_begin_, at_pin_;
};

TEST_F(RemovalMeanwhile, WhatHasGoneBeforeItIsHeldIsNotThere) {
  at_pin_ = removal_of_a();
  EXPECT_THAT(begin_with_a().to_string(), testing::AllOf(testing::StartsWith("NOT_FOUND: "),
                                                         HasSubstr("(a) are being removed")));
  EXPECT_FALSE(there("b"));
}

TEST_F(RemovalMeanwhile, WhatIsHeldStaysForWhoeverNamedIt) {
  at_begin_ = removal_of_a();
  const Status submitted = begin_with_a();
  ASSERT_TRUE(submitted.ok()) << submitted.message();
  EXPECT_FALSE(there("a"));
  EXPECT_TRUE(has_blob(weights("a")));
  restart();
  EXPECT_TRUE(has_blob(weights("a")));
}

// Somebody else writes, so that the removal waits, decided on and not yet written.
TEST_F(RemovalMeanwhile, NothingComesAfterWhatIsGoing) {
  auto other = store::Database::open(database());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE;").ok());
  auto removed = std::async(std::launch::async, [this] { return remove("a"); });
  Status refused;
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(8);
       refused.ok() && std::chrono::steady_clock::now() < end;) {
    refused = coordinator().check_job(spec("b", "after: a"), "").status();
  }
  ASSERT_TRUE(other->execute("COMMIT;").ok());
  EXPECT_THAT(refused.message(), HasSubstr("(a) is being removed"));
  EXPECT_TRUE(removed.get().ok());
}

class Ageing : public Removal {
 protected:
  void SetUp() override {
    config_.keep_files = 10 * kHourOfKeeping;
    config_.keep_jobs = 20 * kHourOfKeeping;
    Removal::SetUp();
  }
};

TEST_F(Ageing, FilesGoBeforeTheirJobs) {
  train("a");
  pass_hours(9);
  train("b");
  EXPECT_TRUE(has_files("a"));
  pass_hours(2);
  EXPECT_FALSE(has_files("a"));
  EXPECT_TRUE(job("a").has_files_remove_time());
  EXPECT_TRUE(has_files("b"));
  pass_hours(10);
  EXPECT_FALSE(there("a"));
  EXPECT_FALSE(has_files("b"));
  pass_hours(10);
  EXPECT_FALSE(there("b"));
}

TEST_F(Ageing, WhatHasNotEndedOrIsPinnedIsNeverOld) {
  submit("running");
  submit("waiting", "after: running");
  train("pinned");
  pin("pinned");
  pass_hours(50);
  EXPECT_TRUE(there("running") && there("waiting"));
  EXPECT_TRUE(has_files("pinned"));
  restart();
  ASSERT_TRUE(connect("w", 8, {"running/1"}).ok());
  pass_hours(1);
  EXPECT_TRUE(has_files("pinned"));
  pin("pinned", false);
  pass_hours(1);
  EXPECT_FALSE(there("pinned"));
}

TEST_F(Ageing, WhatAnotherComesAfterGoesOnceThatHasEnded) {
  train("a");
  submit("b", "after: a");
  pass_hours(30);
  EXPECT_TRUE(there("a"));
  finish("b");
  pass_hours(1);
  EXPECT_FALSE(there("a"));
  EXPECT_TRUE(there("b"));
}

TEST_F(Ageing, ASweepIsAsOldAsItsLastTrial) {
  submit_sweep();
  finish("s-1");
  pass_hours(15);
  EXPECT_TRUE(has_files("s-1")) << "its sweep goes on";
  finish("s-2");
  pass_hours(6);
  EXPECT_FALSE(has_files("s-1"));
  EXPECT_TRUE(there("s-1"));
  EXPECT_TRUE(has_files("s-2"));
  pass_hours(15);
  EXPECT_FALSE(there("s-1") || there("s-2"));
  EXPECT_FALSE(find_sweep(coordinator().reader(), "s").ok());
}

TEST_F(Ageing, APinnedTrialKeepsWhatIsKnownOfItsSweep) {
  train_sweep();
  pin("s-1");
  pass_hours(50);
  EXPECT_TRUE(has_files("s-1"));
  EXPECT_FALSE(has_files("s-2"));
  EXPECT_TRUE(there("s-2"));
}

TEST_F(Ageing, AClockThatWasWrongForAMomentTakesNoMore) {
  train("a");
  train("b");
  clock_.advance(std::chrono::hours(15));
  coordinator().tick();  // finds both, and the first goes
  clock_.set_wall(clock_.wall() - std::chrono::hours(15));
  for (int i = 0; i < 20; ++i) coordinator().tick();
  EXPECT_NE(has_files("a"), has_files("b"));
}

class AgeingOfJobs : public Removal {
 protected:
  void SetUp() override {
    config_.keep_jobs = 20 * kHourOfKeeping;
    Removal::SetUp();
  }
};

TEST_F(AgeingOfJobs, FilesGoWithTheirJobsAlone) {
  train("kept");
  submit("after", "after: kept");
  train_sweep();
  pin("s-1");
  train("gone");
  pass_hours(30);
  EXPECT_TRUE(has_files("kept")) << "another comes after it";
  EXPECT_TRUE(has_files("s-2")) << "its sweep has a pinned trial";
  EXPECT_FALSE(there("gone"));
  EXPECT_FALSE(has_blob(weights("gone")));
}

TEST_F(Removal, WithoutAnAgeNothingGoes) {
  train("a");
  pass_hours(1000);
  EXPECT_TRUE(has_files("a"));
}

}  // namespace
}  // namespace prefixmem
