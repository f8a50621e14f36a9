#include "tests/unit/coordinator/service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/proto/job_state.h"
#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "coordinator/core/find_job.h"
#include "tests/unit/common/spec_example.h"

namespace prefixmem {
namespace {

std::string event_text(const v1::TrainerEvent& event) {
  if (event.has_step()) return fmt::format("step {}", event.step().step());
  if (event.has_phase()) return "phase " + event.phase().phase();
  return "log " + event.log().message();
}

}  // namespace

void CoordinatorTest::start() {
  spdlog::set_level(spdlog::level::off);
  auto store = store::Store::open(folder_.path(), open_blobs_);
  ASSERT_TRUE(store.ok()) << store.status().message();
  store_ = std::move(store).value();
  auto started = Coordinator::start(config_, {.store = *store_,
                                              .clock = clock_,
                                              .metrics = metrics_,
                                              .on_store_failure = [this](const Status& failure) {
                                                store_failures_.push_back(failure);
                                              }});
  ASSERT_TRUE(started.ok()) << started.status().message();
  coordinator_ = std::move(started).value();
}

void CoordinatorTest::restart() {
  coordinator_.reset();
  store_.reset();
  links_.clear();
  start();
}

void CoordinatorTest::pass(Millis span) {
  constexpr Millis kTick{100};
  for (Millis gone{0}; gone < span; gone += kTick) {
    clock_.advance(std::min(kTick, span - gone));
    coordinator().tick();
  }
}

JobSpec CoordinatorTest::spec(const std::string& name, const std::string& more) {
  auto spec = parse_job_spec(kMinimalSpec + more);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  spec->name = name;
  return *spec;
}

void CoordinatorTest::submit(const std::string& name, const std::string& more) {
  const auto response = coordinator().submit(spec(name, more), "");
  ASSERT_TRUE(response.ok()) << response.status().message();
}

v1::Job CoordinatorTest::job(const std::string& name) {
  auto found = find_job(coordinator().reader(), name);
  EXPECT_TRUE(found.ok()) << found.status().message();
  return found.ok() ? std::move(found).value() : v1::Job();
}

std::string CoordinatorTest::state(const std::string& name) {
  const v1::Job found = job(name);
  return state_name(found.state()) + ": " + found.reason();
}

std::vector<std::string> CoordinatorTest::history(const std::string& name) {
  std::vector<std::string> texts;
  const auto events = coordinator().reader().events(job(name).id(), 1, 100000);
  EXPECT_TRUE(events.ok()) << events.status().message();
  for (const v1::JobEvent& event : *events) {
    const std::string what = event.has_state()
                                 ? state_name(event.state().state()) + ": " + event.state().reason()
                                 : event_text(event.trainer());
    texts.push_back(fmt::format("{} {}", event.number(), what));
  }
  return texts;
}

v1::AttemptId CoordinatorTest::attempt(const std::string& key) {
  const size_t slash = key.find('/');
  v1::AttemptId id;
  id.set_job_id(job(key.substr(0, slash)).id());
  id.set_attempt(std::stoi(key.substr(slash + 1)));
  return id;
}

std::string CoordinatorTest::key_of(const v1::AttemptId& id) {
  return fmt::format("{}/{}", job(id.job_id()).name(), id.attempt());
}

Status CoordinatorTest::connect(const std::string& id, int slots,
                                const std::vector<std::string>& running,
                                const std::string& device) {
  v1::Register request;
  request.set_worker_id(id);
  request.set_host("host-of-" + id);
  request.set_slots(slots);
  request.set_device(device);
  request.set_allocation(allocations_[id]);
  request.set_memory_bytes(memory_[id]);
  request.set_unhealthy(unhealthy_[id]);
  for (const std::string& key : running) {
    *request.add_attempts() = attempt(key);
    request.add_attempt_seconds(to_seconds(ages_[key]));
  }
  return take_in(request);
}

Status CoordinatorTest::connect_member(const std::string& id, int slots,
                                       const std::vector<std::string>& members) {
  v1::Register request;
  request.set_worker_id(id);
  request.set_slots(slots);
  request.set_device("cpu");
  for (const std::string& key : members) *request.add_members() = attempt(key);
  return take_in(request);
}

Status CoordinatorTest::take_in(const v1::Register& request) {
  auto link = std::make_shared<FakeLink>();
  links_[request.worker_id()] = link;
  return coordinator().connect(request, link);
}

Status CoordinatorTest::receive(const std::string& id, const v1::WorkerMessage& message) {
  return coordinator().receive(id, link(id).get(), message);
}

Status CoordinatorTest::heartbeat(const std::string& id, const std::vector<std::string>& running,
                                  bool draining, const std::string& unhealthy) {
  v1::WorkerMessage message;
  message.mutable_heartbeat()->set_draining(draining);
  message.mutable_heartbeat()->set_unhealthy(unhealthy);
  for (const std::string& key : running) {
    *message.mutable_heartbeat()->add_running() = attempt(key);
  }
  return receive(id, message);
}

Status CoordinatorTest::events(const std::string& id, const std::string& key, int64_t first,
                               const std::vector<v1::TrainerEvent>& events) {
  v1::WorkerMessage message;
  *message.mutable_events()->mutable_id() = attempt(key);
  message.mutable_events()->set_first_number(first);
  for (const v1::TrainerEvent& event : events) {
    *message.mutable_events()->add_events()->mutable_event() = event;
  }
  return receive(id, message);
}

Status CoordinatorTest::ended(const std::string& id, const std::string& key,
                              const std::string& code, const std::string& message,
                              const std::string& stderr_tail, bool shared) {
  v1::WorkerMessage end;
  *end.mutable_ended()->mutable_id() = attempt(key);
  end.mutable_ended()->set_code(code);
  end.mutable_ended()->set_message(message);
  end.mutable_ended()->set_stderr_tail(stderr_tail);
  end.mutable_ended()->set_shared(shared);
  return receive(id, end);
}

Status CoordinatorTest::ended_together(const std::string& id, const std::string& key,
                                       const std::string& code, const std::string& message) {
  return ended(id, key, code, message, "", true);
}

void CoordinatorTest::disconnect(const std::string& id) {
  coordinator().disconnect(id, link(id).get());
}

std::vector<std::string> CoordinatorTest::heard(const std::string& id) {
  std::vector<std::string> texts;
  for (const auto& message : std::exchange(link(id)->sent, {})) texts.push_back(text_of(message));
  return texts;
}

std::string CoordinatorTest::text_of(const v1::CoordinatorMessage& message) {
  switch (message.message_case()) {
    case v1::CoordinatorMessage::kRegistered: {
      std::string text = "registered";
      for (const auto& id : message.registered().stale()) text += ", stale " + key_of(id);
      return text;
    }
    case v1::CoordinatorMessage::kAssign: {
      std::string text;
      for (const v1::AssignedAttempt& one : message.assign().attempts()) {
        text += (text.empty() ? "assign " : ", ") + key_of(one.id());
        if (one.has_resume_from()) text += fmt::format(" from step {}", one.resume_from().step());
        if (one.has_resume_before()) text += fmt::format(" or {}", one.resume_before().step());
      }
      return text;
    }
    case v1::CoordinatorMessage::kCancel:
      return "cancel " + key_of(message.cancel().id()) + ": " + message.cancel().reason();
    case v1::CoordinatorMessage::kEventsAcknowledged:
      return fmt::format("events of {} up to {}", key_of(message.events_acknowledged().id()),
                         message.events_acknowledged().up_to_number());
    case v1::CoordinatorMessage::kEndAcknowledged:
      return "end of " + key_of(message.end_acknowledged().id());
    case v1::CoordinatorMessage::kNote: {
      const v1::GangNote& note = message.note();
      if (!note.has_gone()) return "note of " + key_of(note.id()) + " from " + note.worker_id();
      return note.worker_id() + " is gone from " + key_of(note.id()) + ": " + note.gone().reason();
    }
    case v1::CoordinatorMessage::MESSAGE_NOT_SET:
      break;
  }
  return "empty";
}

void CoordinatorTest::run_a() {
  ASSERT_TRUE(connect("w", 1).ok());
  submit("a");
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
  coordinator().tick();
  heard("w");
}

Status CoordinatorTest::upload(const std::string& key, int64_t step, const std::string& content) {
  return coordinator().add_artifact(attempt(key), checkpoint(step, content)).status();
}

void CoordinatorTest::bring(const std::string& key, const std::string& path,
                            const std::string& bytes) {
  v1::Artifact file;
  file.set_path(path);
  file.set_kind("adapter");
  bring(key, file, bytes);
}

void CoordinatorTest::bring(const std::string& key, v1::Artifact file, const std::string& bytes) {
  file.set_bytes(static_cast<int64_t>(bytes.size()));
  file.set_sha256(sha256_hex(bytes));
  const auto writer = store().blobs().begin();
  ASSERT_TRUE(writer.ok() && (*writer)->write(bytes).ok());
  ASSERT_TRUE((*writer)->finish(file.sha256()).ok());
  ASSERT_TRUE(coordinator().add_artifact(attempt(key), file).ok());
}

v1::TrainerEvent step_event(int64_t step, int64_t total_steps, double step_seconds) {
  v1::TrainerEvent event;
  event.mutable_step()->set_step(step);
  event.mutable_step()->set_total_steps(total_steps);
  event.mutable_step()->set_loss(1.0 / static_cast<double>(step));
  event.mutable_step()->set_tokens(100);
  event.mutable_step()->set_step_seconds(step_seconds);
  return event;
}

v1::TrainerEvent phase_event(const std::string& phase) {
  v1::TrainerEvent event;
  event.mutable_phase()->set_phase(phase);
  return event;
}

v1::TrainerEvent log_event(const std::string& message) {
  v1::TrainerEvent event;
  event.mutable_log()->set_message(message);
  return event;
}

v1::Artifact checkpoint(int64_t step, const std::string& content) {
  v1::Artifact artifact;
  artifact.set_path(fmt::format("checkpoints/step-{}", step));
  artifact.set_kind("checkpoint");
  artifact.set_step(step);
  artifact.set_sha256(sha256_hex(content));
  return artifact;
}

}  // namespace prefixmem
