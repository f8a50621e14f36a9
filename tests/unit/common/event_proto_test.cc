#include "common/proto/event_proto.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace prefixmem {
namespace {

TEST(EventProto, ComesBack) {
  const Event events[] = {PhaseEvent{PhaseEvent::Phase::kTraining, 10, 77},
                          StepEvent{3, 10, 0.1, 1e-3, 5e-324, 100, 7, 0.25, 0.01, 1 << 20, 5, 0.5},
                          StepEvent{},
                          EvalEvent{0, "accuracy", 1.0 / 3, 100, 2},
                          ArtifactEvent{ArtifactEvent::Kind::kAdapter, "adapter", 10, 12, 0.5},
                          LogEvent{1, "warning", "two\nlines"},
                          ResultEvent{10, 0.5, 60, 1234.5, 77},
                          FailureEvent{1, data_loss("checkpoint x is cut short")}};
  for (const Event& event : events) {
    v1::TrainerEvent sent;
    ASSERT_TRUE(sent.ParseFromString(event_to_proto(event).SerializeAsString()));
    const auto back = event_from_proto(sent);
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(to_json_line(*back), to_json_line(event));
  }
}

TEST(EventProto, FieldsLandWhereTheyBelong) {
  StepEvent step;
  step.loss = std::numeric_limits<double>::quiet_NaN();
  step.label_tokens = 7;
  const v1::TrainerEvent message = event_to_proto(step);
  EXPECT_TRUE(std::isnan(message.step().loss()));
  EXPECT_EQ(message.step().label_tokens(), 7);
  EXPECT_EQ(event_to_proto(FailureEvent{1, not_found("x")}).failure().code(), "NOT_FOUND");
}

// Every field of a message is one that the description fills, and no event lacks a message.
TEST(EventProto, NoFieldIsLeftOut) {
  StepEvent step{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const Event events[] = {PhaseEvent{PhaseEvent::Phase::kSaving, 1, 1},
                          step,
                          EvalEvent{1, "m", 1, 1, 1},
                          ArtifactEvent{ArtifactEvent::Kind::kMetrics, "p", 1, 1, 1, "d"},
                          LogEvent{1, "info", "m"},
                          ResultEvent{1, 1, 1, 1, 1},
                          FailureEvent{1, internal_error("m")}};
  const auto* oneof = v1::TrainerEvent::descriptor()->oneof_decl(0);
  ASSERT_EQ(static_cast<size_t>(oneof->field_count()), std::size(events));
  for (const Event& event : events) {
    const v1::TrainerEvent message = event_to_proto(event);
    const auto* field = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
    const auto& body = message.GetReflection()->GetMessage(message, field);
    std::vector<const google::protobuf::FieldDescriptor*> set;
    body.GetReflection()->ListFields(body, &set);
    EXPECT_EQ(static_cast<int>(set.size()), body.GetDescriptor()->field_count()) << field->name();
  }
}

TEST(EventProto, RefusesWhatIsNoEvent) {
  EXPECT_EQ(event_from_proto(v1::TrainerEvent()).status().message(),
            "event is empty; allowed: one of phase, step, eval, artifact, log, result, failure");
  v1::TrainerEvent message;
  message.mutable_phase()->set_phase("dreaming");
  EXPECT_EQ(
      event_from_proto(message).status().message(),
      "event PhaseEvent.phase is \"dreaming\"; allowed: loading, evaluating, training, saving");
}

}  // namespace
}  // namespace prefixmem
