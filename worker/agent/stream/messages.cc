#include "worker/agent/stream/messages.h"

#include <algorithm>

#include "common/proto/event_proto.h"
#include "common/proto/timestamps.h"
#include "common/version.h"

namespace prefixmem::agent {
namespace {

constexpr double kLongestGraceSeconds = 3600;

void set(v1::AttemptId& id, const AttemptKey& key) {
  id.set_job_id(key.job_id);
  id.set_attempt(key.attempt);
}

void fill(const AttemptKey& key, const EventBatch& batch, v1::WorkerMessage& message) {
  v1::AttemptEvents& events = *message.mutable_events();
  set(*events.mutable_id(), key);
  events.set_first_number(batch.first_number);
  for (const SpooledEvent& spooled : batch.events) {
    v1::SpooledEvent& out = *events.add_events();
    *out.mutable_time() = to_timestamp(spooled.time);
    *out.mutable_event() = event_to_proto(spooled.event);
  }
}

void fill(const AttemptKey& key, const AttemptEnd& end, v1::WorkerMessage& message) {
  v1::AttemptEnded& ended = *message.mutable_ended();
  set(*ended.mutable_id(), key);
  ended.set_code(std::string(code_name(end.status.code())));
  ended.set_message(end.status.message());
  ended.set_stderr_tail(end.stderr_tail);
  ended.set_shared(end.shared);
}

Artifact artifact_of(const v1::Artifact& from) {
  return {from.path(), from.kind(), from.step(), from.bytes(), from.sha256()};
}

}  // namespace

v1::WorkerMessage register_message(const WorkerCard& card,
                                   const std::map<AttemptKey, Millis>& known) {
  v1::WorkerMessage message;
  v1::Register& out = *message.mutable_register_();
  out.set_worker_id(card.id);
  out.set_host(card.host);
  out.set_slots(card.slots);
  out.set_device(card.device);
  for (const std::string& name : card.device_names) out.add_device_names(name);
  out.set_version(std::string(version()));
  out.set_metrics_address(card.metrics_address);
  for (const auto& [key, age] : known) {
    set(*out.add_attempts(), key);
    out.add_attempt_seconds(to_seconds(age));
  }
  return message;
}

v1::WorkerMessage heartbeat_message(WallTime now, const std::vector<AttemptKey>& running,
                                    bool draining) {
  v1::WorkerMessage message;
  *message.mutable_heartbeat()->mutable_time() = to_timestamp(now);
  for (const AttemptKey& key : running) set(*message.mutable_heartbeat()->add_running(), key);
  message.mutable_heartbeat()->set_draining(draining);
  return message;
}

v1::WorkerMessage report_message(const AttemptReport& report) {
  v1::WorkerMessage message;
  std::visit([&](const auto& body) { fill(report.key, body, message); }, report.body);
  return message;
}

AttemptKey key_of(const v1::AttemptId& id) { return {id.job_id(), id.attempt()}; }

std::optional<Millis> grace_of(const v1::Cancel& cancel) {
  const double seconds = std::min(cancel.grace_seconds(), kLongestGraceSeconds);
  if (!(seconds > 0)) return std::nullopt;
  return Millis(static_cast<int64_t>(seconds * 1000));
}

GangAssignment assignment_of(const v1::Assign& assign) {
  GangAssignment gang;
  gang.gang = assign.gang();
  gang.ranks = assign.ranks();
  for (const v1::AssignedAttempt& one : assign.attempts()) {
    Assignment& attempt = gang.attempts.emplace_back();
    attempt.key = key_of(one.id());
    attempt.job_name = one.job_name();
    attempt.spec_yaml = one.spec_yaml();
    if (one.has_resume_from()) attempt.resume_from = artifact_of(one.resume_from());
    if (one.has_resume_before()) attempt.resume_before = artifact_of(one.resume_before());
    if (one.has_resume_metrics()) attempt.resume_metrics = artifact_of(one.resume_metrics());
  }
  return gang;
}

}  // namespace prefixmem::agent
