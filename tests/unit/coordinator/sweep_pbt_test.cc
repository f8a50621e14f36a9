// Populations: who goes on from whom, with which settings.
#include "coordinator/sweep/pbt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "coordinator/sweep/decide.h"
#include "coordinator/sweep/draws.h"
#include "tests/unit/coordinator/sweep_plans.h"

namespace prefixmem::sweep {
namespace {

constexpr int kMembers = 8;

const std::string kSpace =
    "space: {train.learning_rate: {type: log_uniform, low: 1e-4, high: 1e-1},"
    " train.warmup_steps: {type: int, low: 0, high: 20},"
    " train.weight_decay: {type: uniform, low: 0, high: 0.5},"
    " train.max_grad_norm: [0, 1, 2, 4]}, goal: {metric: loss, mode: min}, max_concurrent: 100";

std::string population(const std::string& more = "") {
  return "{search: {type: pbt, interval: 30" + more + "}, budget: {trials: 8}, " + kSpace + "}";
}

PbtSearch search_of(const Plan& plan) { return std::get<PbtSearch>(plan.search); }

std::optional<Generation> next_of(const Plan& plan, const History& history) {
  const int number = static_cast<int>(history.trials.size()) + 1;
  return next_generation(plan, search_of(plan), history, number);
}

// A generation more, open; its members.
std::vector<Generation> begin(const Plan& plan, History& history) {
  std::vector<Generation> begun;
  for (int i = 0; i < kMembers; ++i) {
    auto next = next_of(plan, history);
    if (!next) break;
    const int number = static_cast<int>(history.trials.size()) + 1;
    history.trials.push_back({.number = number, .setting = next->setting});
    begun.push_back(*std::move(next));
  }
  return begun;
}

void finish(Trial& trial, double loss) {
  trial.state = TrialState::kFinished;
  trial.reports = {{30, loss}};
}

// The newest generation ends with these losses; NaN: the member has failed.
void finish(History& history, const std::vector<double>& losses) {
  for (size_t i = 0; i < losses.size(); ++i) {
    Trial& trial = history.trials[history.trials.size() - losses.size() + i];
    if (std::isnan(losses[i])) {
      trial.state = TrialState::kFailed;
    } else {
      finish(trial, losses[i]);
    }
  }
}

TEST(Pbt, TheWorstGoOnFromTheBestAndTheOthersFromThemselves) {
  const Plan searching = plan(population());
  History history;
  const auto first = begin(searching, history);
  ASSERT_EQ(first.size(), 8u);
  for (int i = 0; i < kMembers; ++i) {
    EXPECT_EQ(first[i].member, i + 1);
    EXPECT_EQ(first[i].parent, 0);
  }
  EXPECT_FALSE(next_of(searching, history)) << "the generation has not ended";
  finish(history, {0.5, 0.9, 0.1, 0.4, 0.8, 0.3, 0.2, 0.6});  // a quarter of 8: two
  const auto second = begin(searching, history);
  ASSERT_EQ(second.size(), 8u);
  for (int i = 0; i < kMembers; ++i) {
    EXPECT_EQ(second[i].member, i + 1);
    if (i == 1 || i == 4) {
      EXPECT_TRUE(second[i].parent == 3 || second[i].parent == 7) << "member " << i + 1;
      EXPECT_NE(second[i].setting, history.trials[second[i].parent - 1].setting);
    } else {
      EXPECT_EQ(second[i].parent, i + 1);
      EXPECT_EQ(second[i].setting, history.trials[i].setting);
    }
  }
}

TEST(Pbt, FollowsTheMode) {
  Plan searching = plan(population());
  searching.goal.mode = GoalSpec::Mode::kMax;
  History history;
  begin(searching, history);
  finish(history, {0.5, 0.9, 0.1, 0.4, 0.8, 0.3, 0.2, 0.6});
  const auto second = begin(searching, history);
  for (const int worst : {3, 7}) {
    const int parent = second[worst - 1].parent;
    EXPECT_TRUE(parent == 2 || parent == 5) << parent;
  }
}

TEST(Pbt, WhoeverHasNoScoreTakesOverToo) {
  const Plan searching = plan(population());
  const double failed = std::nan("");
  History history;
  begin(searching, history);
  finish(history, {failed, failed, 0.3, failed, failed, failed, 0.2, failed});
  history.trials[0].state = TrialState::kStopped;
  finish(history.trials[1], std::nan(""));
  const auto second = begin(searching, history);
  ASSERT_EQ(second.size(), 8u);
  for (int i = 0; i < kMembers; ++i) {
    const int parent = second[i].parent;
    EXPECT_TRUE(parent == 3 || parent == 7) << parent;
  }
  EXPECT_EQ(second[2].parent, 3);
  EXPECT_EQ(second[6].parent, 7);
}

TEST(Pbt, DiesOutWhereNobodyHasAScore) {
  const Plan searching = plan(population());
  History history;
  begin(searching, history);
  EXPECT_FALSE(died_out(searching, history));
  finish(history, std::vector<double>(kMembers, std::nan("")));
  EXPECT_TRUE(died_out(searching, history));
  EXPECT_FALSE(next_of(searching, history));
}

TEST(Pbt, GenerationsGoOnToTheLastStep) {
  const Plan searching = plan(population());  // 100 steps
  History history;
  for (int generation = 0; generation < 4; ++generation) {
    ASSERT_EQ(begin(searching, history).size(), 8u);
    EXPECT_EQ(last_step(searching, generation * 8 + 1), std::min(30 * (generation + 1), 100));
    EXPECT_EQ(last_step(searching, generation * 8 + 8), std::min(30 * (generation + 1), 100));
    finish(history, {1, 2, 3, 4, 5, 6, 7, 8});
  }
  EXPECT_FALSE(next_of(searching, history));
  EXPECT_FALSE(died_out(searching, history));
  EXPECT_FALSE(last_step(plan("{" + kSpace + "}"), 1)) << "of another search";
}

TEST(Pbt, APopulationOfOneGoesOnFromItself) {
  Plan searching = plan(population());
  searching.settings = 1;
  History history;
  const auto first = next_of(searching, history);
  history.trials.push_back({.number = 1, .setting = first->setting});
  finish(history.trials[0], 5);
  const auto second = next_of(searching, history);
  EXPECT_EQ(second->parent, 1);
  EXPECT_EQ(second->setting, first->setting);
}

double number(const Setting& setting, const std::string& path) {
  return std::stod(setting.at(path));
}

// Within the ends of its domain a number is times 1.2 or 0.8, a whole number at least one further.
void expect_near(const Setting& child, const Setting& parent) {
  for (const char* path : {"train.learning_rate", "train.weight_decay"}) {
    const double ratio = number(child, path) / number(parent, path);
    const bool at_end =
        number(child, path) == 0.1 || number(child, path) == 0.5 || number(child, path) == 1e-4;
    EXPECT_TRUE(at_end || std::abs(ratio - 1.2) < 1e-9 || std::abs(ratio - 0.8) < 1e-9) << ratio;
  }
  const int64_t before = std::stoll(parent.at("train.warmup_steps"));
  const int64_t after = std::stoll(child.at("train.warmup_steps"));
  const bool stays = after == before;
  EXPECT_TRUE(!stays || before == 0 || before == 20) << before;
  EXPECT_LE(std::abs(after - before), std::max(1.0, std::round(0.2 * before + 0.5)));
  static const std::vector<std::string> kNorms = {"0", "1", "2", "4"};
  const auto at = [&](const Setting& setting) {
    return std::find(kNorms.begin(), kNorms.end(), setting.at("train.max_grad_norm")) -
           kNorms.begin();
  };
  EXPECT_LE(std::abs(at(child) - at(parent)), 1);
}

// Those that take over after a first generation, with their parents' settings.
std::vector<std::pair<Setting, Setting>> explorers(const std::string& resample, int seed) {
  const Plan searching =
      plan("{search: {type: pbt, resample_probability: " + resample +
           "}, budget: {trials: 8}, seed: " + std::to_string(seed) + ", " + kSpace + "}");
  History history;
  begin(searching, history);
  finish(history, {1, 2, 3, 4, 5, 6, 7, 8});
  std::vector<std::pair<Setting, Setting>> found;
  for (const Generation& next : begin(searching, history)) {
    if (next.parent == next.member) continue;
    found.emplace_back(next.setting, history.trials[next.parent - 1].setting);
  }
  return found;
}

TEST(PbtProperty, ExploresNearTheParent) {
  std::map<std::string, int> ups;
  int all = 0;
  for (int seed = 0; seed < 200; ++seed) {
    for (const auto& [child, parent] : explorers("0", seed)) {
      expect_near(child, parent);
      ++all;
      for (const auto& [path, value] : child) {
        if (number(child, path) > number(parent, path)) ++ups[path];
      }
    }
  }
  EXPECT_EQ(all, 400);
  EXPECT_NEAR(ups["train.learning_rate"], 200, 40);
}

TEST(PbtProperty, OrAnewAsOftenAsItIsTold) {
  const auto share_near = [](const std::string& resample) {
    int near = 0, all = 0;
    for (int seed = 0; seed < 200; ++seed) {
      for (const auto& [child, parent] : explorers(resample, seed)) {
        const double ratio =
            number(child, "train.learning_rate") / number(parent, "train.learning_rate");
        near += std::abs(ratio - 1.2) < 1e-9 || std::abs(ratio - 0.8) < 1e-9 ? 1 : 0;
        ++all;
      }
    }
    return static_cast<double>(near) / all;
  };
  EXPECT_EQ(share_near("1"), 0);
  EXPECT_NEAR(share_near("0.25"), 0.75, 0.08);
}

// In whatever order members end, and with whatever losses: the same answer from the same history,
// whole generations, each member once, parents of the generation before, and the losses of those
// that are taken over never above the losses of those that take over.
TEST(PbtProperty, SelectionIsByTheScoresAlone) {
  for (int seed = 0; seed < 200; ++seed) {
    const Plan searching = plan(population(", quantile: 0." + std::to_string(1 + seed % 5)));
    Draws draws(seed, 0);
    History history;
    for (int generation = 0; generation < 4; ++generation) {
      const auto begun = begin(searching, history);
      ASSERT_EQ(begun.size(), 8u);
      const size_t first = history.trials.size() - kMembers;
      if (generation > 0) {
        for (const Generation& next : begun) {
          const auto before = static_cast<int>(first) - kMembers;
          ASSERT_GT(next.parent, before);
          ASSERT_LE(next.parent, before + kMembers);
          const Trial& own = history.trials[before + next.member - 1];
          const Trial& parent = history.trials[next.parent - 1];
          if (own.number == parent.number) continue;
          ASSERT_EQ(parent.state, TrialState::kFinished);
          const bool scored = own.state == TrialState::kFinished;
          EXPECT_TRUE(!scored || *score(parent) <= *score(own)) << "seed " << seed;
        }
      }
      std::vector<size_t> order = {0, 1, 2, 3, 4, 5, 6, 7};
      for (size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[static_cast<size_t>(draws.below(static_cast<int64_t>(i)))]);
      }
      for (const size_t i : order) {
        EXPECT_FALSE(next_of(searching, history)) << "not before all have ended";
        Trial& trial = history.trials[first + i];
        if (draws.uniform() < 0.2 && i > 0) {
          trial.state = TrialState::kFailed;
        } else {
          finish(trial, std::floor(draws.uniform() * 4));  // with ties
        }
      }
      History same = history;
      const auto once = begin(searching, same);
      same = history;
      const auto again = begin(searching, same);
      for (size_t i = 0; i < once.size(); ++i) {
        EXPECT_EQ(once[i].parent, again[i].parent);
        EXPECT_EQ(once[i].setting, again[i].setting);
      }
    }
  }
}

TEST(PbtProperty, TheSharesAreThoseOfTheQuantile) {
  for (const auto& [quantile, taking] : std::map<std::string, size_t>{
           {"0.1", 1}, {"0.125", 1}, {"0.2", 2}, {"0.25", 2}, {"0.3", 3}, {"0.5", 4}}) {
    std::set<int> parents;
    for (int seed = 0; seed < 60; ++seed) {
      Plan searching = plan(population(", quantile: " + quantile));
      searching.seed = seed;
      History history;
      begin(searching, history);
      finish(history, {1, 2, 3, 4, 5, 6, 7, 8});
      size_t taken = 0;
      for (const Generation& next : begin(searching, history)) {
        if (next.parent == next.member) continue;
        ++taken;
        parents.insert(next.parent);
        EXPECT_GT(static_cast<size_t>(next.member), 8 - taking);
      }
      EXPECT_EQ(taken, taking) << quantile;
    }
    EXPECT_EQ(parents.size(), taking) << "every one of the best is drawn now and then";
    EXPECT_EQ(*parents.rbegin(), static_cast<int>(taking));
  }
}

// Through the decisions of a whole sweep: two combinations, each a population of its own.
TEST(PbtSweep, EachCombinationIsAPopulation) {
  const SweepPlan whole = whole_plan(
      "{search: {type: pbt, interval: 50}, budget: {trials: 3}, grid: {train.seed: [1, 2]}, " +
      kSpace + "}");
  Record record;
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (Next found = next(whole, record, 1); found.kind == Next::Kind::kTrial;
         found = next(whole, record, 1)) {
      record.put(whole, found.run);
      goes_on = true;
    }
    const std::vector<sweep::Run> runs = record.runs();
    for (sweep::Run run : runs) {
      if (run.state != TrialState::kOpen) continue;
      run.state = TrialState::kFinished;
      run.reports = {{50, static_cast<double>(run.number)}};
      record.put(whole, std::move(run));
    }
  }
  EXPECT_EQ(next(whole, record, 1).reason, "all 12 trials were begun");
  for (const sweep::Run& run : record.runs()) {
    EXPECT_EQ(run.parent > 0, run.number > 6);
    if (run.parent == 0) continue;
    const sweep::Run& parent = record.runs()[run.parent - 1];
    EXPECT_EQ(parent.place.combination, run.place.combination);
    const bool worst = run.member == 3;
    EXPECT_EQ(parent.member, worst ? 1 : run.member);
  }
}

TEST(PbtSweep, SaysThatItHasDiedOut) {
  const SweepPlan whole = whole_plan(population());
  Record record;
  for (int i = 0; i < kMembers; ++i) {
    const Next found = next(whole, record, 1);
    ASSERT_EQ(found.kind, Next::Kind::kTrial);
    record.put(whole, found.run);
  }
  EXPECT_EQ(next(whole, record, 1).kind, Next::Kind::kWait);
  const std::vector<sweep::Run> runs = record.runs();
  for (sweep::Run run : runs) {
    run.state = TrialState::kFailed;
    record.put(whole, std::move(run));
  }
  const Next over = next(whole, record, 1);
  EXPECT_EQ(over.kind, Next::Kind::kDone);
  EXPECT_EQ(over.reason, "no member of a population has finished with a score to go on from");
}

}  // namespace
}  // namespace prefixmem::sweep
