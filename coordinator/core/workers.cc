// What workers say.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "common/spec/utf8.h"
#include "coordinator/core/coordinator.h"

namespace prefixmem {
namespace {

constexpr size_t kMaxPendingEvents = 2000;  // more are committed at once
constexpr int kMaxSlots = 4096;
constexpr int64_t kMaxMemoryBytes = int64_t{1} << 50;
constexpr int64_t kMaxEventNumber = int64_t{1} << 48;
constexpr size_t kMaxSentence = 500;        // characters of what a worker says of itself
constexpr double kMaxAttemptSeconds = 1e9;  // 30 years
constexpr const char* kNotCurrent = "the attempt is not current any more";

// Letters, digits and some of `marks`, 128 at most.
bool is_name(std::string_view text, std::string_view marks) {
  return text.size() <= 128 && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
           return std::isalnum(c) != 0 || marks.find(static_cast<char>(c)) != marks.npos;
         });
}

Status check(const v1::Register& request) {
  const std::string& id = request.worker_id();
  if (id.empty() || !is_name(id, "-._")) {
    return invalid_argument(fmt::format(
        "register.worker_id is \"{}\"; allowed: 1 to 128 letters, digits, '.', '_' and '-'",
        spec::shortened(id, 80)));
  }
  const std::string& allocation = request.allocation();
  if (!is_name(allocation, "-._:")) {
    return invalid_argument(
        fmt::format("register.allocation is \"{}\"; allowed: at most 128 letters, digits, '.', "
                    "'_', '-' and ':'",
                    spec::shortened(allocation, 80)));
  }
  if (request.slots() < 1 || request.slots() > kMaxSlots) {
    return invalid_argument(fmt::format("register.slots is {}; allowed: a number from 1 to {}",
                                        request.slots(), kMaxSlots));
  }
  for (const int64_t bytes : {request.memory_bytes(), request.gpu_memory_bytes()}) {
    if (bytes >= 0 && bytes <= kMaxMemoryBytes) continue;
    return invalid_argument(
        fmt::format("register.memory_bytes or gpu_memory_bytes is {}; allowed: "
                    "0 to {}",
                    bytes, kMaxMemoryBytes));
  }
  if (request.device() != "cpu" && request.device() != "cuda") {
    return invalid_argument(fmt::format("register.device is \"{}\"; allowed: cpu or cuda",
                                        spec::shortened(request.device(), 80)));
  }
  for (const double seconds : request.attempt_seconds()) {
    if (seconds >= 0 && seconds <= kMaxAttemptSeconds) continue;
    return invalid_argument(fmt::format("register.attempt_seconds holds {}; allowed: 0 to {}",
                                        seconds, kMaxAttemptSeconds));
  }
  return {};
}

v1::Worker worker_of(const v1::Register& request) {
  v1::Worker worker;
  worker.set_id(request.worker_id());
  worker.set_host(request.host());
  worker.set_state("connected");
  worker.set_slots(request.slots());
  worker.set_device(request.device());
  *worker.mutable_device_names() = request.device_names();
  worker.set_version(request.version());
  worker.set_metrics_address(request.metrics_address());
  worker.set_allocation(request.allocation());
  worker.set_memory_bytes(request.memory_bytes());
  worker.set_gpu_memory_bytes(request.gpu_memory_bytes());
  worker.set_unhealthy(spec::shortened(request.unhealthy(), kMaxSentence));
  return worker;
}

v1::CoordinatorMessage acknowledgement(const v1::AttemptId& id, int64_t up_to) {
  v1::CoordinatorMessage message;
  *message.mutable_events_acknowledged()->mutable_id() = id;
  message.mutable_events_acknowledged()->set_up_to_number(up_to);
  return message;
}

}  // namespace

Status Coordinator::connect(const v1::Register& request, std::shared_ptr<WorkerLink> link) {
  PM_TRY(check(request));
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    take_in(request, std::move(link));
    batch = journal_.number();
  }
  return make_durable_soon(batch);
}

void Coordinator::take_in(const v1::Register& request, std::shared_ptr<WorkerLink> link) {
  const std::string& id = request.worker_id();
  LiveWorker& worker = live_.workers[id];
  if (worker.link) worker.link->close(failed_precondition("worker " + id + " has dialled again"));
  const bool drained = worker.draining;
  const bool cordoned = worker.info.cordoned();
  worker = {worker_of(request), std::move(link), environment_.clock.monotonic(), drained};
  worker.info.set_cordoned(cordoned);
  live_.gangs.erase(id);  // what they hold depends on its size
  worker.settled = environment_.clock.monotonic();
  worker.make = fmt::format("{}", fmt::join(request.device_names(), ", "));
  journal_.worker_changed(id);
  spdlog::info("worker {} on {} registered: {} slots, {}, {} attempts", id, request.host(),
               request.slots(), request.device(), request.attempts_size());
  take_up(request);
  worker.draining = false;
  to_place_ = true;
}

// What began before this process did is younger to it than to its worker.
void Coordinator::put_clocks_right(const v1::Register& request) {
  const MonotonicTime now = environment_.clock.monotonic();
  const int told = std::min(request.attempts_size(), request.attempt_seconds_size());
  for (int i = 0; i < told; ++i) {
    LiveJob* job = live_.current(request.worker_id(), request.attempts(i));
    if (job == nullptr) continue;
    const Millis ran(static_cast<int64_t>(request.attempt_seconds(i) * 1000));
    begin_clock(*job, std::min(job->began, now - ran));
  }
}

void Coordinator::take_up(const v1::Register& request) {
  const std::string& id = request.worker_id();
  put_clocks_right(request);
  const scheduler::Reconciliation found = reconcile_with(request);
  v1::CoordinatorMessage answer;
  v1::Registered& registered = *answer.mutable_registered();
  registered.set_lease_seconds(to_seconds(config_.scheduler.lease));
  registered.set_heartbeat_seconds(to_seconds(config_.heartbeat));
  for (const auto& key : found.stale) *registered.add_stale() = id_of(key);
  for (const v1::AttemptId& member : request.members()) {
    if (live_.with_part_on(id, member) == nullptr) *registered.add_stale() = member;
  }
  journal_.send(link_of(id), std::move(answer));
  for (const auto& key : found.kept) {
    const Status& stop = live_.jobs.at(key.job_id).record.stop;
    if (!stop.ok()) send_cancel(id, id_of(key), stop);
  }
  send_again(found.resent);
  for (const auto& key : found.gone) {
    end_attempt(live_.jobs.at(key.job_id),
                unavailable(fmt::format("worker {} no longer runs attempt {}", id, key.attempt)));
  }
  look_for_members(request);
}

// Gang by gang, each in the order submitted, but for what is to stop.
void Coordinator::send_again(const std::vector<scheduler::AttemptKey>& lost) {
  std::map<std::string, std::vector<LiveJob*>> gangs;
  for (const auto& key : lost) {
    LiveJob& job = live_.jobs.at(key.job_id);
    if (job.record.stop.ok()) {
      gangs[job.attempt->gang].push_back(&job);
    } else {
      end_attempt(job, Status(job.record.stop));
    }
  }
  for (auto& [id, jobs] : gangs) {
    std::sort(jobs.begin(), jobs.end(),
              [](const LiveJob* a, const LiveJob* b) { return a->record.seq < b->record.seq; });
    send_assignment(jobs);
  }
}

scheduler::Reconciliation Coordinator::reconcile_with(const v1::Register& request) {
  std::vector<scheduler::AttemptKey> reported;
  for (const v1::AttemptId& id : request.attempts()) reported.push_back(key_of(id));
  std::vector<scheduler::Held> held;
  for (const std::string& job_id : live_.on(request.worker_id())) {
    const LiveJob& job = live_.jobs.at(job_id);
    if (job.attempt->worker_id != request.worker_id()) continue;  // it is a member there
    // Members of a gang may have begun before anything was heard of it: it is not begun twice.
    const bool began = job.attempt->last_event > 0 || job.record.job.hosts_size() > 0;
    held.push_back({attempt_of(job), began});
  }
  return scheduler::reconcile(reported, held);
}

std::shared_ptr<WorkerLink> Coordinator::link_of(const std::string& worker_id) {
  const auto found = live_.workers.find(worker_id);
  return found == live_.workers.end() ? nullptr : found->second.link;
}

bool Coordinator::drains(const std::string& worker_id) {
  const auto found = live_.workers.find(worker_id);
  return found != live_.workers.end() && found->second.draining;
}

void Coordinator::note_health(LiveWorker& worker, const std::string& unhealthy) {
  const std::string said = spec::shortened(unhealthy, kMaxSentence);
  if (said == worker.info.unhealthy()) return;
  spdlog::warn("worker {} {}", worker.info.id(),
               said.empty() ? "takes jobs again" : "takes no further jobs: " + said);
  worker.info.set_unhealthy(said);
  journal_.worker_changed(worker.info.id());
  to_place_ = true;
}

void Coordinator::disconnect(const std::string& worker_id, const WorkerLink* link) {
  const MutexLock lock(mutex_);
  const auto found = live_.workers.find(worker_id);
  if (found == live_.workers.end() || found->second.link.get() != link) return;
  LiveWorker& worker = found->second;
  worker.link = nullptr;
  spdlog::info("worker {} disconnected", worker_id);
  if (!worker.draining || !live_.on(worker_id).empty()) return;
  // It said that it shuts down, and has nothing to come back for.
  if (worker.info.cordoned()) return lose(worker, "worker " + worker_id + " has shut down");
  forget(worker_id);
}

Status Coordinator::receive(const std::string& worker_id, const WorkerLink* link,
                            const v1::WorkerMessage& message) {
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    const auto found = live_.workers.find(worker_id);
    if (found == live_.workers.end() || found->second.link.get() != link) return {};
    found->second.last_heard = environment_.clock.monotonic();
    PM_ASSIGN(const bool urgent, take(worker_id, message));
    if (!urgent) return {};
    batch = journal_.number();
  }
  return make_durable_soon(batch);
}

Result<bool> Coordinator::take(const std::string& worker_id, const v1::WorkerMessage& message) {
  switch (message.message_case()) {
    case v1::WorkerMessage::kHeartbeat:
      on_heartbeat(worker_id, message.heartbeat());
      return false;
    case v1::WorkerMessage::kEvents:
      PM_TRY(on_events(worker_id, message.events()));
      return journal_.events() > kMaxPendingEvents;
    case v1::WorkerMessage::kEnded:
      on_ended(worker_id, message.ended());
      return true;
    case v1::WorkerMessage::kNote:
      pass_on(worker_id, message.note());
      return false;
    case v1::WorkerMessage::kRegister:
      return failed_precondition("register is sent once, first on the stream");
    case v1::WorkerMessage::MESSAGE_NOT_SET:
      break;
  }
  return invalid_argument("message is empty; allowed: heartbeat, events, ended or note");
}

void Coordinator::on_heartbeat(const std::string& worker_id, const v1::Heartbeat& heartbeat) {
  for (const v1::AttemptId& id : heartbeat.running()) {
    if (live_.with_part_on(worker_id, id) == nullptr) {
      send_cancel(worker_id, id, cancelled(kNotCurrent));
    }
  }
  LiveWorker& worker = live_.workers.at(worker_id);
  note_health(worker, heartbeat.unhealthy());
  if (!heartbeat.draining() || std::exchange(worker.draining, true)) return;
  spdlog::info("worker {} is shutting down: it takes no further attempts", worker_id);
  for (const std::string& job_id : live_.on(worker_id)) {
    LiveJob& job = live_.jobs.at(job_id);
    if (job.attempt->worker_id == worker_id) continue;  // it ends that itself
    const std::string reason = fmt::format("worker {} is shutting down", worker_id);
    stop_attempt(job, unavailable(reason), reason);
  }
  to_place_ = true;
}

// Events of an attempt that is not current are acknowledged, so that its worker can drop them.
Status Coordinator::on_events(const std::string& worker_id, const v1::AttemptEvents& events) {
  const int64_t first = events.first_number();
  if (first < 1 || first > kMaxEventNumber) {
    return invalid_argument(
        fmt::format("events.first_number is {}; allowed: 1 to {}", first, kMaxEventNumber));
  }
  const int64_t last = first + events.events_size() - 1;
  LiveJob* job = live_.current(worker_id, events.id());
  if (job == nullptr) {
    journal_.send(link_of(worker_id), acknowledgement(events.id(), last));
    return {};
  }
  const int64_t known = job->attempt->last_event;
  if (first > known + 1) {
    return failed_precondition(
        fmt::format("events of attempt {} of {} begin at number {}; allowed: 1 to {}",
                    events.id().attempt(), events.id().job_id(), first, known + 1));
  }
  for (int64_t number = known + 1; number <= last; ++number) {
    apply(*job, events.events(static_cast<int>(number - first)));
  }
  journal_.send(link_of(worker_id), acknowledgement(events.id(), job->attempt->last_event));
  return {};
}

void Coordinator::on_ended(const std::string& worker_id, const v1::AttemptEnded& ended) {
  if (LiveJob* job = live_.current(worker_id, ended.id()); job != nullptr) {
    const auto code = code_from_name(ended.code());
    const Status end = code ? Status(*code, ended.message())
                            : internal_error(fmt::format("worker {} reports code \"{}\": {}",
                                                         worker_id, ended.code(), ended.message()));
    end_attempt(*job, end, ended.stderr_tail(), ended.shared());
    place_jobs();
  }
  v1::CoordinatorMessage answer;
  *answer.mutable_end_acknowledged()->mutable_id() = ended.id();
  journal_.send(link_of(worker_id), std::move(answer));
}

}  // namespace prefixmem
