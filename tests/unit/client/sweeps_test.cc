// Sweeps as pmt shows them.
#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

v1::Sweep sweep() {
  v1::Sweep sweep;
  sweep.set_id("sweep-1");
  sweep.set_name("rates");
  sweep.set_state(v1::SWEEP_STATE_RUNNING);
  sweep.set_reason("submitted");
  sweep.mutable_create_time()->set_seconds(kStart - 90);
  v1::SweepSpec& spec = *sweep.mutable_spec()->mutable_sweep();
  spec.mutable_search()->mutable_asha();
  (*spec.mutable_space())["train.learning_rate"].mutable_uniform();
  sweep.mutable_trials()->set_running(2);
  sweep.mutable_trials()->set_succeeded(3);
  sweep.mutable_trials()->set_cancelled(4);
  return sweep;
}

v1::SettingResult& add_setting(v1::SweepResults& results, const std::string& method, int trials) {
  v1::SettingResult& row = *results.add_settings();
  (*row.mutable_setting())["method"] = method;
  row.mutable_trials()->set_succeeded(trials);
  row.mutable_cost()->set_tokens(1500);
  row.mutable_cost()->set_seconds(12.5);
  row.mutable_cost()->set_device_seconds(25);
  return row;
}

v1::SweepResults results() {
  v1::SweepResults results;
  *results.mutable_sweep() = sweep();
  results.mutable_sweep()->mutable_goal()->set_metric("accuracy");
  v1::SettingResult& best = add_setting(results, "{type: lora, r: 8}", 3);
  (*best.mutable_setting())["train.learning_rate"] = "0.001";
  best.set_mean(0.75);
  best.set_sd(0.0125);
  best.set_best_job_id("job-3");
  add_setting(results, "none|base", 0).mutable_trials()->set_failed(1);
  results.mutable_cost()->set_tokens(3000);
  results.mutable_cost()->set_seconds(25);
  results.mutable_cost()->set_device_seconds(50);
  return results;
}

class Sweeps : public testing::Test {
 protected:
  Sweeps() {
    pmt.service.sweeps.push_back(sweep());
    pmt.service.sweep_results["sweep-1"] = results();
  }
  Pmt pmt;
};

TEST_F(Sweeps, AreListed) {
  const Outcome done = pmt.run({"sweeps"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "sweep    name   state    search  waiting  running  finished  stopped  failed    age  "
            "reason\n"
            "sweep-1  rates  running  asha          0        2         3        4       0  1m30s  "
            "submitted\n");
  const auto json = pmt.run({"sweeps", "-o", "json"}).json();
  EXPECT_EQ(json["sweeps"][0]["trials"]["cancelled"], 4);
}

TEST_F(Sweeps, SaysThatThereAreMore) {
  v1::Sweep older = sweep();
  older.set_id("sweep-0");
  pmt.service.sweeps.push_back(older);
  EXPECT_EQ(pmt.run({"sweeps"}).err, "");
  const Outcome done = pmt.run({"sweeps", "--limit", "1"});
  EXPECT_EQ(done.err, "pmt: there are more than these 1 sweeps; --limit asks for more\n");
}

TEST_F(Sweeps, ResultsAreATableOfSettings) {
  const Outcome done = pmt.run({"results", "sweep-1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(
      done.out,
      "method              train.learning_rate  accuracy mean    sd  finished  tokens   time  "
      "device time  best job\n"
      "{type: lora, r: 8}  0.001                        75.0%  1.2%       3/3   1.50k  12.5s  "
      "      25.0s  job-3\n"
      "none|base           -                                -     -       0/1   1.50k  12.5s  "
      "      25.0s  -\n"
      "\n"
      "best:      method {type: lora, r: 8}, train.learning_rate 0.001 (accuracy 75.0% ± 1.2%, "
      "job-3)\n"
      "cost:      3.00k tokens, 25.0s of trials, 50.0s of devices\n"
      "finished:  3/9 trials\n");
}

TEST_F(Sweeps, ResultsAreAlsoMarkdownAndCsv) {
  EXPECT_EQ(pmt.run({"results", "sweep-1", "-o", "markdown"}).out,
            "| method | train.learning_rate | accuracy mean | sd | finished | tokens | time | "
            "device time | best job |\n"
            "|---|---|---:|---:|---:|---:|---:|---:|---|\n"
            "| {type: lora, r: 8} | 0.001 | 75.0% | 1.2% | 3/3 | 1.50k | 12.5s | 25.0s | job-3 |\n"
            "| none\\|base | - | - | - | 0/1 | 1.50k | 12.5s | 25.0s | - |\n");
  EXPECT_EQ(pmt.run({"results", "sweep-1", "-o", "csv"}).out,
            "method,train.learning_rate,metric,mean,sd,trials,finished,tokens,seconds,"
            "device_seconds,best_job_id\n"
            "\"{type: lora, r: 8}\",0.001,accuracy,0.75,0.0125,3,3,1500,12.5,25,job-3\n"
            "none|base,,accuracy,,,1,0,1500,12.5,25,\n");
  EXPECT_EQ(pmt.run({"results", "sweep-1", "-o", "json"}).json()["settings"][0]["mean"], 0.75);
}

TEST_F(Sweeps, ResultsOfItsName) {
  EXPECT_EQ(pmt.run({"results", "rates"}).out, pmt.run({"results", "sweep-1"}).out);
}

TEST_F(Sweeps, OtherCommandsHaveNoSuchForms) {
  const Outcome done = pmt.run({"sweeps", "-o", "csv"});
  EXPECT_EQ(done.code, 11);
  EXPECT_EQ(done.err,
            "pmt: --output of pmt sweeps is neither table nor json; allowed: table, json\n");
  EXPECT_EQ(pmt.run({"results", "sweep-1", "--by-job", "-o", "csv"}).code, 11);
}

TEST_F(Sweeps, ASweepThatIsNotThere) {
  const Outcome done = pmt.run({"results", "sweep-2"});
  EXPECT_EQ(done.code, 12);
  EXPECT_EQ(done.err, "pmt: no job or sweep has the id or name \"sweep-2\"\n");
}

}  // namespace
}  // namespace prefixmem::client
