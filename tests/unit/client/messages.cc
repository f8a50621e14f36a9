#include "tests/unit/client/messages.h"

namespace prefixmem::client {
namespace {

constexpr int64_t kSteps = 4;

v1::JobEvent numbered(const std::string& job, int64_t number) {
  v1::JobEvent event;
  event.set_job_id(job);
  event.set_number(number);
  event.set_attempt(1);
  event.mutable_time()->set_seconds(kStart + number);
  return event;
}

}  // namespace

v1::Job make_job(const std::string& id, const std::string& name, v1::JobState state) {
  v1::Job job;
  job.set_id(id);
  job.set_name(name);
  job.set_state(state);
  job.set_ranks(2);
  job.mutable_create_time()->set_seconds(kStart - 60);
  v1::JobSpec& spec = *job.mutable_spec();
  spec.set_name(name);
  spec.set_model("/m");
  spec.mutable_method()->mutable_lora()->set_r(8);
  spec.mutable_data()->set_train("/rows.jsonl");
  spec.mutable_train()->set_max_steps(kSteps);
  return job;
}

v1::JobEvent state_event(const std::string& job, int64_t number, v1::JobState state,
                         const std::string& reason) {
  v1::JobEvent event = numbered(job, number);
  event.mutable_state()->set_state(state);
  event.mutable_state()->set_reason(reason);
  return event;
}

v1::JobEvent step_event(const std::string& job, int64_t number, int64_t step) {
  v1::JobEvent event = numbered(job, number);
  v1::StepEvent& body = *event.mutable_trainer()->mutable_step();
  body.set_step(step);
  body.set_total_steps(kSteps);
  body.set_loss(1 / static_cast<double>(step));
  body.set_learning_rate(0.001);
  body.set_tokens(100);
  body.set_step_seconds(0.5);
  return event;
}

std::vector<v1::JobEvent> events_of(const std::string& job, v1::JobState end,
                                    const std::string& reason) {
  std::vector<v1::JobEvent> events = {state_event(job, 1, v1::JOB_STATE_QUEUED),
                                      state_event(job, 2, v1::JOB_STATE_RUNNING)};
  for (int64_t step = 1; step <= kSteps; ++step) {
    events.push_back(step_event(job, step + 2, step));
  }
  events.push_back(state_event(job, kSteps + 3, end, reason));
  return events;
}

}  // namespace prefixmem::client
