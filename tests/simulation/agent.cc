#include "tests/simulation/agent.h"

#include <algorithm>
#include <utility>

#include "common/backoff.h"
#include "common/proto/timestamps.h"

namespace prefixmem::simulation {

Agent::Agent(World& world, Server& server, Network& network, std::string id, int slots)
    : world_(world),
      server_(server),
      id_(std::move(id)),
      slots_(slots),
      host_{.world = world,
            .network = network,
            .worker = id_,
            .later = [this](Millis delay,
                            std::function<void()> what) { later(delay, std::move(what)); },
            .changed = [this] { tell(); },
            .give_up =
                [this](Attempt& attempt) {
                  if (const auto gang = gang_of(attempt)) gang->stop(attempt, Millis(0));
                }} {
  world_.ledger.workers[id_].slots = slots;
}

void Agent::later(Millis delay, std::function<void()> what) {
  world_.timeline.after(delay, [this, life = life_, what = std::move(what)] {
    if (life == life_) what();
  });
}

void Agent::start() {
  if (std::exchange(up_, true)) return;
  world_.log("{}: starts", id_);
  dial();
}

void Agent::crash() {
  if (!std::exchange(up_, false)) return;
  world_.log("{}: dies with {} attempts", id_, attempts_.size());
  ++life_;
  for (auto& [key, attempt] : attempts_) attempt->stop(StopKind::kAbandon, "its agent is dead");
  attempts_.clear();
  gangs_.clear();
  members_.clear();
  answers_.clear();
  closed_.reset();
  registered_ = false;
  if (stream_) std::exchange(stream_, nullptr)->hang_up();
}

void Agent::shut_down() {
  if (!up_ || closed_) return;
  world_.log("{}: shuts down", id_);
  closed_ = "worker " + id_ + " shuts down";
  if (registered_) beat(dials_);
  for (auto& [key, attempt] : attempts_) {
    stop(*attempt, StopKind::kShutDown, *closed_, world_.units(5));
  }
  later(world_.units(8), [this] { crash(); });
}

// ---- the stream

void Agent::dial() {
  registered_ = false;
  const int number = ++dials_;
  const auto mine = [this, number, life = life_] { return number == dials_ && life == life_; };
  if (!server_.up()) return dial_again();
  stream_ =
      std::make_shared<Stream>(world_, server_, id_,
                               Stream::Ear{.hear =
                                               [this, mine](const v1::CoordinatorMessage& message) {
                                                 if (mine()) hear(message);
                                               },
                                           .ended =
                                               [this, mine] {
                                                 if (mine()) dial_again();
                                               }});
  v1::WorkerMessage message;
  v1::Register& request = *message.mutable_register_();
  request.set_worker_id(id_);
  request.set_host("host-of-" + id_);
  request.set_slots(slots_);
  request.set_device("cpu");
  for (const auto& [key, attempt] : attempts_) {
    v1::AttemptId& id = *request.add_attempts();
    id.set_job_id(key.first);
    id.set_attempt(key.second);
    request.add_attempt_seconds(to_seconds(attempt->age()));
  }
  for (const auto& [key, ranks] : members_) {
    v1::AttemptId& id = *request.add_members();
    id.set_job_id(key.first);
    id.set_attempt(key.second);
  }
  stream_->say(message);
  later(world_.units(10), [this, mine] {
    if (mine() && !registered_) dial_again();  // no answer to the registration
  });
}

void Agent::dial_again() {
  registered_ = false;
  ++dials_;
  if (stream_) std::exchange(stream_, nullptr)->hang_up();
  sweep();
  const BackoffPolicy backoff{.first = world_.units(1) / 4, .longest = world_.units(10)};
  later(backoff_delay(backoff, failed_dials_++, world_.random.share()), [this] { dial(); });
}

void Agent::cut(bool lost_up, bool lost_down, Millis coordinator_hears, Millis worker_hears) {
  if (!stream_) return;
  world_.log("{}: its stream breaks", id_);
  stream_->cut(lost_up, lost_down, coordinator_hears, worker_hears);
}

void Agent::hold_up(Millis span) {
  if (!stream_) return;
  world_.log("{}: its stream is held up for {:.1f} s", id_, to_seconds(span));
  stream_->hold_up(span);
}

void Agent::beat(int stream) {
  if (stream != dials_ || !registered_) return;
  v1::WorkerMessage message;
  v1::Heartbeat& heartbeat = *message.mutable_heartbeat();
  *heartbeat.mutable_time() = to_timestamp(world_.timeline.clock().wall());
  heartbeat.set_draining(closed_.has_value());
  for (const auto& [key, attempt] : attempts_) {
    if (attempt->closed()) continue;
    v1::AttemptId& id = *heartbeat.add_running();
    id.set_job_id(key.first);
    id.set_attempt(key.second);
  }
  for (const auto& [key, ranks] : members_) {
    v1::AttemptId& id = *heartbeat.add_running();
    id.set_job_id(key.first);
    id.set_attempt(key.second);
  }
  stream_->say(message);
}

// What there is to tell goes out in a moment of its own: who asks for it may be in the middle of a
// change.
void Agent::tell() {
  if (std::exchange(telling_, true)) return;
  world_.timeline.after(Millis(0), [this] {
    telling_ = false;
    if (!up_) return;
    if (registered_) {
      for (; !answers_.empty(); answers_.pop_front()) stream_->say(answers_.front());
      for (const auto& [key, attempt] : attempts_) {
        while (const auto report = attempt->next_report()) stream_->say(*report);
      }
    }
    sweep();
  });
}

void Agent::sweep() {
  std::erase_if(attempts_, [](const auto& entry) { return entry.second->finished(); });
  std::erase_if(gangs_, [](const auto& gang) { return gang->gone(); });
  if (closed_ && attempts_.empty() && answers_.empty()) {
    later(Millis(0), [this] { crash(); });
  }
}

// ---- what the coordinator says

void Agent::hear(const v1::CoordinatorMessage& message) {
  switch (message.message_case()) {
    case v1::CoordinatorMessage::kRegistered:
      return on_registered(message.registered());
    case v1::CoordinatorMessage::kAssign:
      return on_assign(message.assign());
    case v1::CoordinatorMessage::kCancel:
      return on_cancel(message.cancel());
    case v1::CoordinatorMessage::kEventsAcknowledged: {
      const auto& told = message.events_acknowledged();
      if (Attempt* const attempt = find(told.id()))
        attempt->acknowledge_events(told.up_to_number());
      return;
    }
    case v1::CoordinatorMessage::kEndAcknowledged:
      if (Attempt* const attempt = find(message.end_acknowledged().id())) {
        attempt->acknowledge_end();
      }
      return;
    case v1::CoordinatorMessage::kNote:
      return on_note(message.note());
    case v1::CoordinatorMessage::MESSAGE_NOT_SET:
      return world_.broken("{}: the coordinator sent an empty message", id_);
  }
}

void Agent::on_registered(const v1::Registered& registered) {
  world_.log("{}: registered with {} attempts, {} of them stale", id_, attempts_.size(),
             registered.stale_size());
  failed_dials_ = 0;
  registered_ = true;
  for (const v1::AttemptId& id : registered.stale()) {
    if (Attempt* const attempt = find(id)) {
      stop(*attempt, StopKind::kAbandon, "not current any more", Millis(0));
    }
    members_.erase({id.job_id(), id.attempt()});
  }
  for (const auto& [key, attempt] : attempts_) attempt->rewind();
  const auto beat_on = [this](const auto& self, int stream) -> void {
    beat(stream);
    if (stream == dials_) later(world_.units(3), [self, stream] { self(self, stream); });
  };
  beat_on(beat_on, dials_);
  tell();
}

// The gang's ranks on another worker are gone, and with them the gang.
void Agent::on_note(const v1::GangNote& note) {
  if (!note.has_gone()) {
    return world_.broken("{}: a note comes from {}, which has sent none", id_, note.worker_id());
  }
  world_.log("{}: {}", id_, note.gone().reason());
  Attempt* const attempt = find(note.id());
  const auto gang = attempt == nullptr ? nullptr : gang_of(*attempt);
  if (gang) gang->fail(unavailable(note.gone().reason()));
}

// As a member it only lends its ranks.
void Agent::take_part(const v1::Assign& assign, int ranks) {
  if (closed_) return;
  const v1::AttemptId& id = assign.attempts(0).id();
  world_.log("{}: is to lend {} ranks to {}/{}", id_, ranks, id.job_id(), id.attempt());
  members_[{id.job_id(), id.attempt()}] = ranks;
  check_slots();
}

void Agent::check_slots() {
  if (used_slots() <= slots_) return;
  world_.broken("worker {} of {} slots runs gangs of {} ranks", id_, slots_, used_slots());
}

void Agent::on_assign(const v1::Assign& assign) {
  int ranks = assign.ranks();
  for (const v1::GangHost& host : assign.hosts()) {
    if (host.worker_id() == id_) ranks = host.ranks();
  }
  if (assign.hosts_size() > 0 && assign.hosts(0).worker_id() != id_) {
    return take_part(assign, ranks);
  }
  std::shared_ptr<Gang> gang;
  for (const auto& running : gangs_) {
    if (!assign.gang().empty() && running->name() == assign.gang() && !running->gone()) {
      gang = running;
    }
  }
  for (const v1::AssignedAttempt& one : assign.attempts()) {
    if (find(one.id()) != nullptr) continue;
    world_.log("{}: is to run {}/{}{}", id_, one.id().job_id(), one.id().attempt(),
               one.has_resume_from() ? fmt::format(" from step {}", one.resume_from().step()) : "");
    if (closed_) {
      answer(one.id(), unavailable(*closed_));
      continue;
    }
    if (!gang) {
      gang = std::make_shared<Gang>(assign.gang(), ranks, host_);
      gangs_.push_back(gang);
    }
    const auto attempt = std::make_shared<Attempt>(one, host_);
    attempts_[attempt->key()] = attempt;
    gang->add(attempt);
  }
  check_slots();
}

void Agent::on_cancel(const v1::Cancel& cancel) {
  world_.log("{}: is to stop {}/{}: {}", id_, cancel.id().job_id(), cancel.id().attempt(),
             cancel.reason());
  if (members_.erase({cancel.id().job_id(), cancel.id().attempt()}) > 0) return;
  Attempt* const attempt = find(cancel.id());
  if (attempt == nullptr) return answer(cancel.id(), cancelled(cancel.reason()));
  const Millis grace = cancel.grace_seconds() > 0
                           ? Millis(static_cast<int64_t>(cancel.grace_seconds() * 1000))
                           : world_.units(3);
  stop(*attempt, StopKind::kCancel, cancel.reason(), grace);
}

void Agent::answer(const v1::AttemptId& id, const Status& end) {
  v1::WorkerMessage message;
  v1::AttemptEnded& ended = *message.mutable_ended();
  *ended.mutable_id() = id;
  ended.set_code(std::string(code_name(end.code())));
  ended.set_message(end.message());
  auto& facts = world_.ledger.attempts[{id.job_id(), id.attempt()}];
  facts.worker = id_;
  if (facts.end.empty()) facts.end = ended.code();
  answers_.push_back(std::move(message));
  tell();
}

void Agent::stop(Attempt& attempt, StopKind kind, const std::string& reason, Millis grace) {
  if (kind == StopKind::kAbandon && world_.sabotage == Sabotage::kAgentGoesOn) return;
  attempt.stop(kind, reason);
  if (const auto gang = gang_of(attempt)) gang->stop(attempt, grace);
  tell();
}

std::shared_ptr<Gang> Agent::gang_of(const Attempt& attempt) const {
  for (const auto& gang : gangs_) {
    if (gang->has(attempt)) return gang;
  }
  return nullptr;
}

Attempt* Agent::find(const v1::AttemptId& id) {
  const auto found = attempts_.find({id.job_id(), id.attempt()});
  return found == attempts_.end() ? nullptr : found->second.get();
}

void Agent::fail_a_gang(const Status& status) {
  if (gangs_.empty()) return;
  world_.log("{}: a rank crashes: {}", id_, status.message());
  const auto gang = world_.random.pick(gangs_);
  gang->fail(status);
}

std::vector<AttemptKey> Agent::training() const {
  std::vector<AttemptKey> keys;
  for (const auto& [key, attempt] : attempts_) {
    if (!attempt->closed()) keys.push_back(key);
  }
  return keys;
}

int Agent::used_slots() const {
  int slots = 0;
  for (const auto& gang : gangs_) {
    if (!gang->gone() && !gang->given_up()) slots += gang->ranks();
  }
  for (const auto& [key, ranks] : members_) slots += ranks;
  return slots;
}

}  // namespace prefixmem::simulation
