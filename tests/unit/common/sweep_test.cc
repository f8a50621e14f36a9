#include <gtest/gtest.h>

#include "common/spec/spec_io.h"
#include "tests/unit/common/spec_example.h"

namespace prefixmem {
namespace {

std::vector<JobSpec> trials_of(const std::string& yaml) {
  const auto spec = parse_job_spec(yaml);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  if (!spec.ok()) return {};
  auto trials = expand_sweep(*spec);
  EXPECT_TRUE(trials.ok()) << trials.status().message();
  return trials.ok() ? std::move(trials).value() : std::vector<JobSpec>();
}

std::string refusal(const std::string& sweep) {
  const Status status = parse_job_spec(kMinimalSpec + sweep).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  return status.message();
}

TEST(Sweep, WithoutOneASpecIsItsOnlyTrial) {
  const auto trials = trials_of(kMinimalSpec);
  ASSERT_EQ(trials.size(), 1u);
  EXPECT_EQ(trials[0].name, "a");
  EXPECT_TRUE(trials[0].labels.empty());
}

TEST(Sweep, TheGridsLastAxisChangesFastest) {
  const auto trials =
      trials_of(kMinimalSpec +
                "labels: {team: x}\n"
                "sweep: {grid: {train.seed: [5, 3], train.learning_rate: [1e-2, 1e-3]}}");
  ASSERT_EQ(trials.size(), 4u);
  const std::pair<double, int64_t> expected[] = {{1e-2, 5}, {1e-2, 3}, {1e-3, 5}, {1e-3, 3}};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(trials[i].name, "a-" + std::to_string(i + 1));
    EXPECT_EQ(trials[i].train.learning_rate, expected[i].first);
    EXPECT_EQ(trials[i].train.seed, expected[i].second);
    EXPECT_FALSE(trials[i].sweep);
    EXPECT_EQ(trials[i].labels.size(), 3u);
  }
  EXPECT_EQ(trials[0].labels.at("sweep.train.learning_rate"), "1e-2");
  EXPECT_EQ(trials[0].labels.at("sweep.train.seed"), "5");
}

TEST(Sweep, TrialsComeBeforeTheGrid) {
  const auto trials = trials_of(kMinimalSpec +
                                "sweep:\n"
                                "  trials:\n"
                                "    - method: {type: lora, r: 4}\n"
                                "    - {method: none, train.max_steps: null, name: base}\n"
                                "  grid: {eval.seed: [1]}\n");
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(std::get<LoraMethod>(trials[0].method).r, 4);
  EXPECT_EQ(trials[0].labels.at("sweep.method"), "{type: lora, r: 4}");
  EXPECT_EQ(trials[1].name, "base");
  EXPECT_TRUE(std::holds_alternative<NoMethod>(trials[1].method));
  EXPECT_FALSE(trials[1].train.max_steps);
  EXPECT_EQ(trials[1].eval.seed, 1);
}

TEST(Sweep, ABlockIsSetBeforeItsKeysAndTheTypeBeforeTheOthers) {
  for (const char* method : {"method: lora, method.r: 2", "method.type: lora, method.r: 2",
                             "method: {type: lora}, method.r: 2"}) {
    const auto trials =
        trials_of(kMinimalSpec + "sweep: {trials: [{" + std::string(method) + "}]}");
    ASSERT_EQ(trials.size(), 1u);
    EXPECT_EQ(std::get<LoraMethod>(trials[0].method).r, 2) << method;
  }
}

TEST(Sweep, AnAbsentSectionIsMade) {
  const auto trials = trials_of(
      "name: a\nmodel: /m\ntrain: {max_steps: 1}\ndata: {train: t, format: text_label}\n"
      "sweep: {grid: {data.few_shot.per_class: [1, 2]}}");
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[1].data.few_shot->per_class, 2);
}

TEST(Sweep, EachCombinationHasATrialForEachSeed) {
  const std::string labelled =
      "name: a\nmodel: /m\ntrain: {max_steps: 1}\n"
      "data: {train: t, format: text_label, few_shot: {per_class: 1}}\n";
  const auto trials = trials_of(
      labelled +
      "sweep: {seeds: [3, 5], trials: [{method: lora}, {method: none, train.max_steps: null}, "
      "{data.few_shot: null}]}");
  ASSERT_EQ(trials.size(), 5u);
  EXPECT_EQ(trials[1].train.seed, 5);
  EXPECT_EQ(trials[1].data.few_shot->seed, 5);
  EXPECT_EQ(trials[1].labels.at("sweep.train.seed"), "5");
  EXPECT_EQ(trials[1].labels.at("sweep.data.few_shot.seed"), "5");
  EXPECT_TRUE(std::holds_alternative<NoMethod>(trials[2].method)) << "no seed changes it";
  EXPECT_EQ(trials[4].train.seed, 5);
  EXPECT_FALSE(trials[4].data.few_shot) << "nothing is sampled";
  EXPECT_EQ(trials_of(kMinimalSpec + "sweep: {seeds: 3}").size(), 3u);
}

TEST(Sweep, TheBaseNeedNotBeWhole) {
  const auto trials =
      trials_of("name: a\ndata: {train: t}\nsweep: {grid: {model: [/m, /n], train.epochs: [1]}}");
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[1].model, "/n");
}

TEST(Sweep, TextStaysText) {
  const auto trials = trials_of(kMinimalSpec + "sweep: {grid: {labels.year: ['2026', \"a b\"]}}");
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[0].labels.at("year"), "2026");
  EXPECT_EQ(trials[1].labels.at("sweep.labels.year"), "a b");
}

TEST(Sweep, FailuresNameTrialAndPath) {
  const std::pair<const char*, const char*> cases[] = {
      {"sweep: {}", "sweep is empty; required: grid, trials, seeds or space"},
      {"sweep: {grid: {train.seed: [1, x]}}",
       "sweep trial 2: train.seed is x; allowed: a whole number of at least 0"},
      {"sweep: {grid: {train.sed: [1]}}",
       "sweep trial 1: train.sed is not a key; did you mean seed?"},
      {"sweep: {grid: {train.seed.x: [1]}}",
       "sweep trial 1: train.seed is a map; allowed: a whole number of at least 0"},
      {"sweep: {grid: {train..seed: [1]}}",
       "sweep trial 1: path \"train..seed\" has an empty part; allowed: keys with dots "
       "between"},
      {"sweep: {grid: {sweep: [1]}}",
       "sweep trial 1: sweep path sweep is not a key of a trial; allowed: any key but sweep"},
      {"method: lora\nsweep: {grid: {method.target_modules.x: [1]}}",
       "sweep trial 1: method.target_modules.x is not a key; target_modules is a list"},
      {"sweep: {grid: {train.epochs: [1]}}",
       "sweep trial 1: train.max_steps and train.epochs are both given; allowed: exactly one of "
       "them, the other null"},
      {"sweep: {grid: {method.type: [lora, prefix_memory], method.r: [1]}}",
       "sweep trial 2: method.r is not a key of prefix_memory; allowed: type, feature_map, "
       "feature_dim, query, scope, layers, feature_lr_ratio, init"},
      {"sweep: {trials: [{train.seed: 1}], grid: {train.seed: [1]}}",
       "sweep.trials[0].train.seed is given in sweep.grid too; allowed: one of them"},
      {"sweep: {grid: {train.seed: [1]}, seeds: 2}",
       "sweep.seeds is given beside train.seed in the sweep; allowed: one of them"},
      {"sweep: {seeds: 2, tune_on: {train.seed: [1]}}",
       "sweep.tune_on is given without sweep.space; required: space"},
      {"sweep: {trials: [{name: x}, {name: x}]}",
       "sweep trial 2: name x is that of an earlier trial; allowed: a name of its own"},
  };
  for (const auto& [sweep, message] : cases) EXPECT_EQ(refusal(sweep), message) << sweep;
}

TEST(Sweep, HasAtMostTenThousandTrials) {
  std::string hundred, hundred_one;
  for (int i = 0; i < 100; ++i) hundred += (i == 0 ? "" : ", ") + std::to_string(i);
  hundred_one = hundred + ", 100";
  const auto grid = [](const std::string& a, const std::string& b) {
    return "sweep: {grid: {train.seed: [" + a + "], eval.seed: [" + b + "]}}";
  };
  EXPECT_EQ(trials_of(kMinimalSpec + grid(hundred, hundred)).size(), 10000u);
  EXPECT_EQ(refusal(grid(hundred, hundred_one)),
            "sweep gives more than 10000 trials; allowed: at most 10000");
}

TEST(Sweep, ALongSpecHasFewTrials) {
  std::string seeds;
  for (int i = 0; i < 1000; ++i) seeds += std::to_string(i) + ",";
  const std::string labels = "labels: {a: " + std::string(500000, 'x') + "}\n";
  EXPECT_TRUE(refusal(labels + "sweep: {grid: {train.seed: [" + seeds + "]}}")
                  .ends_with(" bytes; allowed: at most 268435456"));
  EXPECT_EQ(trials_of(kMinimalSpec + labels + "sweep: {grid: {train.seed: [1, 2]}}").size(), 2u);
}

TEST(Sweep, SurvivesYaml) {
  const std::string yaml =
      kMinimalSpec +
      "sweep: {grid: {train.learning_rate: [1e-3, 0.0010]}, trials: [{method: {type: lora}}, {}]}";
  const auto spec = parse_job_spec(yaml);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->sweep->grid.at("train.learning_rate"),
            (std::vector<std::string>{"1e-3", "0.0010"}));
  EXPECT_EQ(spec->sweep->trials.size(), 2u);
  const auto back = parse_job_spec(to_yaml(*spec));
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(to_yaml(*back), to_yaml(*spec));
}

}  // namespace
}  // namespace prefixmem
