#include "client/render/event_line.h"

#include <gtest/gtest.h>

#include "tests/unit/client/messages.h"

namespace prefixmem::client {
namespace {

JobView view() { return view_of(make_job("job-1", "banking", v1::JOB_STATE_RUNNING)); }

// The line of a trainer's event, after time and name.
template <class Fill>
std::string line_of(Fill fill) {
  v1::JobEvent event = state_event("job-1", 5, v1::JOB_STATE_RUNNING);
  fill(*event.mutable_trainer());
  const std::string line = event_line(event, view());
  const std::string begin = "00:00:05  banking  ";
  EXPECT_EQ(line.substr(0, begin.size()), begin);
  return line.substr(begin.size());
}

TEST(EventLine, States) {
  EXPECT_EQ(event_line(state_event("job-1", 3, v1::JOB_STATE_FAILED, "no\nmodel"), view()),
            "00:00:03  banking  failed: no model");
  JobView nameless = view();
  nameless.name.clear();
  EXPECT_EQ(event_line(state_event("job-1", 3, v1::JOB_STATE_RUNNING), nameless),
            "00:00:03  job-1  running");
}

TEST(EventLine, StepsCarrySpeedAndEta) {
  const v1::JobEvent step = step_event("job-1", 3, 1);
  EXPECT_EQ(event_line(step, updated(view(), step)),
            "00:00:03  banking  step 1/4  loss 1  lr 0.001  200 tok/s  ETA 1.50s");
}

TEST(EventLine, EveryKindOfTrainerEventHasWords) {
  EXPECT_EQ(line_of([](auto& event) {
              event.mutable_phase()->set_phase("training");
              event.mutable_phase()->set_trainable_parameters(4718592);
              event.mutable_phase()->set_total_steps(40);
            }),
            "training  4.72M trainable parameters, 40 steps");
  EXPECT_EQ(line_of([](auto& event) {
              v1::EvalEvent& eval = *event.mutable_eval();
              eval.set_step(40);
              eval.set_metric("accuracy");
              eval.set_value(0.75);
              eval.set_rows(60);
              eval.set_seconds(12);
            }),
            "eval after step 40: accuracy 75.0% of 60 rows in 12.0s");
  EXPECT_EQ(line_of([](auto& event) {
              v1::ArtifactEvent& file = *event.mutable_artifact();
              file.set_kind("adapter");
              file.set_path("adapter/adapter_model.safetensors");
              file.set_bytes(2048);
              file.set_step(40);
            }),
            "adapter adapter/adapter_model.safetensors (2.00 KiB, step 40)");
  EXPECT_EQ(line_of([](auto& event) {
              v1::ArtifactEvent& file = *event.mutable_artifact();
              file.set_kind("checkpoint");
              file.set_path("checkpoints/a");
              file.set_bytes(2048);
              file.set_step(40);
              file.set_state_digest("0123456789abcdef");
            }),
            "checkpoint checkpoints/a (2.00 KiB, step 40, state 0123456789ab)");
  EXPECT_EQ(line_of([](auto& event) {
              event.mutable_log()->set_level("warning");
              event.mutable_log()->set_message("slow\x1b[2J");
            }),
            "warning rank 0: slow [2J");
  EXPECT_EQ(line_of([](auto& event) {
              v1::ResultEvent& result = *event.mutable_result();
              result.set_steps(40);
              result.set_final_loss(0.25);
              result.set_tokens_per_second(3210);
              result.set_wall_seconds(75);
            }),
            "result: 40 steps, loss 0.25, 3.21k tok/s, 1m15s");
  EXPECT_EQ(line_of([](auto& event) {
              event.mutable_failure()->set_rank(1);
              event.mutable_failure()->set_code("DATA_LOSS");
              event.mutable_failure()->set_message("m is truncated");
            }),
            "rank 1 failed with DATA_LOSS: m is truncated");
  EXPECT_EQ(line_of([](auto&) {}), "an event that this pmt does not know");
}

TEST(LogLine, KeepsTheLineBreaksOfItsMessage) {
  v1::LogLine line;
  line.mutable_time()->set_seconds(kStart + 3);
  line.set_rank(1);
  line.set_level("error");
  line.set_message("one\ntwo\x1b[2J");
  EXPECT_EQ(log_line(line), "00:00:03  rank 1  error    one\ntwo [2J");
}

}  // namespace
}  // namespace prefixmem::client
