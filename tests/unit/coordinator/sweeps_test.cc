// Sweeps in a coordinator over a real store, with a worker that trains in no time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "common/content/content_name.h"
#include "common/proto/sweep_state.h"
#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "coordinator/core/find_job.h"
#include "coordinator/core/sweep_results.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr int kSteps = 9;

// A search over the weight decay; a trial's loss is its weight decay.
std::string search(const std::string& kind, int trials, const std::string& more = "") {
  return fmt::format(
      "sweep: {{search: {}, budget: {{trials: {}{}}}, seed: 3, goal: {{metric: loss, mode: min}},"
      " max_concurrent: 4, space: {{train.weight_decay: {{type: uniform, low: 0, high: 1}}}}}}",
      kind, trials, more);
}

const std::string kAsha = "{type: asha, min_steps: 1, reduction_factor: 3}";

v1::TrainerEvent eval_event(int64_t step, double value) {
  v1::TrainerEvent event;
  event.mutable_eval()->set_step(step);
  event.mutable_eval()->set_metric("loss");
  event.mutable_eval()->set_value(value);
  return event;
}

class SweepTest : public CoordinatorTest {
 protected:
  struct Running {
    std::string name;
    int attempt = 0;
    double loss = 0;
    int64_t steps = kSteps;                // after which it ends
    int64_t first = 0;                     // step of the checkpoint that it goes on from
    std::string state;                     // of its checkpoint at the end
    std::vector<v1::TrainerEvent> events;  // of this attempt, also those not acknowledged
    int64_t acknowledged = 0;
    bool stop = false;

    std::string key() const { return fmt::format("{}/{}", name, attempt); }
  };

  std::string submit_sweep(const std::string& sweep, const std::string& name = "s") {
    JobSpec whole = *parse(sweep);
    whole.name = name;
    const auto response = coordinator().submit(whole, "");
    EXPECT_TRUE(response.ok()) << response.status().message();
    return response.ok() ? response->sweep_id() : "";
  }
  static Result<JobSpec> parse(const std::string& sweep) {
    return parse_job_spec(
        "name: s\nmodel: /m\n" +
        std::string(sweep.starts_with("data:") ? "" : "data: {train: t, eval: e}\n") +
        "train: {max_steps: 9, eval_every: 1}\n" + sweep);
  }

  v1::Sweep sweep(const std::string& id) {
    auto found = find_sweep(coordinator().reader(), id);
    EXPECT_TRUE(found.ok()) << found.status().message();
    return found.ok() ? *found : v1::Sweep();
  }
  std::string state_of(const std::string& id) {
    return state_name(sweep(id).state()) + ": " + sweep(id).reason();
  }
  std::vector<v1::Job> trials(const std::string& id) {
    auto jobs = coordinator().reader().trials(id);
    EXPECT_TRUE(jobs.ok());
    return jobs.ok() ? *jobs : std::vector<v1::Job>();
  }

  // Takes in what the worker was told.
  void listen() {
    for (const auto& message : std::exchange(link("w")->sent, {})) {
      for (const auto& id : message.registered().stale()) running_.erase(id.job_id());
      for (const auto& one : message.assign().attempts()) {
        Running& attempt = running_[one.id().job_id()] = Running();
        attempt.name = one.job_name();
        attempt.attempt = one.id().attempt();
        const TrainSpec train = parse_job_spec(one.spec_yaml())->train;
        attempt.loss = train.weight_decay;
        attempt.steps = *train.max_steps;
        if (train.continue_from) take_over(*train.continue_from, attempt);
      }
      if (message.has_cancel()) running_.at(message.cancel().id().job_id()).stop = true;
      if (message.has_events_acknowledged()) {
        const auto& acknowledged = message.events_acknowledged();
        const auto found = running_.find(acknowledged.id().job_id());
        if (found != running_.end()) found->second.acknowledged = acknowledged.up_to_number();
      }
      if (message.has_end_acknowledged()) {
        running_.erase(message.end_acknowledged().id().job_id());
      }
    }
  }

  // A model whose checkpoint says which trials it has come from.
  void leave_checkpoint(Running& attempt) {
    const std::string state = fmt::format("{}>{}", attempt.state, attempt.name);
    ASSERT_TRUE(upload(attempt.key(), attempt.steps, state).ok());
    states_[sha256_hex(state)] = {attempt.steps, state};
  }
  void take_over(const std::string& content, Running& attempt) {
    const auto name = parse_content_name(content);
    ASSERT_TRUE(name.ok()) << content;
    ASSERT_TRUE(coordinator().reader().content_bytes(name->sha256)->has_value()) << "to be fetched";
    std::tie(attempt.first, attempt.state) = states_.at(name->sha256);
  }

  // What the attempt tells next: an evaluation, then its end once all of them are acknowledged.
  void tell(Running& attempt) {
    const auto made = static_cast<int64_t>(attempt.events.size());
    const bool over = attempt.stop || attempt.first + made == attempt.steps;
    if (over && attempt.acknowledged == made) {
      if (leaves_checkpoints_) leave_checkpoint(attempt);
      ASSERT_TRUE(ended("w", attempt.key(), attempt.stop ? "CANCELLED" : "OK").ok());
      return;
    }
    if (!over) attempt.events.push_back(eval_event(attempt.first + made + 1, attempt.loss));
    const std::vector<v1::TrainerEvent> left(attempt.events.begin() + attempt.acknowledged,
                                             attempt.events.end());
    ASSERT_TRUE(events("w", attempt.key(), attempt.acknowledged + 1, left).ok());
  }

  // As after the death of the process; the worker dials again with what it runs.
  void crash() {
    restart();
    std::vector<std::string> keys;
    for (const auto& [id, attempt] : running_) keys.push_back(attempt.key());
    ASSERT_TRUE(connect("w", 3, keys).ok());
    listen();
  }

  // Until the sweep is over; `meanwhile` is called between any two messages.
  void finish(const std::string& id, const std::function<void()>& meanwhile = [] {}) {
    for (int round = 0; round < 2000; ++round) {
      coordinator().tick();
      listen();
      if (has_ended(sweep(id).state())) return;
      std::vector<std::string> ids;
      for (const auto& [job, attempt] : running_) ids.push_back(job);
      for (const std::string& job : ids) {
        if (running_.contains(job)) tell(running_.at(job));
        meanwhile();
      }
    }
    FAIL() << "the sweep never ends: " << state_of(id);
  }

  // The coordinator dies between any two messages, over and over; how often.
  int finish_killed(const std::string& id, unsigned seed) {
    std::mt19937 random(seed);
    int crashes = 0;
    finish(id, [&] {
      if (random() % 4 != 0) return;
      crash();
      ++crashes;
    });
    return crashes;
  }

  std::map<std::string, Running> running_;  // by job id
  bool leaves_checkpoints_ = false;
  std::map<std::string, std::pair<int64_t, std::string>> states_;  // by sha256: step and state
};

TEST_F(SweepTest, BeginsTrialsAsOthersEnd) {
  const std::string id = submit_sweep(search("random", 6));
  EXPECT_THAT(id, StartsWith("sweep-"));
  EXPECT_THAT(trials(id), SizeIs(4)) << "max_concurrent";
  ASSERT_TRUE(connect("w", 3).ok());
  finish(id);
  EXPECT_EQ(state_of(id), "finished: all 6 trials were begun");
  EXPECT_TRUE(sweep(id).has_end_time());
  EXPECT_EQ(sweep(id).trials().succeeded(), 6);
  std::set<std::string> settings;
  const auto jobs = trials(id);
  ASSERT_THAT(jobs, SizeIs(6));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(jobs[i].name(), fmt::format("s-{}", i + 1));
    EXPECT_EQ(jobs[i].trial().number(), i + 1);
    const std::string& value = jobs[i].trial().setting().at("train.weight_decay");
    EXPECT_EQ(jobs[i].spec().labels().at("sweep.train.weight_decay"), value);
    settings.insert(value);
  }
  EXPECT_THAT(settings, SizeIs(6));
}

TEST_F(SweepTest, ASearchStopsTrialsByWhatTheyReport) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(search(kAsha, 20));
  finish(id);
  const v1::TrialCounts counts = sweep(id).trials();
  EXPECT_EQ(counts.succeeded() + counts.cancelled(), 20);
  EXPECT_GT(counts.cancelled(), 8);
  EXPECT_GT(counts.succeeded(), 0);
  for (const v1::Job& job : trials(id)) {
    if (job.state() != v1::JOB_STATE_CANCELLED) continue;
    EXPECT_THAT(job.reason(), StartsWith("stopped by its sweep: loss "));
    EXPECT_THAT(job.reason(), HasSubstr(" is not among the best "));
    EXPECT_GE(job.trial().rungs_size(), 1);
  }
}

TEST_F(SweepTest, TheSameSubmissionIsStoredOnce) {
  const JobSpec spec = *parse(search("random", 6));
  const auto first = coordinator().submit(spec, "key");
  const auto again = coordinator().submit(spec, "key");
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
  EXPECT_THAT(coordinator().reader().sweeps(0, 10)->sweeps, SizeIs(1));
}

TEST_F(SweepTest, ABudgetOfTimeEndsIt) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(search("random", 100, ", seconds: 5"));
  coordinator().tick();
  listen();
  pass(Millis(5000));
  listen();
  for (const auto& [job, attempt] : running_) EXPECT_TRUE(attempt.stop);
  EXPECT_EQ(state("s-4"), "cancelled: stopped by its sweep: the budget of 5 seconds is over");
  finish(id);
  EXPECT_EQ(state_of(id), "finished: the budget of 5 seconds is over");
  EXPECT_THAT(trials(id), SizeIs(4));
}

TEST_F(SweepTest, GivesUpWhenTrialsKeepFailing) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(search("random", 100));
  for (int round = 0; round < 10 && !has_ended(sweep(id).state()); ++round) {
    coordinator().tick();
    listen();
    const auto running = running_;
    for (const auto& [job, attempt] : running) {
      ASSERT_TRUE(ended("w", attempt.key(), "INVALID_ARGUMENT", "no such file").ok());
    }
  }
  EXPECT_EQ(state_of(id), "failed: the last 10 trials failed");
  EXPECT_LT(trials(id).size(), 20u);
}

TEST_F(SweepTest, CancellingItCancelsItsTrialsAndBeginsNoOther) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(search("random", 50));
  coordinator().tick();
  listen();
  const auto cancelled = coordinator().cancel_sweep(id);
  ASSERT_TRUE(cancelled.ok()) << cancelled.status().message();
  EXPECT_EQ(state_of(id), "cancelled: cancelled by a client");
  EXPECT_EQ(state("s-4"), "cancelled: cancelled by a client");
  coordinator().tick();
  listen();
  for (const auto& [job, attempt] : running_) EXPECT_TRUE(attempt.stop) << attempt.name;
  const auto running = running_;
  for (const auto& [job, attempt] : running) {
    ASSERT_TRUE(ended("w", attempt.key(), "CANCELLED").ok());
  }
  crash();
  coordinator().tick();
  EXPECT_THAT(trials(id), SizeIs(4));
  EXPECT_EQ(sweep(id).trials().cancelled(), 4);
  EXPECT_EQ(coordinator().cancel_sweep(id).status().to_string(),
            "FAILED_PRECONDITION: sweep " + id + " (s) has already ended: cancelled");
  EXPECT_EQ(coordinator().cancel_sweep("sweep-x").status().to_string(),
            "NOT_FOUND: no sweep has the id or name \"sweep-x\"");
}

TEST_F(SweepTest, ASweepIsNamedByItsIdOrAUniqueName) {
  const std::string grid = "sweep: {grid: {train.weight_decay: [0.1, 0.2]}}";
  const std::string first = submit_sweep(grid);
  EXPECT_EQ(find_sweep(coordinator().reader(), "s")->id(), first);
  EXPECT_EQ(find_sweep(coordinator().reader(), "s")->trials().waiting(), 2);
  const std::string second = submit_sweep(grid);
  EXPECT_THAT(coordinator().cancel_sweep("s").status().to_string(),
              StartsWith("FAILED_PRECONDITION: several sweeps are named s, the newest first: " +
                         second + " (running, submitted "));
}

TEST_F(SweepTest, AGridEndsWithItsTrials) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep("sweep: {grid: {train.weight_decay: [0.1, 0.2, 0.3, 0.4]}}");
  EXPECT_THAT(trials(id), SizeIs(4));
  EXPECT_EQ(state_of(id), "running: submitted");
  finish(id);
  EXPECT_EQ(state_of(id), "finished: all 4 trials have ended");
}

TEST_F(SweepTest, TheNextTrialJoinsTheGangOfTheOneThatHasEnded) {
  config_.scheduler.bank_limit = 4;
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  submit_sweep(search("random", 6));
  coordinator().tick();
  listen();
  const std::string gang = job("s-1").gang();
  EXPECT_EQ(job("s-4").gang(), gang);
  ASSERT_TRUE(ended("w", "s-2/1", "OK").ok());
  coordinator().tick();
  EXPECT_EQ(link("w")->sent.back().assign().gang(), gang);
  listen();
  EXPECT_EQ(state("s-5"), "starting: 1 rank on worker w, joins a gang of 3");
  EXPECT_EQ(job("s-5").gang(), gang);
  EXPECT_EQ(job("s-1").gang_jobs(), 4);
  EXPECT_EQ(coordinator().workers().at(0).used_slots(), 1);
  for (const char* name : {"s-1", "s-3", "s-4"}) {
    ASSERT_TRUE(ended("w", std::string(name) + "/1", "OK").ok());
  }
  EXPECT_EQ(coordinator().workers().at(0).used_slots(), 1) << "s-5 holds the gang's slot";
}

// The assignment is lost on its way: the worker knows the gang, but not who was to join it.
TEST_F(SweepTest, ATrialThatWasToJoinIsSentAgain) {
  config_.scheduler.bank_limit = 4;
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  submit_sweep(search("random", 6));
  coordinator().tick();
  ASSERT_TRUE(ended("w", "s-2/1", "OK").ok());
  coordinator().tick();
  const std::string gang = job("s-1").gang();
  ASSERT_TRUE(connect("w", 1, {"s-1/1", "s-3/1", "s-4/1"}).ok());
  EXPECT_EQ(link("w")->sent.back().assign().gang(), gang);
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign s-5/1"));
}

// Of a bank on one slot, whose second trial is worse than its first.
TEST_F(SweepTest, WhomARungStopsLeavesItsPlaceInTheGangToTheNext) {
  config_.scheduler.bank_limit = 4;
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  const std::string id = submit_sweep(search(kAsha, 12));
  coordinator().tick();
  listen();
  const std::string gang = job("s-1").gang();
  ASSERT_TRUE(events("w", "s-1/1", 1, {eval_event(1, 0.1)}).ok());
  ASSERT_TRUE(events("w", "s-2/1", 1, {eval_event(1, 0.9)}).ok());
  coordinator().tick();
  listen();
  EXPECT_TRUE(running_.at(job("s-2").id()).stop);
  EXPECT_FALSE(running_.at(job("s-1").id()).stop);
  EXPECT_THAT(trials(id), SizeIs(4)) << "at a time";
  ASSERT_TRUE(ended("w", "s-2/1", "CANCELLED").ok());
  coordinator().tick();
  listen();
  EXPECT_EQ(state("s-5"), "starting: 1 rank on worker w, joins a gang of 3");
  EXPECT_EQ(job("s-5").gang(), gang);
  for (const char* name : {"s-1", "s-3", "s-4"}) {
    EXPECT_EQ(job(name).attempt(), 1) << name;
    EXPECT_FALSE(running_.at(job(name).id()).stop) << name;
  }
}

TEST_F(SweepTest, ABudgetOfTokensStopsWhatRuns) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(search("random", 100, ", tokens: 500"));
  coordinator().tick();
  listen();
  for (int step = 1; step <= 2; ++step) {
    for (const char* name : {"s-1", "s-2"}) {  // 100 tokens a step
      ASSERT_TRUE(events("w", std::string(name) + "/1", step, {step_event(step)}).ok());
    }
  }
  coordinator().tick();
  listen();
  for (const auto& [job, attempt] : running_) EXPECT_FALSE(attempt.stop) << "400 are spent";
  ASSERT_TRUE(events("w", "s-1/1", 3, {step_event(3)}).ok());
  coordinator().tick();
  listen();
  for (const auto& [job, attempt] : running_) EXPECT_TRUE(attempt.stop) << attempt.name;
  EXPECT_EQ(state("s-4"), "cancelled: stopped by its sweep: the budget of 500 tokens is spent");
  const auto running = running_;
  for (const auto& [job, attempt] : running) {
    ASSERT_TRUE(ended("w", attempt.key(), "CANCELLED").ok());
  }
  coordinator().tick();
  EXPECT_EQ(state_of(id), "finished: the budget of 500 tokens is spent");
}

TEST_F(SweepTest, ABudgetOfDevicesBoundsWhatRunsAtOnce) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(search("random", 4, ", devices: 2"));
  coordinator().tick();
  listen();
  EXPECT_THAT(trials(id), SizeIs(2)) << "of four that may run at once";
  ASSERT_TRUE(ended("w", "s-1/1", "OK").ok());
  coordinator().tick();
  EXPECT_THAT(trials(id), SizeIs(3));
}

TEST_F(SweepTest, ItsCostIsWhatItsTrialsHaveTaken) {
  config_.scheduler.bank_limit = 2;
  restart();
  ASSERT_TRUE(connect("w", 2).ok());
  const std::string id = submit_sweep(
      "resources: {ranks: 2}\n"
      "sweep: {goal: {metric: loss, mode: min}, grid: {train.weight_decay: [0.5, 0.25]}}");
  coordinator().tick();
  listen();
  ASSERT_EQ(job("s-1").gang(), job("s-2").gang());
  clock_.advance(Millis(8000));
  for (const char* name : {"s-1", "s-2"}) {
    const std::string key = std::string(name) + "/1";
    ASSERT_TRUE(events("w", key, 1, {step_event(1), step_event(2)}).ok());
    ASSERT_TRUE(ended("w", key, "OK").ok());
  }
  coordinator().tick();
  const auto results = results_of(sweep(id), trials(id));
  ASSERT_EQ(results.settings_size(), 2);
  for (const v1::SettingResult& row : results.settings()) {
    EXPECT_EQ(row.cost().tokens(), 200);
    EXPECT_NEAR(row.cost().seconds(), 8, 0.2);
    EXPECT_NEAR(row.cost().device_seconds(), 8, 0.2) << "two ranks, of a gang of two jobs";
  }
}

TEST_F(SweepTest, ATrialThatSomebodyCancelsGivesItsPlaceToTheNext) {
  const std::string id = submit_sweep(search("random", 6));
  ASSERT_TRUE(coordinator().cancel("s-2").ok());
  coordinator().tick();
  EXPECT_THAT(trials(id), SizeIs(5));
}

TEST_F(SweepTest, SurvivesBeingKilledAtAnyMoment) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string whole = submit_sweep(search(kAsha, 30));
  finish(whole);
  const auto expected = trials(whole);
  for (unsigned seed = 0; seed < 12; ++seed) {
    running_.clear();
    const std::string id = submit_sweep(search(kAsha, 30), fmt::format("killed{}", seed));
    EXPECT_GT(finish_killed(id, seed), 10);
    EXPECT_EQ(state_of(id), "finished: all 30 trials were begun");
    const auto jobs = trials(id);
    ASSERT_EQ(jobs.size(), expected.size()) << "none lost, none repeated";
    for (size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_EQ(jobs[i].trial().number(), static_cast<int>(i) + 1);
      EXPECT_EQ(jobs[i].trial().setting().at("train.weight_decay"),
                expected[i].trial().setting().at("train.weight_decay"));
      const bool stopped = jobs[i].state() == v1::JOB_STATE_CANCELLED;
      EXPECT_TRUE(stopped || jobs[i].state() == v1::JOB_STATE_SUCCEEDED);
      EXPECT_TRUE(stopped || jobs[i].progress().evals_size() == kSteps) << jobs[i].reason();
      EXPECT_EQ(jobs[i].attempt(), 1) << "no crash of the coordinator restarts a trial";
    }
  }
}

// What these propose follows from what has been reported by then, so that the settings may differ.
TEST_F(SweepTest, OtherSearchesSurviveBeingKilledAtAnyMomentToo) {
  ASSERT_TRUE(connect("w", 3).ok());
  for (const auto& [name, kind] : std::map<std::string, std::string>{
           {"tpe", "tpe"}, {"hyperband", "{type: hyperband, min_steps: 1}"}}) {
    for (unsigned seed = 0; seed < 4; ++seed) {
      running_.clear();
      const std::string id = submit_sweep(search(kind, 20), fmt::format("{}{}", name, seed));
      EXPECT_GT(finish_killed(id, seed), 10);
      EXPECT_EQ(state_of(id), "finished: all 20 trials were begun");
      const auto jobs = trials(id);
      ASSERT_EQ(jobs.size(), 20U) << "none lost, none repeated";
      for (size_t i = 0; i < jobs.size(); ++i) {
        EXPECT_EQ(jobs[i].trial().number(), static_cast<int>(i) + 1);
        EXPECT_EQ(jobs[i].attempt(), 1);
        const bool stopped = jobs[i].state() == v1::JOB_STATE_CANCELLED;
        EXPECT_TRUE(stopped || jobs[i].progress().evals_size() == kSteps) << jobs[i].reason();
      }
    }
  }
}

const std::string kPopulation =
    "sweep: {search: {type: pbt, interval: 3}, budget: {trials: 4}, seed: 5, goal: {metric: loss,"
    " mode: min}, max_concurrent: 3, space: {train.weight_decay: {type: uniform, low: 0, high: "
    "1}}}";

// By trial: what the model came through, as its newest checkpoint says.
std::vector<std::string> lineages(const std::vector<v1::Job>& jobs) {
  std::vector<std::string> all;
  for (const v1::Job& job : jobs) {
    const v1::Trial& trial = job.trial();
    all.push_back(fmt::format("{} of {} from {} to {} with {}", trial.number(), trial.member(),
                              trial.parent(), job.spec().train().max_steps(),
                              trial.setting().at("train.weight_decay")));
  }
  return all;
}

TEST_F(SweepTest, APopulationGoesOnFromItsBest) {
  leaves_checkpoints_ = true;
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(kPopulation);
  EXPECT_THAT(trials(id), SizeIs(3)) << "max_concurrent";
  finish(id);
  EXPECT_EQ(state_of(id), "finished: all 12 trials were begun");
  const auto jobs = trials(id);
  ASSERT_THAT(jobs, SizeIs(12)) << "3 generations of 4 members";
  for (const v1::Job& job : jobs) {
    const v1::Trial& trial = job.trial();
    EXPECT_EQ(trial.member(), (trial.number() - 1) % 4 + 1);
    EXPECT_EQ(job.spec().train().max_steps(), 3 * ((trial.number() - 1) / 4 + 1));
    EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.reason();
    EXPECT_EQ(job.progress().evals_size(), 3) << "of its own steps";
    if (trial.number() <= 4) {
      EXPECT_EQ(trial.parent(), 0);
      EXPECT_FALSE(job.spec().train().has_continue_from());
      continue;
    }
    const v1::Job& parent = jobs.at(trial.parent() - 1);
    const auto checkpoint = coordinator().reader().newest_checkpoint(parent.id());
    EXPECT_EQ(job.spec().train().continue_from(),
              "content://" + (*checkpoint)->sha256() + "/step-" +
                  std::to_string(parent.spec().train().max_steps()));
  }
  const auto results = results_of(sweep(id), jobs);
  int scored = 0;
  for (const v1::SettingResult& row : results.settings()) scored += row.has_mean() ? 1 : 0;
  EXPECT_EQ(scored, 4) << "the newest trial of each member";
}

TEST_F(SweepTest, APopulationSurvivesBeingKilledAtAnyMoment) {
  leaves_checkpoints_ = true;
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string whole = submit_sweep(kPopulation);
  finish(whole);
  const auto expected = lineages(trials(whole));
  for (unsigned seed = 0; seed < 12; ++seed) {
    running_.clear();
    const std::string id = submit_sweep(kPopulation, fmt::format("killed{}", seed));
    EXPECT_GT(finish_killed(id, seed), 5);
    EXPECT_EQ(lineages(trials(id)), expected) << "none lost, none repeated, whatever came first";
    for (const v1::Job& job : trials(id)) EXPECT_EQ(job.attempt(), 1);
  }
}

TEST_F(SweepTest, APopulationWithoutACheckpointToGoOnFromFails) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(kPopulation);  // whose worker leaves none
  finish(id);
  EXPECT_THAT(state_of(id), StartsWith("failed: job job-"));
  EXPECT_THAT(state_of(id), HasSubstr(" has no checkpoint in the store; allowed: "));
  EXPECT_THAT(trials(id), SizeIs(4));
}

// Seeds, searches by combination and tests: what each job is to be.
std::vector<std::string> descriptions(const std::vector<v1::Job>& jobs) {
  std::vector<std::string> all;
  for (const v1::Job& job : jobs) {
    const v1::Trial& trial = job.trial();
    all.push_back(fmt::format("{}/{} {} {} seed {} {}", trial.combination(), trial.candidate(),
                              job.spec().train().weight_decay(),
                              job.spec().train().global_batch_size(), job.spec().train().seed(),
                              job.spec().eval().split()));
  }
  std::sort(all.begin(), all.end());
  return all;
}

const std::string kTested =
    "data: {train: t, validation: v, eval: e}\n"
    "sweep: {search: grid, seeds: [4, 5], test: {seeds: [7, 8, 9]}, max_concurrent: 4,"
    " grid: {train.global_batch_size: [1, 2]}, space: {train.weight_decay: [0.5, 0.25]}}";

TEST_F(SweepTest, TestsWhatEachOfItsSearchesHasFound) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(kTested);
  finish(id);
  EXPECT_EQ(state_of(id), "finished: all 14 trials were begun");
  std::vector<std::string> expected;
  for (int combination = 0; combination < 2; ++combination) {
    for (const int seed : {4, 5}) {
      expected.push_back(
          fmt::format("{}/1 0.5 {} seed {} validation", combination, combination + 1, seed));
      expected.push_back(
          fmt::format("{}/2 0.25 {} seed {} validation", combination, combination + 1, seed));
    }
    for (const int seed : {7, 8, 9}) {
      expected.push_back(
          fmt::format("{}/2 0.25 {} seed {} test", combination, combination + 1, seed));
    }
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(descriptions(trials(id)), expected);
  const auto results = results_of(sweep(id), trials(id));
  EXPECT_TRUE(results.answer().tested());
  const v1::BenchmarkScore& score = results.answer().methods(0).benchmarks(0);
  EXPECT_EQ(score.setting().at("train.weight_decay"), "0.25");
  EXPECT_EQ(score.validation_mean(), 0.25);
}

TEST_F(SweepTest, TestsSurviveBeingKilledAtAnyMoment) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string whole = submit_sweep(kTested);
  finish(whole);
  const auto expected = descriptions(trials(whole));
  for (unsigned seed = 0; seed < 6; ++seed) {
    running_.clear();
    const std::string id = submit_sweep(kTested, fmt::format("killed{}", seed));
    finish_killed(id, seed);
    EXPECT_EQ(descriptions(trials(id)), expected) << "none lost, none repeated";
  }
}

// Its disk refuses the transaction that begins a trial: the next process begins it.
TEST_F(SweepTest, ATrialThatCouldNotBeStoredIsBegunByTheNextProcess) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(search("random", 6));
  auto other = store::Database::open(database());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other
                  ->execute("CREATE TRIGGER full BEFORE INSERT ON jobs BEGIN"
                            " SELECT RAISE(ABORT, 'disk is full'); END")
                  .ok());
  ASSERT_TRUE(coordinator().cancel("s-4").ok());
  coordinator().tick();
  EXPECT_THAT(store_failures_, SizeIs(1));
  EXPECT_THAT(trials(id), SizeIs(4));
  ASSERT_TRUE(other->execute("DROP TRIGGER full").ok());
  crash();
  finish(id);
  EXPECT_EQ(state_of(id), "finished: all 6 trials were begun");
  EXPECT_THAT(trials(id), SizeIs(6));
}

TEST_F(SweepTest, ResultsAreMeansOverSeeds) {
  ASSERT_TRUE(connect("w", 3).ok());
  const std::string id = submit_sweep(
      "sweep: {goal: {metric: loss, mode: min},"
      " grid: {train.weight_decay: [0.5, 0.25], train.seed: [1, 2, 3]}}");
  finish(id);
  const auto results = results_of(sweep(id), trials(id));
  EXPECT_EQ(results.sweep().goal().metric(), "loss");
  EXPECT_EQ(results.sweep().goal().mode(), "min");
  ASSERT_EQ(results.settings_size(), 2);
  const v1::SettingResult& best = results.settings(0);
  EXPECT_EQ(best.setting().at("train.weight_decay"), "0.25");
  EXPECT_FALSE(best.setting().contains("train.seed"));
  EXPECT_EQ(best.mean(), 0.25);
  EXPECT_EQ(best.sd(), 0);
  EXPECT_EQ(best.trials().succeeded(), 3);
  EXPECT_FALSE(best.best_job_id().empty());
}

}  // namespace
}  // namespace prefixmem
