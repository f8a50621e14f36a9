// Specs of searches: what is read, and what is refused before any trial has run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/continuation.h"
#include "common/spec/search.h"
#include "common/spec/search_space.h"
#include "common/spec/spec_io.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;

const std::string kHead =
    "name: a\nmodel: /m\ndata: {train: t, eval: e}\ntrain: {max_steps: 9, eval_every: 1}\n";

std::string refusal(const std::string& sweep, const std::string& head = kHead) {
  const Status status = parse_job_spec(head + "sweep: " + sweep).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << sweep;
  return status.message();
}

const std::string kSpace =
    "{method: [lora, {type: prefix_memory, feature_map: gelu}],"
    " method.r: {type: int, low: 1, high: 64, log: true, when: {method: [lora]}},"
    " train.learning_rate: {type: log_uniform, low: 1e-5, high: 1e-1}}";

TEST(SearchSpec, SurvivesYaml) {
  const auto spec =
      parse_job_spec(kHead + "sweep: {search: {type: asha, sampler: tpe}, space: " + kSpace +
                     ", budget: {trials: 64, tokens: 1000000}, seed: 3}");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  const SweepSpec& sweep = *spec->sweep;
  EXPECT_EQ(std::get<AshaSearch>(sweep.search).sampler, Sampler::kTpe);
  EXPECT_THAT(std::get<ChoiceDomain>(sweep.space.at("method")).values.items,
              ElementsAre("lora", "{type: prefix_memory, feature_map: gelu}"));
  EXPECT_THAT(std::get<IntDomain>(sweep.space.at("method.r")).when.at("method"),
              ElementsAre("lora"));
  EXPECT_EQ(sweep.budget.trials, 64);
  const auto back = parse_job_spec(to_yaml(*spec));
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(to_yaml(*back), to_yaml(*spec));
}

TEST(SearchSpec, TheGoalFollowsFromTheEvaluation) {
  const auto loss = parse_job_spec(kHead + "sweep: {space: " + kSpace + "}");
  ASSERT_TRUE(loss.ok()) << loss.status().message();
  EXPECT_EQ(spec::trial_goal(*loss->sweep, *loss).metric, "loss");
  EXPECT_EQ(spec::trial_goal(*loss->sweep, *loss).mode, GoalSpec::Mode::kMin);
  const auto match =
      parse_job_spec(kHead + "eval: {mode: generate}\nsweep: {space: " + kSpace + "}");
  ASSERT_TRUE(match.ok()) << match.status().message();
  EXPECT_EQ(spec::trial_goal(*match->sweep, *match).metric, "exact_match");
  EXPECT_EQ(spec::trial_goal(*match->sweep, *match).mode, GoalSpec::Mode::kMax);
}

TEST(SearchSpec, BadOnesAreRefusedWithPathValueAndWhatIsAllowed) {
  const std::pair<std::string, std::string> cases[] = {
      {"{space: []}",
       "sweep.space is a list; allowed: a map of dotted paths to choice, uniform, log_uniform, "
       "int, "
       "or to a list of values"},
      {"{space: {train.seed: {type: normal}}}",
       "sweep.space.train.seed.type is normal; allowed: choice, uniform, log_uniform, int"},
      {"{space: {train.seed: {low: 1}}}",
       "sweep.space.train.seed.type is missing; allowed: choice, uniform, log_uniform, int"},
      {"{space: {train.seed: []}}",
       "sweep.space.train.seed.values is a list; allowed: a list of at least one value"},
      {"{space: {train.seed: {type: int, low: 5, high: 5}}}",
       "sweep.space.train.seed.high is 5; allowed: a number above low (5)"},
      {"{space: {train.seed: {type: int, low: 0, high: 5, log: true}}}",
       "sweep.space.train.seed.low is 0; allowed with log: a whole number of at least 1"},
      {"{space: {train.learning_rate: {type: log_uniform, low: 0, high: 1}}}",
       "sweep.space.train.learning_rate.low is 0; allowed: a number above 0"},
      {"{space: {train.sed: [1]}}",
       "sweep trial with train.sed 1: train.sed is not a key; did you mean seed?"},
      {"{space: {train.learning_rate: {type: uniform, low: -1, high: 1}}}",
       "sweep trial with train.learning_rate -1: train.learning_rate is -1; allowed: a number "
       "above "
       "0"},
      {"{space: {method: [lora, prefix_memory], method.r: {type: int, low: 1, high: 4}}}",
       "sweep trial with method prefix_memory: method.r is not a key of prefix_memory; allowed: "
       "type, feature_map, feature_dim, query, scope, layers, feature_lr_ratio, init"},
      {"{space: {sweep.seed: [1]}}",
       "sweep trial with sweep.seed 1: sweep path sweep.seed is not a key of a trial; allowed: any "
       "key but sweep"},
      {"{space: {after: [[a], [b]]}}",
       "sweep.space.after is given; allowed: after beside sweep, for all of its trials"},
      {"{space: {train.seed: [1]}, trials: [{after: [a]}]}",
       "sweep.trials has after; allowed: after beside sweep, for all of its trials"},
      {"{space: {train.learning_rate: [1]}, grid: {train.learning_rate: [2]}}",
       "sweep.space.train.learning_rate is given in sweep.grid or sweep.trials too; allowed: one "
       "of them"},
      {"{space: {train.weight_decay: [0]}, seeds: 2, grid: {train.seed: [1]}}",
       "sweep.seeds is given beside train.seed in the sweep; allowed: one of them"},
      {"{space: {train.weight_decay: [0]}, seeds: [1, 1]}",
       "sweep.seeds is a list; allowed: a list of distinct whole numbers of at least 0, or how "
       "many: 3 is [0, 1, 2]"},
      {"{space: {train.weight_decay: [0]}, seeds: 0}",
       "sweep.seeds is 0; allowed: a list of distinct whole numbers of at least 0, or how many: 3 "
       "is [0, 1, 2]"},
      {"{space: {train.weight_decay: [0]}, test: {}}",
       "sweep trial with train.weight_decay 0: eval.split is validation without validation rows; "
       "required: data.validation or data.holdout"},
      {"{space: {train.weight_decay: [0]}, test: {seeds: []}}",
       "sweep.test.seeds is empty; allowed: a list of at least one seed"},
      {"{grid: {train.weight_decay: [0]}, test: {}}",
       "sweep.test is given without sweep.space; required: space"},
      {"{space: {train.weight_decay: [0]}, grid: {eval.seed: [1]}, tune_on: {eval.seed: [1]}}",
       "sweep.tune_on is given without sweep.test; required: test"},
      {"{space: {train.weight_decay: [0]}, grid: {eval.seed: [1]}, tune_on: {eval.seed: [2]}, "
       "test: {}}",
       "sweep.tune_on.eval.seed has 2; allowed: values of sweep.grid.eval.seed"},
      {"{space: {train.weight_decay: [0]}, tune_on: {eval.seed: [2]}, test: {}}",
       "sweep.tune_on.eval.seed is no axis; allowed: keys of sweep.grid"},
      {"{space: {train.weight_decay: {type: choice, values: [0], when: {method: [full]}}}, grid: "
       "{method: [lora]}}",
       "sweep.space.train.weight_decay.when.method has full; allowed: values that sweep.grid or "
       "sweep.trials give it"},
      {"{space: {train.weight_decay: {type: int, low: 0, high: 1}}, budget: {trials: 101}, grid: "
       "{eval.seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}, seeds: 10}",
       "sweep gives 10 searches with 10100 trials and 50 settings to check; allowed: at most 10000 "
       "of each"},
      {"{grid: {train.seed: [1]}, search: asha}",
       "sweep.search is asha without sweep.space; required: space"},
      {"{search: grid, space: {train.weight_decay: {type: uniform}}}",
       "sweep.space.train.weight_decay has no list of values; allowed with sweep.search grid: "
       "choice, int"},
      {"{search: grid, space: {train.seed: {type: int, low: 0, high: 10000}}}",
       "sweep.space gives more than 10000 settings; allowed with sweep.search grid: at most 10000"},
      {"{search: {type: hyperband, min_steps: 9, max_steps: 3}, space: {train.seed: [1]}}",
       "sweep.search.max_steps is 3; allowed: at least min_steps (9)"},
      {"{search: {type: asha, reduction_factor: 1}, space: {train.seed: [1]}}",
       "sweep.search.reduction_factor is 1; allowed: a whole number of at least 2 and at most "
       "1000"},
      {"{search: hill, space: {train.seed: [1]}}",
       "sweep.search is hill; allowed: grid, random, tpe, asha, hyperband, pbt"},
      {"{space: {train.seed: [1]}, goal: {metric: accuracy}}",
       "sweep trial with train.seed 1: sweep.goal.metric is \"accuracy\"; allowed: loss (eval.mode "
       "loss)"},
      {"{space: {resources.ranks: [1, 4]}, budget: {devices: 2}}",
       "sweep trial with resources.ranks 4: sweep.budget.devices is 2; allowed: 0, or at least "
       "resources.ranks (4)"},
      {"{space: {train.seed: [1]}, budget: {trials: 0}}",
       "sweep.budget.trials is 0; allowed: a whole number of at least 1 and at most 10000"},
      {"{space: {train.seed: {type: choice, values: [1], when: {method: [lora]}}}}",
       "sweep.space.train.seed.when names method; allowed: keys of sweep.space of type choice, of "
       "sweep.grid or of sweep.trials"},
      {"{space: {method: [lora, none], train.seed: {type: choice, values: [1], when: {method: "
       "[full]}}}}",
       "sweep.space.train.seed.when.method has full; allowed: values of sweep.space.method"},
      {"{space: {train.seed: {type: choice, values: [1], when: {eval.seed: [1]}}, eval.seed: "
       "{type: "
       "choice, values: [1], when: {train.seed: [1]}}}}",
       "sweep.space.eval.seed.when leads back to its own key; allowed: keys decided before it"},
  };
  for (const auto& [sweep, message] : cases) EXPECT_EQ(refusal(sweep), message) << sweep;
}

// Whose members take over weights, moments and step from each other.
TEST(SearchSpec, APopulationExploresWhatACheckpointDoesNotDependOn) {
  const std::string keys(spec::kExploredKeys);
  const std::string decay = "space: {train.weight_decay: [0, 1]}";
  const std::string trial = "sweep trial with train.weight_decay 0: ";
  const std::pair<std::string, std::string> cases[] = {
      {"{search: pbt, space: {method.r: [1]}, grid: {method: [lora]}}",
       "sweep.space.method.r is given; allowed with sweep.search pbt: " + keys},
      {"{search: pbt, seeds: 2, " + decay + "}",
       "sweep.seeds has 2 seeds; allowed with sweep.search pbt: at most one"},
      {"{search: pbt, test: {}, " + decay + "}",
       "sweep.test is given; allowed with sweep.search pbt: none"},
      {"{search: {type: pbt, quantile: 0.6}, " + decay + "}",
       "sweep.search.quantile is 0.6; allowed: a number above 0 and at most 0.5"},
      {"{search: pbt, grid: {train.schedule: [cosine]}, " + decay + "}",
       trial + "train.schedule is cosine; allowed: constant, as the population makes the schedule "
               "(sweep.search pbt)"},
      {"{search: pbt, grid: {train.output: [adapter]}, " + decay + "}",
       trial + "train.output is adapter; allowed: all, as generations begin with checkpoints "
               "(sweep.search pbt)"},
      {"{search: pbt, trials: [{train.max_steps: null, train.epochs: 1}], " + decay + "}",
       trial + "train.epochs is given; allowed: max_steps (sweep.search pbt)"},
      {"{search: {type: pbt, interval: 1}, budget: {trials: 2000}, " + decay + "}",
       trial + "sweep.search.interval is 1, which gives 9 generations of 2000 trials; allowed: at "
               "most 10000 trials"},
  };
  for (const auto& [sweep, message] : cases) EXPECT_EQ(refusal(sweep), message) << sweep;
  const auto good =
      parse_job_spec(kHead + "sweep: {search: {type: pbt, interval: 3}, " + decay + "}");
  ASSERT_TRUE(good.ok()) << good.status().message();
  EXPECT_EQ(std::get<PbtSearch>(good->sweep->search).interval, 3);
}

TEST(SearchSpec, ConditionsThatExcludeEachOtherAreRefused) {
  EXPECT_EQ(
      refusal("{space: {train.seed: [1, 2], eval.seed: {type: choice, values: [1], when: "
              "{train.seed: [1]}}, train.weight_decay: {type: uniform, when: {train.seed: [2], "
              "eval.seed: [1]}}}}"),
      "sweep.space.train.weight_decay is never set: its conditions exclude each other");
}

TEST(SearchSpec, NeedsSomethingToCompareBy) {
  const std::string no_eval = "name: a\nmodel: /m\ndata: {train: t}\ntrain: {max_steps: 9}\n";
  EXPECT_EQ(refusal("{space: {train.seed: [1]}}", no_eval),
            "sweep trial with train.seed 1: data.eval is missing; required: rows that a search "
            "compares by");
  const std::string at_the_end =
      "name: a\nmodel: /m\ndata: {train: t, eval: e}\ntrain: {max_steps: 9}\n";
  EXPECT_EQ(refusal("{search: asha, space: {train.seed: [1]}}", at_the_end),
            "sweep trial with train.seed 1: train.eval_every is 0; required: a number of steps, as "
            "sweep.search stops trials by their evaluations");
  EXPECT_TRUE(parse_job_spec(at_the_end + "sweep: {space: {train.seed: [1]}}").ok());
}

TEST(SearchSpec, TooManyValuesAreRefused) {
  std::string values;
  for (int i = 0; i < 1001; ++i) values += std::to_string(i) + ",";
  EXPECT_EQ(refusal("{space: {train.seed: [" + values + "]}}"),
            "sweep.space has 1001 values; allowed: at most 1000");
}

TEST(SearchSpace, KeysAreDecidedAfterThoseThatTheyDependOn) {
  const auto spec = parse_job_spec(kHead + "sweep: {space: " + kSpace + "}");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  const SearchSpace& space = spec->sweep->space;
  const auto order = spec::decision_order(space);
  ASSERT_TRUE(order.ok());
  EXPECT_THAT(*order, ElementsAre("method", "train.learning_rate", "method.r"));
  EXPECT_TRUE(spec::is_active(space.at("method.r"), {{"method", "lora"}}));
  EXPECT_FALSE(spec::is_active(space.at("method.r"),
                               {{"method", "{type: prefix_memory, feature_map: gelu}"}}));
  EXPECT_FALSE(spec::is_active(space.at("method.r"), {}));
}

TEST(SearchSpace, ATrialIsNamedAndLabelledLikeAGrids) {
  const auto spec = parse_job_spec(kHead + "sweep: {space: " + kSpace + "}");
  ASSERT_TRUE(spec.ok());
  const auto trial = make_trial(
      *spec, {{"method", "lora"}, {"method.r", "4"}, {"train.learning_rate", "0.001"}}, 7);
  ASSERT_TRUE(trial.ok()) << trial.status().message();
  EXPECT_EQ(trial->name, "a-7");
  EXPECT_EQ(std::get<LoraMethod>(trial->method).r, 4);
  EXPECT_EQ(trial->labels.at("sweep.method.r"), "4");
  EXPECT_FALSE(trial->sweep);
}

}  // namespace
}  // namespace prefixmem
