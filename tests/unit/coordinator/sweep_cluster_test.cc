// Whole searches in a coordinator over a real store, on eight workers whose trials have learning
// curves known in advance.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "common/proto/sweep_state.h"
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

JobSpec spec_of(const std::string& kind) {
  const auto spec = parse_job_spec(
      fmt::format("name: s\nmodel: /m\ndata: {{train: t, eval: e}}\n"
                  "train: {{max_steps: {}, eval_every: 1}}\n"
                  "sweep: {{search: {}, seed: 1, budget: {{trials: {}}}, max_concurrent: {},"
                  " goal: {{metric: loss, mode: max}}, {}}}",
                  kTrialSteps, kind, kClusterTrials, kClusterWorkers,
                  kind == "grid" ? sweep::kGridSpace : sweep::kSpace));
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? *spec : JobSpec();
}

// The quality that only a twentieth of the settings exceeds.
double top_of(const JobSpec& spec) {
  const auto plan = sweep::plan_of(spec);
  EXPECT_TRUE(plan.ok());
  return plan.ok() ? sweep::top_twentieth(plan->searches.front().plan) : 0;
}

Setting setting_of(const v1::Job& job) {
  return {job.trial().setting().begin(), job.trial().setting().end()};
}

class SweepClusterTest : public CoordinatorTest {
 protected:
  struct Running {
    std::string key;  // "s-1/1"
    Setting setting;
    int64_t step = 0;
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
  double best_quality(const v1::Sweep& sweep) {
    const auto jobs = trials(sweep.id());
    const auto results = results_of(sweep, jobs);
    for (const v1::Job& job : jobs) {
      if (results.settings_size() > 0 && job.id() == results.settings(0).best_job_id()) {
        return sweep::quality(setting_of(job));
      }
    }
    return 0;
  }

  int64_t steps_ = 0;

 private:
  static std::string name_of(int worker) { return fmt::format("w{}", worker); }

  void listen(const std::string& worker) {
    for (const auto& message : std::exchange(link(worker)->sent, {})) {
      for (const auto& one : message.assign().attempts()) {
        ASSERT_FALSE(running_.contains(worker)) << "a slot has one trial";
        running_[worker] = {.key = fmt::format("{}/{}", one.job_name(), one.id().attempt()),
                            .setting = setting_of(job(one.job_name()))};
      }
      if (message.has_cancel()) running_.at(worker).stop = true;
    }
  }

  // Its trial's next evaluation, or its end.
  void tell(const std::string& worker) {
    const auto found = running_.find(worker);
    if (found == running_.end()) return;
    Running& trial = found->second;
    if (trial.stop || trial.step == kTrialSteps) {
      ASSERT_TRUE(ended(worker, trial.key, trial.stop ? "CANCELLED" : "OK").ok());
      running_.erase(found);
      return;
    }
    v1::TrainerEvent event;
    event.mutable_eval()->set_metric("loss");
    event.mutable_eval()->set_step(++trial.step);
    event.mutable_eval()->set_value(
        sweep::accuracy(trial.setting, trial.step, kTrialSteps, noise_));
    ASSERT_TRUE(events(worker, trial.key, trial.step, {event}).ok());
    ++steps_;
  }

  std::map<std::string, Running> running_;  // by worker
  sweep::Draws noise_{7, 7};
};

class EverySearch : public SweepClusterTest, public testing::WithParamInterface<std::string> {};

TEST_P(EverySearch, FindsASettingOfTheTopTwentieth) {
  const JobSpec spec = spec_of(GetParam());
  const v1::Sweep sweep = run(spec);
  EXPECT_EQ(sweep.reason(), "all 200 trials were begun");
  const auto jobs = trials(sweep.id());
  ASSERT_EQ(jobs.size(), static_cast<size_t>(kClusterTrials));
  for (const v1::Job& job : jobs) {
    const bool stopped = job.state() == v1::JOB_STATE_CANCELLED;
    EXPECT_TRUE(stopped || job.progress().evals_size() == kTrialSteps) << job.reason();
  }
  EXPECT_GE(best_quality(sweep), top_of(spec));
  const int64_t whole = kClusterTrials * kTrialSteps;
  if (GetParam().starts_with("{type: asha")) {
    EXPECT_LT(3 * steps_, whole) << "under a third of the grid's budget";
  } else if (!GetParam().starts_with('{')) {
    EXPECT_EQ(steps_, whole) << "nothing is stopped";
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EverySearch,
                         testing::Values("grid", "random", "tpe",
                                         "{type: asha, min_steps: 1, reduction_factor: 3}",
                                         "{type: hyperband, min_steps: 1, max_steps: 27}"));

}  // namespace
}  // namespace prefixmem
