#include "common/event/event.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace prefixmem {
namespace {

std::vector<Event> examples() {
  return {PhaseEvent{PhaseEvent::Phase::kTraining, 10, 77},
          StepEvent{3, 10, 0.1, 1e-3, 5e-324, 100, 7, 0.25, 0.01, 1 << 20, 5, 0.5},
          EvalEvent{0, "accuracy", 1.0 / 3, 100, 2},
          ArtifactEvent{ArtifactEvent::Kind::kCheckpoint, "checkpoints/a", 10, 12, 0.5, "c0ffee"},
          LogEvent{1, "warning", "line one\nline \"two\" é"},
          ResultEvent{10, 0.5, 60, 1234.5, 77},
          FailureEvent{1, data_loss("checkpoint x is cut short")}};
}

TEST(Event, ComesBackFromItsLine) {
  for (const Event& event : examples()) {
    const std::string line = to_json_line(event);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto back = event_from_json(line);
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(back->index(), event.index());
    EXPECT_EQ(to_json_line(*back), line);
  }
}

TEST(Event, LinesLookLikeThis) {
  EXPECT_EQ(to_json_line(PhaseEvent{PhaseEvent::Phase::kSaving, 10, 77}),
            R"({"phase":{"phase":"saving","total_steps":10,"trainable_parameters":77}})");
  EXPECT_EQ(to_json_line(FailureEvent{2, not_found("model /m does not exist")}),
            R"({"failure":{"rank":2,"code":"NOT_FOUND","message":"model /m does not exist"}})");
}

TEST(Event, NumbersThatJsonCannotSaySurvive) {
  StepEvent step;
  step.loss = std::numeric_limits<double>::quiet_NaN();
  step.grad_norm = std::numeric_limits<double>::infinity();
  step.learning_rate = -std::numeric_limits<double>::infinity();
  const auto back = event_from_json(to_json_line(step));
  ASSERT_TRUE(back.ok());
  const auto& read = std::get<StepEvent>(*back);
  EXPECT_TRUE(std::isnan(read.loss));
  EXPECT_EQ(read.grad_norm, step.grad_norm);
  EXPECT_EQ(read.learning_rate, step.learning_rate);
}

TEST(Event, DoublesComeBackToTheBit) {
  for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0}) {
    EvalEvent event;
    event.value = value;
    const auto back = event_from_json(to_json_line(event));
    ASSERT_TRUE(back.ok());
    const double read = std::get<EvalEvent>(*back).value;
    EXPECT_EQ(read, value);
    EXPECT_EQ(std::signbit(read), std::signbit(value));
  }
}

TEST(Event, BytesThatAreNoTextAreReplaced) {
  const auto back = event_from_json(to_json_line(LogEvent{0, "info", "a\xFFz"}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(std::get<LogEvent>(*back).message, "a\xEF\xBF\xBDz");
}

TEST(TrialEvent, ComesBackFromItsLine) {
  for (const int trial : {TrialEvent::kWholeGang, 0, 3}) {
    for (const Event& event : examples()) {
      const std::string line = to_json_line(TrialEvent{trial, event});
      const auto back = trial_event_from_json(line);
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_EQ(back->trial, trial);
      EXPECT_EQ(to_json_line(back->event), to_json_line(event));
    }
  }
}

TEST(TrialEvent, LinesLookLikeThis) {
  const Event event = LogEvent{0, "info", "x"};
  EXPECT_EQ(to_json_line(TrialEvent{3, event}),
            R"({"log":{"rank":0,"level":"info","message":"x"},"trial":3})");
  EXPECT_EQ(to_json_line(TrialEvent{TrialEvent::kWholeGang, event}), to_json_line(event));
}

TEST(TrialEvent, BadTrialsAreRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"log":{},"trial":-1})", "event trial is -1; allowed: a whole number of at least 0"},
      {R"({"log":{},"trial":"0"})", "event trial is \"0\"; allowed: a whole number of at least 0"},
      {R"({"log":{},"trial":4294967296})",
       "event trial is 4294967296; allowed: a whole number of at least 0"},
      {R"({"trial":1})", "event line is not a JSON object with one key, the event's type"},
      {R"({"log":{},"step":{},"trial":1})",
       "event line is not a JSON object with one key, the event's type"},
      {"[]", "event line is not a JSON object with one key, the event's type"},
  };
  for (const auto& [line, message] : cases) {
    const Status status = trial_event_from_json(line).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << line;
    EXPECT_EQ(status.message(), message);
  }
  EXPECT_FALSE(event_from_json(R"({"log":{},"trial":1})").ok()) << "a solo job has no trials";
}

TEST(Event, BadLinesAreRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "event line is not a JSON object with one key, the event's type"},
      {"[1]", "event line is not a JSON object with one key, the event's type"},
      {"{}", "event line is not a JSON object with one key, the event's type"},
      {R"({"stop":{}})",
       "event type is \"stop\"; allowed: phase, step, eval, artifact, log, result, failure"},
      {R"({"step":3})", "event step is no object; allowed: an object of its keys"},
      {R"({"step":{"step":1.5}})", "event step.step is 1.5; allowed: a whole number"},
      {R"({"step":{"loss":"much"}})",
       "event step.loss is \"much\"; allowed: a number, nan, inf or -inf"},
      {R"({"phase":{"phase":"dreaming"}})",
       "event phase.phase is \"dreaming\"; allowed: loading, evaluating, training, saving"},
      {R"({"log":{"message":7}})", "event log.message is 7; allowed: text"},
  };
  for (const auto& [line, message] : cases) {
    const Status status = event_from_json(line).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << line;
    EXPECT_EQ(status.message(), message);
  }
}

}  // namespace
}  // namespace prefixmem
