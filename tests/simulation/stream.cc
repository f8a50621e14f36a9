#include "tests/simulation/stream.h"

#include <algorithm>

namespace prefixmem::simulation {

MonotonicTime Stream::arrival(MonotonicTime& last) const {
  last = std::max({last, held_until_, world_.timeline.now() + world_.latency()});
  return last;
}

void Stream::say(const v1::WorkerMessage& message) {
  world_.timeline.at(arrival(last_up_), [self = shared_from_this(), message] {
    if (self->lost_up_) return;
    const bool answered = self->server_.up() && self->process_ == self->server_.process();
    if (!answered) return self->tell_worker(self->world_.latency());  // with a reset
    self->server_.arrive([self, message](Coordinator* to) { return self->take(to, message); });
  });
}

// As WorkerSession does with what it reads.
Server::Answer Stream::take(Coordinator* coordinator, const v1::WorkerMessage& message) {
  if (coordinator == nullptr || process_ != server_.process() || over_) return {};
  const bool first = !std::exchange(registered_, true);
  const Status taken = first ? coordinator->connect(message.register_(), shared_from_this())
                             : coordinator->receive(worker_, this, message);
  if (taken.ok() || !server_.speaks()) return {};
  world_.log("{}: the coordinator refuses a message: {}", worker_, taken.message());
  coordinator->disconnect(worker_, this);
  over_ = true;
  close(taken);
  return {};
}

void Stream::send(v1::CoordinatorMessage message) {
  if (closed_ || !server_.speaks()) return;
  server_.said(worker_, message);
  world_.timeline.at(arrival(last_down_), [self = shared_from_this(), message] {
    if (!self->lost_down_ && !self->hung_up_) self->ear_.hear(message);
  });
}

void Stream::close(const Status&) {
  if (std::exchange(closed_, true) || !server_.speaks() || cut_) return;
  lost_down_ = lost_down_ || world_.random.chance(0.5);  // it does not wait for a write under way
  world_.timeline.at(arrival(last_down_),
                     [self = shared_from_this()] { self->tell_worker(Millis(0)); });
}

void Stream::hang_up() {
  if (std::exchange(hung_up_, true)) return;
  lost_up_ = lost_up_ || world_.random.chance(0.5);
  tell_coordinator(world_.random.chance(0.8) ? world_.latency() : world_.some(0, 20));
}

void Stream::cut(bool lost_up, bool lost_down, Millis coordinator_hears, Millis worker_hears) {
  cut_ = true;
  lost_up_ = lost_up_ || lost_up;
  lost_down_ = lost_down_ || lost_down;
  tell_coordinator(coordinator_hears);
  tell_worker(worker_hears);
}

void Stream::hold_up(Millis span) { held_until_ = world_.timeline.now() + span; }

void Stream::tell_coordinator(Millis after) {
  world_.timeline.after(after, [self = shared_from_this()] {
    if (self->process_ != self->server_.process()) return;
    self->server_.arrive([self](Coordinator* coordinator) -> Server::Answer {
      if (coordinator == nullptr || self->process_ != self->server_.process()) return {};
      self->over_ = true;
      if (self->registered_) coordinator->disconnect(self->worker_, self.get());
      return {};
    });
  });
}

void Stream::tell_worker(Millis after) {
  world_.timeline.after(after, [self = shared_from_this()] {
    if (!std::exchange(self->hung_up_, true)) self->ear_.ended();
  });
}

}  // namespace prefixmem::simulation
