#include "client/render/results.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/unit/client/messages.h"

namespace prefixmem::client {
namespace {

void add_eval(v1::Job& job, int64_t step, const std::string& metric, double value) {
  v1::EvalEvent& eval = *job.mutable_progress()->add_evals();
  eval.set_step(step);
  eval.set_metric(metric);
  eval.set_value(value);
}

v1::Job trained() {
  v1::Job job = make_job("job-1", "lora", v1::JOB_STATE_SUCCEEDED);
  v1::JobProgress& progress = *job.mutable_progress();
  progress.set_step(4);
  progress.set_loss(0.25);
  progress.set_tokens_per_second(3210);
  progress.set_trainable_parameters(4718592);
  progress.set_wall_seconds(75);
  add_eval(job, 0, "accuracy", 0.125);
  add_eval(job, 2, "accuracy", 0.5);
  add_eval(job, 4, "accuracy", 0.75);
  return job;
}

v1::Job untuned() {
  v1::Job job = make_job("job-2", "base", v1::JOB_STATE_SUCCEEDED);
  job.mutable_spec()->mutable_method()->mutable_none();
  add_eval(job, 0, "accuracy", 0.125);
  return job;
}

TEST(Results, ComparesJobs) {
  const Table table =
      result_table({result_row(untuned(), ""), result_row(trained(), "job-1/adapter")});
  EXPECT_EQ(
      table.text(),
      "name  method    state      accuracy before  accuracy after  loss  tokens/s  trainable  "
      "trainer time  adapter\n"
      "base  none      succeeded            12.5%           12.5%     -         -          0  "
      "           -  -\n"
      "lora  lora r=8  succeeded            12.5%           75.0%  0.25     3.21k  4,718,592  "
      "       1m15s  job-1/adapter\n");
}

TEST(Results, NamesTheMetricInTheCellsWhereItDiffers) {
  v1::Job other = make_job("job-3", "other", v1::JOB_STATE_RUNNING);
  add_eval(other, 2, "loss", 1.5);
  const std::string text = result_table({result_row(trained(), ""), result_row(other, "")}).text();
  EXPECT_NE(text.find("  before  "), std::string::npos) << text;
  EXPECT_NE(text.find("accuracy 75.0%"), std::string::npos) << text;
  EXPECT_NE(text.find("loss 1.5"), std::string::npos) << text;
}

TEST(Results, AJobWithoutAnythingIsARowOfDashes) {
  const ResultRow row = result_row(make_job("job-4", "", v1::JOB_STATE_QUEUED), "");
  EXPECT_FALSE(row.before || row.after || row.loss || row.tokens_per_second || row.wall_seconds);
  EXPECT_NE(result_table({row}).text().find("job-4"), std::string::npos) << "id for a name";
}

v1::Job of_task(const std::string& task, int seed, double before, double after) {
  v1::Job job = trained();
  job.mutable_spec()->set_benchmark("bbh/" + task);
  (*job.mutable_spec()->mutable_labels())["sweep.benchmark"] = "bbh/" + task;
  (*job.mutable_spec()->mutable_labels())["sweep.train.seed"] = std::to_string(seed);
  add_eval(job, 0, "accuracy", before);
  add_eval(job, 5, "accuracy", after);
  return job;
}

TEST(Results, AveragesTheTasksOfASuite) {
  const std::vector<ResultRow> rows = {
      result_row(of_task("navigate", 1, 0.25, 0.5), ""),
      result_row(of_task("snarks", 1, 0.75, 1), ""),
      result_row(of_task("navigate", 2, 0.25, 0.75), ""),
      result_row(of_task("snarks", 2, 0.25, 0.75), ""),
      result_row(of_task("snarks", 3, 0.25, 0.75), ""),
      result_row(trained(), ""),
  };
  const std::string text = result_table(rows).text();
  EXPECT_NE(text.find("lora     lora r=8  bbh/snarks    "), std::string::npos) << text;
  EXPECT_NE(
      text.find("average  lora r=8  bbh, 2 tasks  -                    50.0%           75.0%"),
      std::string::npos)
      << text;
  const auto averages = nlohmann::json::parse(result_json(rows))["averages"];
  ASSERT_EQ(averages.size(), 2u) << "a task alone is no average";
  EXPECT_EQ(averages[1]["suite"], "bbh");
  EXPECT_EQ(averages[1]["settings"]["train.seed"], "2");
  EXPECT_EQ(averages[1]["tasks"], 2);
  EXPECT_EQ(averages[1]["before"], 0.25);
  EXPECT_EQ(averages[1]["after"], 0.75);
}

TEST(Results, AnAverageLacksWhatATaskLacks) {
  v1::Job running = of_task("navigate", 1, 0.25, 0.5);
  running.mutable_progress()->mutable_evals()->Clear();
  add_eval(running, 0, "accuracy", 0.75);
  const auto averages = nlohmann::json::parse(result_json(
      {result_row(running, ""), result_row(of_task("snarks", 1, 0.25, 1), "")}))["averages"];
  EXPECT_EQ(averages[0]["before"], 0.5);
  EXPECT_TRUE(averages[0]["after"].is_null());
}

TEST(Results, AsJson) {
  v1::Job job = trained();
  job.mutable_progress()->set_loss(std::nan(""));
  const auto json = nlohmann::json::parse(
      result_json({result_row(untuned(), ""), result_row(job, "job-1/adapter")}));
  ASSERT_EQ(json["jobs"].size(), 2u);
  EXPECT_TRUE(json["jobs"][0]["tokens_per_second"].is_null());
  const auto& row = json["jobs"][1];
  EXPECT_EQ(row["before"], 0.125);
  EXPECT_EQ(row["after"], 0.75);
  EXPECT_EQ(row["trainable_parameters"], 4718592);
  EXPECT_EQ(row["adapter"], "job-1/adapter");
  EXPECT_TRUE(row["loss"].is_null()) << "not a number is no JSON";
}

}  // namespace
}  // namespace prefixmem::client
