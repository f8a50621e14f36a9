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

void fill(const MemberReady&, v1::GangNote& note) { note.mutable_ready(); }
void fill(const StartDaemon& start, v1::GangNote& note) {
  *note.mutable_start()->mutable_arguments() = {start.arguments.begin(), start.arguments.end()};
}
void fill(const StopDaemon&, v1::GangNote& note) { note.mutable_stop(); }
void fill(const DaemonEnded& ended, v1::GangNote& note) {
  note.mutable_ended()->set_code(std::string(code_name(ended.status.code())));
  note.mutable_ended()->set_message(ended.status.message());
  note.mutable_ended()->set_exit_code(ended.code);
}
void fill(const RankLine& line, v1::GangNote& note) {
  note.mutable_line()->set_connection(line.connection);
  note.mutable_line()->set_text(line.text);
}
void fill(const RankLeft& left, v1::GangNote& note) {
  note.mutable_left()->set_connection(left.connection);
}
void fill(const MemberGone& gone, v1::GangNote& note) {
  note.mutable_gone()->set_reason(gone.reason);
}

DaemonEnded ended_of(const v1::DaemonEnded& ended) {
  const auto code = code_from_name(ended.code());
  if (code) return {Status(*code, ended.message()), ended.exit_code()};
  return {internal_error("a member reports code \"" + ended.code() + "\": " + ended.message()),
          ended.exit_code()};
}

std::optional<NoteBody> body_of(const v1::GangNote& note) {
  switch (note.body_case()) {
    case v1::GangNote::kStart:
      return StartDaemon{{note.start().arguments().begin(), note.start().arguments().end()}};
    case v1::GangNote::kStop:
      return StopDaemon{};
    case v1::GangNote::kEnded:
      return ended_of(note.ended());
    case v1::GangNote::kLine:
      return RankLine{note.line().connection(), note.line().text()};
    case v1::GangNote::kLeft:
      return RankLeft{note.left().connection()};
    case v1::GangNote::kReady:
      return MemberReady{};
    case v1::GangNote::kGone:
      return MemberGone{note.gone().reason()};
    case v1::GangNote::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

Artifact artifact_of(const v1::Artifact& from) {
  return {from.path(), from.kind(), from.step(), from.bytes(), from.sha256()};
}

}  // namespace

v1::WorkerMessage register_message(const WorkerCard& card,
                                   const std::map<AttemptKey, Millis>& known,
                                   const std::vector<AttemptKey>& members,
                                   const std::string& unhealthy) {
  v1::WorkerMessage message;
  v1::Register& out = *message.mutable_register_();
  out.set_worker_id(card.id);
  out.set_host(card.host);
  out.set_slots(card.slots);
  out.set_device(card.device);
  for (const std::string& name : card.device_names) out.add_device_names(name);
  out.set_version(std::string(version()));
  out.set_metrics_address(card.metrics_address);
  out.set_allocation(card.allocation);
  out.set_memory_bytes(card.memory);
  out.set_gpu_memory_bytes(card.gpu_memory);
  for (const auto& [key, age] : known) {
    set(*out.add_attempts(), key);
    out.add_attempt_seconds(to_seconds(age));
  }
  for (const AttemptKey& key : members) set(*out.add_members(), key);
  out.set_unhealthy(unhealthy);
  return message;
}

v1::WorkerMessage heartbeat_message(WallTime now, const std::vector<AttemptKey>& running,
                                    const Readiness& readiness) {
  v1::WorkerMessage message;
  *message.mutable_heartbeat()->mutable_time() = to_timestamp(now);
  for (const AttemptKey& key : running) set(*message.mutable_heartbeat()->add_running(), key);
  message.mutable_heartbeat()->set_draining(readiness.draining);
  message.mutable_heartbeat()->set_unhealthy(readiness.unhealthy);
  return message;
}

v1::WorkerMessage report_message(const AttemptReport& report) {
  v1::WorkerMessage message;
  std::visit([&](const auto& body) { fill(report.key, body, message); }, report.body);
  return message;
}

v1::WorkerMessage note_message(const Note& note) {
  v1::WorkerMessage message;
  v1::GangNote& out = *message.mutable_note();
  set(*out.mutable_id(), note.key);
  out.set_worker_id(note.worker);
  out.set_number(note.number);
  out.set_acknowledged(note.acknowledged);
  if (note.body) std::visit([&](const auto& body) { fill(body, out); }, *note.body);
  return message;
}

AttemptKey key_of(const v1::AttemptId& id) { return {id.job_id(), id.attempt()}; }

std::optional<Millis> grace_of(const v1::Cancel& cancel) {
  const double seconds = std::min(cancel.grace_seconds(), kLongestGraceSeconds);
  if (!(seconds > 0)) return std::nullopt;
  return Millis(static_cast<int64_t>(seconds * 1000));
}

Result<GangAssignment> assignment_of(const v1::Assign& assign, const std::string& id) {
  GangAssignment gang;
  gang.gang = assign.gang();
  gang.ranks = assign.ranks();
  gang.memory = assign.memory_bytes();
  for (const v1::AssignedAttempt& one : assign.attempts()) {
    Assignment& attempt = gang.attempts.emplace_back();
    attempt.key = key_of(one.id());
    attempt.job_name = one.job_name();
    attempt.spec_yaml = one.spec_yaml();
    if (one.has_resume_from()) attempt.resume_from = artifact_of(one.resume_from());
    if (one.has_resume_before()) attempt.resume_before = artifact_of(one.resume_before());
    if (one.has_resume_metrics()) attempt.resume_metrics = artifact_of(one.resume_metrics());
  }
  for (const v1::GangHost& host : assign.hosts()) {
    if (host.worker_id() == id) gang.self = gang.hosts.size();
    gang.hosts.push_back({host.worker_id(), host.host(), host.ranks(), host.memory_bytes()});
  }
  if (gang.hosts.empty()) return gang;
  const bool whole =
      gang.hosts.size() > 1 && gang.attempts.size() == 1 && gang.hosts[gang.self].worker == id;
  if (whole) return gang;
  return invalid_argument("assign has " + std::to_string(gang.hosts.size()) + " hosts and " +
                          std::to_string(gang.attempts.size()) +
                          " attempts; allowed: several hosts with this worker, and one attempt");
}

Note note_of(const v1::GangNote& note) {
  return {key_of(note.id()), note.worker_id(), note.number(), note.acknowledged(), body_of(note)};
}

}  // namespace prefixmem::agent
