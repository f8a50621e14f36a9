// Whole searches in a coordinator over a real store, on eight workers whose trials have learning
// curves known in advance.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "common/content/content_name.h"
#include "common/proto/sweep_state.h"
#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "coordinator/core/find_job.h"
#include "coordinator/core/sweep_results.h"
#include "tests/unit/coordinator/service.h"
#include "tests/unit/coordinator/sweep_curves.h"

namespace prefixmem {
namespace {

constexpr int kClusterWorkers = 8;
constexpr int kClusterTrials = 200;
constexpr int64_t kTrialSteps = 27;
constexpr int kGenerations = 3;

const std::string kPbt = "{type: pbt, interval: 9}";

JobSpec spec_of(const std::string& kind) {
  std::string space = kind == "grid" ? sweep::kGridSpace : sweep::kSpace;
  if (kind == kPbt) space = sweep::kPopulationSpace;
  const auto spec = parse_job_spec(
      fmt::format("name: s\nmodel: /m\ndata: {{train: t, eval: e}}\n"
                  "train: {{max_steps: {}, eval_every: 1}}\n"
                  "sweep: {{search: {}, seed: 1, budget: {{trials: {}}}, max_concurrent: {},"
                  " goal: {{metric: loss, mode: max}}, {}}}",
                  kTrialSteps, kind, kClusterTrials, kClusterWorkers, space));
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? *spec : JobSpec();
}

sweep::Plan plan_of(const JobSpec& spec) {
  const auto plan = sweep::plan_of(spec);
  EXPECT_TRUE(plan.ok());
  return plan.ok() ? plan->searches.front().plan : sweep::Plan();
}

Setting setting_of(const v1::Job& job) {
  return {job.trial().setting().begin(), job.trial().setting().end()};
}

class SweepClusterTest : public CoordinatorTest {
 protected:
  struct Running {
    std::string key;  // "s-1/1"
    Setting setting;
    int64_t first = 0;  // step of the checkpoint that it goes on from
    int64_t last = kTrialSteps;
    int64_t told = 0;  // evaluations
    bool stop = false;
  };

  // The sweep when it is over; counts the steps of its trials.
  v1::Sweep run(const JobSpec& spec) {
    for (int i = 0; i < kClusterWorkers; ++i) EXPECT_TRUE(connect(name_of(i), 1).ok());
    const auto submitted = coordinator().submit(spec, "");
    EXPECT_TRUE(submitted.ok()) << submitted.status().message();
    for (int round = 0; round < 100 * kClusterTrials; ++round) {
      coordinator().tick();
      auto sweep = find_sweep(coordinator().reader(), submitted->sweep_id());
      EXPECT_TRUE(sweep.ok());
      if (!sweep.ok() || has_ended(sweep->state())) return sweep.ok() ? *sweep : v1::Sweep();
      for (int i = 0; i < kClusterWorkers; ++i) {
        listen(name_of(i));
        tell(name_of(i));
      }
    }
    ADD_FAILURE() << "the sweep never ends";
    return {};
  }

  std::vector<v1::Job> trials(const std::string& sweep) {
    auto jobs = coordinator().reader().trials(sweep);
    EXPECT_TRUE(jobs.ok());
    return jobs.ok() ? *jobs : std::vector<v1::Job>();
  }

  // Of the trial that the results call the best.
  Setting best_setting(const v1::Sweep& sweep) {
    const auto jobs = trials(sweep.id());
    const auto results = results_of(sweep, jobs);
    for (const v1::Job& job : jobs) {
      if (results.settings_size() > 0 && job.id() == results.settings(0).best_job_id()) {
        return setting_of(job);
      }
    }
    ADD_FAILURE() << "the results have no best trial";
    return {};
  }

  int64_t steps_ = 0;

 private:
  static std::string name_of(int worker) { return fmt::format("w{}", worker); }

  void listen(const std::string& worker) {
    for (const auto& message : std::exchange(link(worker)->sent, {})) {
      for (const auto& one : message.assign().attempts()) {
        ASSERT_FALSE(running_.contains(worker)) << "a slot has one trial";
        const TrainSpec train = parse_job_spec(one.spec_yaml())->train;
        running_[worker] = {.key = fmt::format("{}/{}", one.job_name(), one.id().attempt()),
                            .setting = setting_of(job(one.job_name())),
                            .first = first_step(train),
                            .last = *train.max_steps};
      }
      if (message.has_cancel()) running_.at(worker).stop = true;
    }
  }

  int64_t first_step(const TrainSpec& train) const {
    if (!train.continue_from) return 0;
    return checkpoints_.at(parse_content_name(*train.continue_from)->sha256);
  }

  // Its trial's next evaluation, or its end.
  void tell(const std::string& worker) {
    const auto found = running_.find(worker);
    if (found == running_.end()) return;
    Running& trial = found->second;
    if (trial.stop || trial.first + trial.told == trial.last) {
      if (!trial.stop) leave_checkpoint(trial);
      ASSERT_TRUE(ended(worker, trial.key, trial.stop ? "CANCELLED" : "OK").ok());
      running_.erase(found);
      return;
    }
    v1::TrainerEvent event;
    event.mutable_eval()->set_metric("loss");
    const int64_t step = trial.first + ++trial.told;
    event.mutable_eval()->set_step(step);
    event.mutable_eval()->set_value(sweep::accuracy(trial.setting, step, kTrialSteps, noise_));
    ASSERT_TRUE(events(worker, trial.key, trial.told, {event}).ok());
    ++steps_;
  }

  void leave_checkpoint(const Running& trial) {
    ASSERT_TRUE(upload(trial.key, trial.last, trial.key).ok());
    checkpoints_[sha256_hex(trial.key)] = trial.last;
  }

  std::map<std::string, Running> running_;      // by worker
  std::map<std::string, int64_t> checkpoints_;  // by sha256: their steps
  sweep::Draws noise_{7, 7};
};

class EverySearch : public SweepClusterTest, public testing::WithParamInterface<std::string> {};

// Of the trials that have come to the last step, whose scores are free of noise.
double best_whole_trial(const std::vector<v1::Job>& jobs) {
  double best = 0;
  for (const v1::Job& job : jobs) {
    const auto& evals = job.progress().evals();
    const bool whole = !evals.empty() && evals.rbegin()->step() == kTrialSteps;
    if (whole) best = std::max(best, sweep::quality(setting_of(job)));
  }
  return best;
}

TEST_P(EverySearch, FindsTheBestOfTheTopTwentieth) {
  const std::string& kind = GetParam();
  const JobSpec spec = spec_of(kind);
  const v1::Sweep sweep = run(spec);
  const int generations = kind == kPbt ? kGenerations : 1;
  const int count = generations * kClusterTrials;
  EXPECT_EQ(sweep.reason(), fmt::format("all {} trials were begun", count));
  const auto jobs = trials(sweep.id());
  ASSERT_EQ(jobs.size(), static_cast<size_t>(count));
  for (const v1::Job& job : jobs) {
    const bool stopped = job.state() == v1::JOB_STATE_CANCELLED;
    EXPECT_TRUE(stopped || job.progress().evals_size() == kTrialSteps / generations)
        << job.reason();
  }
  const Setting best = best_setting(sweep);
  EXPECT_EQ(sweep::quality(best), best_whole_trial(jobs));
  EXPECT_GE(sweep::quality(best), sweep::top_twentieth(plan_of(spec)));
  if (kind == "grid") {
    EXPECT_EQ(best, sweep::best_of_grid(plan_of(spec)));
  }
  const int64_t whole = kClusterTrials * kTrialSteps;
  if (kind.starts_with("{type: asha")) {
    EXPECT_LT(3 * steps_, whole) << "under a third of the grid's budget";
  } else if (!kind.starts_with("{type: hyperband")) {
    EXPECT_EQ(steps_, whole) << "nothing is stopped";
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EverySearch,
                         testing::Values("grid", "random", "tpe", kPbt,
                                         "{type: asha, min_steps: 1, reduction_factor: 3}",
                                         "{type: hyperband, min_steps: 1, max_steps: 27}"));

}  // namespace
}  // namespace prefixmem
