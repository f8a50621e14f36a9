// Methods by benchmarks as pmt shows them.
#include "client/render/sweep_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::HasSubstr;

void add_benchmark(v1::SweepAnswer& answer, const std::string& name, const std::string& suite) {
  v1::SweepBenchmark& benchmark = *answer.add_benchmarks();
  benchmark.set_trained_on(name);
  benchmark.set_tested_on(name);
  benchmark.set_suite(suite);
}

void add_score(v1::MethodResult& method, const std::string& metric, double mean, double sd,
               const std::string& rate) {
  v1::BenchmarkScore& score = *method.add_benchmarks();
  score.set_metric(metric);
  score.set_mean(mean);
  score.set_seeds(sd > 0 ? 5 : 1);
  if (sd > 0) score.set_sd(sd);
  if (!rate.empty()) {
    (*score.mutable_setting())["train.learning_rate"] = rate;
    score.set_validation_mean(mean + 0.1);
  }
  score.set_best_job_id("job-" + metric);
  score.mutable_cost()->set_tokens(1000);
}

v1::SweepResults sweep_results() {
  v1::SweepResults results;
  v1::SweepAnswer& answer = *results.mutable_answer();
  answer.set_baseline("none");
  answer.set_tested(true);
  add_benchmark(answer, "bbh/x", "bbh");
  add_benchmark(answer, "bbh/y", "bbh");
  v1::MethodResult& none = *answer.add_methods();
  none.set_method("none");
  add_score(none, "accuracy", 0.25, 0, "");
  add_score(none, "exact_match", 0.5, 0, "");
  v1::MethodResult& ours = *answer.add_methods();
  ours.set_method("prefix_memory (feature_map: gelu)");
  add_score(ours, "accuracy", 0.5, 0.01, "0.001");
  add_score(ours, "exact_match", 0.75, 0.02, "0.01");
  for (v1::MethodResult* one : {&none, &ours}) {
    v1::SuiteScore& suite = *one->add_suites();
    suite.set_suite("bbh");
    suite.set_tasks(2);
    suite.set_mean(one == &none ? 0.375 : 0.625);
    one->mutable_cost()->set_tokens(2000);
    one->mutable_cost()->set_seconds(60);
    one->mutable_cost()->set_device_seconds(30);
  }
  ours.mutable_suites(0)->set_sd(0.015);
  v1::PairedComparison& compared = *ours.mutable_against_baseline();
  compared.set_pairs(10);
  compared.set_unequal_pairs(9);
  compared.set_mean_difference(0.25);
  compared.set_p_value(0.00390625);
  v1::ParetoPoint& point = *answer.add_pareto();
  point.set_method("lora");
  point.set_trained_on("bbh/x");
  (*point.mutable_setting())["train.learning_rate"] = "0.001";
  point.set_in_distribution(0.5);
  point.set_out_of_distribution(0.125);
  point.set_on_front(true);
  results.mutable_sweep()->mutable_trials()->set_succeeded(12);
  results.mutable_cost()->set_tokens(4000);
  results.mutable_cost()->set_seconds(120);
  results.mutable_cost()->set_device_seconds(60);
  return results;
}

class SweepAnswer : public testing::Test {
 protected:
  SweepAnswer() { pmt.service.sweep_results["sweep-1"] = sweep_results(); }
  std::string out(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"results", "sweep-1"});
    const Outcome done = pmt.run(arguments);
    EXPECT_EQ(done.code, 0) << done.err;
    return done.out;
  }
  Pmt pmt;
};

TEST_F(SweepAnswer, IsATableOfMethodsByBenchmarks) {
  EXPECT_EQ(
      out({}),
      "method                                    bbh/x         bbh/y  bbh (2 tasks)  vs none       "
      "  "
      "           p  tokens   time  device time\n"
      "none                                      25.0%         50.0%          37.5%        -       "
      "  "
      "           -   2.00k  1m00s        30.0s\n"
      "prefix_memory (feature_map: gelu)  50.0% ± 1.0%  75.0% ± 2.0%   62.5% ± 1.5%   +25.0%  "
      "0.003906 (10 pairs)   2.00k  1m00s        30.0s\n"
      "\n"
      "method                             benchmark  metric       train.learning_rate  validation  "
      "  "
      "      test  seeds  best job\n"
      "none                               bbh/x      accuracy     -                             -  "
      "  "
      "     25.0%      1  job-accuracy\n"
      "none                               bbh/y      exact_match  -                             -  "
      "  "
      "     50.0%      1  job-exact_match\n"
      "prefix_memory (feature_map: gelu)  bbh/x      accuracy     0.001                     60.0%  "
      "50.0% ± 1.0%      5  job-accuracy\n"
      "prefix_memory (feature_map: gelu)  bbh/y      exact_match  0.01                      85.0%  "
      "75.0% ± 2.0%      5  job-exact_match\n"
      "\n"
      "method  trained on  setting                    in distribution  out of distribution  on the "
      "front\n"
      "lora    bbh/x       train.learning_rate 0.001            50.0%                12.5%  yes\n"
      "\n"
      "cost:      4.00k tokens, 2m00s of trials, 1m00s of devices\n"
      "finished:  12/12 trials\n");
}

TEST_F(SweepAnswer, TheSameNumbersStandInEveryForm) {
  EXPECT_THAT(out({"-o", "markdown"}),
              HasSubstr("| prefix_memory (feature_map: gelu) | 50.0% ± 1.0% | 75.0% ± 2.0% | "
                        "62.5% ± 1.5% | +25.0% | 0.003906 (10 pairs) | 2.00k | 1m00s | 30.0s |\n"));
  EXPECT_THAT(out({"-o", "markdown"}),
              HasSubstr("| lora | bbh/x | train.learning_rate 0.001 | 50.0% | 12.5% | yes |\n"));
  EXPECT_EQ(
      out({"-o", "csv"}),
      "method,trained_on,tested_on,metric,mean,sd,seeds,validation_mean,train.learning_rate,"
      "tokens,seconds,device_seconds,best_job_id,baseline,pairs,mean_difference,p_value,"
      "in_distribution,out_of_distribution,on_front\n"
      "none,bbh/x,bbh/x,accuracy,0.25,,1,,,1000,0,0,job-accuracy,,,,,,,\n"
      "none,bbh/y,bbh/y,exact_match,0.5,,1,,,1000,0,0,job-exact_match,,,,,,,\n"
      "none,bbh,bbh,mean of 2 tasks,0.375,,,,,,,,,,,,,,,\n"
      "prefix_memory (feature_map: gelu),bbh/x,bbh/x,accuracy,0.5,0.01,5,0.6,0.001,1000,0,0,"
      "job-accuracy,,,,,,,\n"
      "prefix_memory (feature_map: gelu),bbh/y,bbh/y,exact_match,0.75,0.02,5,0.85,0.01,1000,0,"
      "0,job-exact_match,,,,,,,\n"
      "prefix_memory (feature_map: gelu),bbh,bbh,mean of 2 tasks,0.625,0.015,,,,,,,,,,,,,,\n"
      "prefix_memory (feature_map: gelu),all,all,,,,,,,,,,,none,10,0.25,0.00390625,,,\n"
      "lora,bbh/x,,,,,,,0.001,,,,,,,,,0.5,0.125,true\n");
  const auto json = pmt.run({"results", "sweep-1", "-o", "json"}).json();
  EXPECT_EQ(json["answer"]["methods"][1]["against_baseline"]["p_value"], 0.00390625);
}

TEST_F(SweepAnswer, SettingsAreShownWhereTheyAreAskedFor) {
  EXPECT_THAT(out({"--by-setting"}), HasSubstr("mean  sd  finished"));
  EXPECT_EQ(pmt.run({"results", "sweep-1", "--by-setting", "--by-method"}).code, 2);
  pmt.service.jobs.push_back(make_job("job-1", "a", v1::JOB_STATE_SUCCEEDED));
  EXPECT_EQ(pmt.run({"results", "job-1", "--baseline", "lora"}).err,
            "pmt: --by-method, --by-setting and --baseline are given with jobs; allowed: with one "
            "sweep\n");
}

TEST_F(SweepAnswer, TheBaselineIsAskedFor) {
  out({"--baseline", "lora"});
  EXPECT_EQ(pmt.service.asked_baseline, "lora");
}

TEST_F(SweepAnswer, SaysWhereAScoreWasWhatASettingWasChosenBy) {
  pmt.service.sweep_results["sweep-1"].mutable_answer()->set_tested(false);
  EXPECT_THAT(out({}), HasSubstr("each setting was chosen by the very scores that are shown"));
}

}  // namespace
}  // namespace prefixmem::client
