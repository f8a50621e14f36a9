// Whatever a worker says, it is taken or refused in a sentence, and the coordinator goes on.
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/proto/job_state.h"
#include "tests/fuzz/mutate.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

class WorkerMessagesTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    google::protobuf::SetLogHandler(nullptr);  // or a text that is no UTF-8 would be a line each
    CoordinatorTest::SetUp();
  }

  // One of each kind, as worker "w" sends it of the attempt.
  static std::vector<std::string> messages_of(const v1::AttemptId& id) {
    std::vector<v1::WorkerMessage> messages(5);
    v1::Register& request = *messages[0].mutable_register_();
    request.set_worker_id("w");
    request.set_host("host");
    request.set_slots(1);
    request.set_device("cpu");
    request.set_memory_bytes(int64_t{1} << 33);
    *request.add_attempts() = id;
    request.add_attempt_seconds(2.5);
    *request.add_members() = id;
    v1::AttemptEvents& events = *messages[1].mutable_events();
    *events.mutable_id() = id;
    events.set_first_number(1);
    v1::TrainerEvent large = step_event(2, std::numeric_limits<int64_t>::max());
    large.mutable_step()->set_tokens(std::numeric_limits<int64_t>::max());
    for (const v1::TrainerEvent& event :
         {phase_event("training"), step_event(1), large, log_event("hello")}) {
      *events.add_events()->mutable_event() = event;
    }
    events.mutable_events(0)->mutable_time()->set_seconds(std::numeric_limits<int64_t>::max());
    *messages[2].mutable_heartbeat()->add_running() = id;
    v1::AttemptEnded& ended = *messages[3].mutable_ended();
    *ended.mutable_id() = id;
    ended.set_code("UNAVAILABLE");
    ended.set_message("it has gone");
    v1::GangNote& note = *messages[4].mutable_note();
    *note.mutable_id() = id;
    note.set_worker_id("w");
    note.mutable_gone()->set_reason("it is lost");
    std::vector<std::string> texts;
    for (const v1::WorkerMessage& message : messages) texts.push_back(message.SerializeAsString());
    return texts;
  }

  // As a stream does with it that ends thereafter where it begins one.
  Status take(const v1::WorkerMessage& message) {
    if (!message.has_register_()) return receive("w", message);
    const auto link = std::make_shared<FakeLink>();
    const Status taken = coordinator().connect(message.register_(), link);
    coordinator().disconnect(message.register_().worker_id(), link.get());
    return taken;
  }

  std::string newest_attempt(const std::string& name) {
    return fmt::format("{}/{}", name, job(name).attempt());
  }
  // The worker dials again, and the job comes to an end.
  void end(const std::string& name) {
    ASSERT_TRUE(connect("w", 1, {newest_attempt(name)}).ok());
    if (!has_ended(job(name).state())) {
      ASSERT_TRUE(coordinator().cancel(name).ok());
      ASSERT_TRUE(ended("w", newest_attempt(name), "CANCELLED").ok());
    }
    ASSERT_TRUE(has_ended(job(name).state())) << state(name);
  }
};

TEST_F(WorkerMessagesTest, ADamagedOneIsTakenOrRefusedAndTheJobStillEnds) {
  fuzz::Mutator mutator(1);
  size_t refused = 0;
  for (int i = 0; i < 200 && !HasFatalFailure(); ++i) {
    const std::string name = "j" + std::to_string(i);
    SCOPED_TRACE(name);
    ASSERT_TRUE(connect("w", 1).ok());
    submit(name);
    const auto messages = messages_of(attempt(name + "/1"));
    v1::WorkerMessage message;
    while (!message.ParseFromString(mutator.next(messages))) continue;
    const Status status = take(message);
    refused += status.ok() ? 0 : 1;
    EXPECT_NE(status.code(), Code::kInternal) << status.message();
    EXPECT_EQ(status.message().empty(), status.ok()) << message.ShortDebugString();
    end(name);
  }
  EXPECT_GT(refused, 0u);
  EXPECT_TRUE(store_failures_.empty());
}

}  // namespace
}  // namespace prefixmem
