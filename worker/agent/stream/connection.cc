#include "worker/agent/stream/connection.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>

#include "common/guarded.h"
#include "common/id.h"
#include "common/log.h"
#include "common/proto/status_grpc.h"
#include "prefixmem/v1/worker_service.grpc.pb.h"
#include "worker/agent/transfer/retry.h"

namespace prefixmem::agent {
namespace {

constexpr Millis kPatienceForRegistered{20000};  // dialling included
constexpr Millis kPatienceForGoodbye{2000};
constexpr Millis kShortestBeat{100};
constexpr Millis kLongestBeat{60000};

// One stream, from dialling to its break. The calling thread writes once the worker is registered,
// another registers it and reads; what one of them throws breaks the stream.
class Session {
 public:
  explicit Session(const ConnectionWorld& world)
      : world_(world), stub_(v1::WorkerService::NewStub(world.dialler.dial())) {
    context_.set_initial_metadata_corked(true);  // else it waits here until it is connected
    stream_ = stub_->Connect(&context_);
  }

  Status run(const std::stop_token& stop) {
    const std::stop_callback end(stop, [this] { leave(); });
    Status heard;
    std::thread reader([&] {
      heard = guarded([this] { return register_and_read(); });
      if (!heard.ok()) context_.TryCancel();
      broken_ = true;
      world_.roster.bell().ring();
    });
    const Status said = guarded([this] { return write(); });
    // A write that fails is answered: what the coordinator said is what Finish() has.
    if (!said.ok()) context_.TryCancel();
    reader.join();
    closed_.release();
    world_.metrics.set_connected(false);
    Status broken = from_grpc(stream_->Finish());
    PM_TRY(heard);
    PM_TRY(said);
    return broken;
  }

  bool was_registered() const { return registered_; }

 private:
  using Message = v1::CoordinatorMessage;

  // From the thread that asks for the end. A coordinator that is told knows at once that the worker
  // is gone, not only when its lease has ended.
  void leave() {
    leaving_ = true;
    world_.roster.bell().ring();
    if (!registered_ || !closed_.try_acquire_for(kPatienceForGoodbye)) context_.TryCancel();
  }

  bool say(const v1::WorkerMessage& message) { return stream_->Write(message); }

  // Until the stream breaks, which is no failure of its own.
  Status write() {
    const MonotonicTime patience_ends = now() + kPatienceForRegistered;
    next_beat_ = now();
    while (!broken_) {
      world_.roster.sweep();
      if (!registered_) {
        if (now() >= patience_ends) return unavailable("no answer to the registration");
        world_.roster.bell().wait_until(patience_ends);
        continue;
      }
      // Taken before the beat: what a shut-down or a full disk has caused follows the beat that
      // tells of it.
      const bool leaving = leaving_;
      const auto report = world_.roster.next_report();
      if (!beat_where_due(report && std::holds_alternative<AttemptEnd>(report->body))) return {};
      const auto note = world_.roster.next_note();
      if (report && !say(report_message(*report))) return {};
      if (note && !say(note_message(*note))) return {};
      if (report || note) continue;
      if (leaving) {
        stream_->WritesDone();  // the coordinator then ends the stream
        return {};
      }
      world_.roster.bell().wait_until(next_beat_);
    }
    return {};
  }

  // An end may be of what makes the worker unhealthy, so that is looked at anew.
  bool beat_where_due(bool before_end) {
    Readiness readiness{.draining = world_.roster.draining(), .unhealthy = told_.unhealthy};
    const bool due = now() >= next_beat_;
    if (due || before_end) readiness.unhealthy = world_.unhealthy();
    if (!due && readiness == told_) return true;
    if (!say(heartbeat_message(world_.clock.wall(), world_.roster.running(), readiness))) {
      return false;
    }
    world_.metrics.count_heartbeat();
    told_ = std::move(readiness);
    next_beat_ = now() + beat_.load();
    return true;
  }

  Status register_and_read() {
    if (!say(register_message(world_.card, world_.roster.known(), world_.roster.members(),
                              world_.unhealthy()))) {
      return {};
    }
    Message message;
    while (stream_->Read(&message)) obey(message);
    return {};
  }

  void obey(const Message& message) {
    Roster& roster = world_.roster;
    switch (message.message_case()) {
      case Message::kRegistered:
        return on_registered(message.registered());
      case Message::kAssign:
        return on_assign(message.assign());
      case Message::kCancel:
        return roster.cancel(key_of(message.cancel().id()), message.cancel().reason(),
                             grace_of(message.cancel()));
      case Message::kEventsAcknowledged:
        return roster.acknowledge_events(key_of(message.events_acknowledged().id()),
                                         message.events_acknowledged().up_to_number());
      case Message::kEndAcknowledged:
        return roster.acknowledge_end(key_of(message.end_acknowledged().id()));
      case Message::kNote:
        return roster.on_note(note_of(message.note()));
      case Message::MESSAGE_NOT_SET:
        spdlog::warn("the coordinator sent a message of a kind that this version does not know");
    }
  }

  // One that is malformed is answered by nobody: the coordinator misses its attempts in the next
  // registration.
  void on_assign(const v1::Assign& assign) {
    auto assignment = assignment_of(assign, world_.card.id);
    if (assignment.ok()) return world_.roster.assign(std::move(*assignment));
    spdlog::error("{}", assignment.status().message());
  }

  void on_registered(const v1::Registered& registered) {
    beat_ = std::clamp(Millis(static_cast<int64_t>(registered.heartbeat_seconds() * 1000)),
                       kShortestBeat, kLongestBeat);
    std::vector<AttemptKey> stale;
    for (const v1::AttemptId& id : registered.stale()) stale.push_back(key_of(id));
    world_.roster.abandon(stale);
    world_.roster.rewind();
    world_.metrics.set_connected(true);
    spdlog::info("registered as {}", world_.card.id);
    registered_ = true;
    world_.roster.bell().ring();
  }

  static MonotonicTime now() { return real_clock().monotonic(); }

  const ConnectionWorld& world_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, Message>> stream_;
  std::atomic<bool> registered_ = false, broken_ = false, leaving_ = false;
  std::binary_semaphore closed_{0};
  std::atomic<Millis> beat_ = kShortestBeat;

  // Writer only.
  MonotonicTime next_beat_;
  Readiness told_;
};

}  // namespace

void keep_connected(const ConnectionWorld& world, const std::stop_token& stop) {
  bool registered_before = false;
  for (int failures = 0; !stop.stop_requested();) {
    Session session(world);
    const Status status = session.run(stop);
    if (stop.stop_requested()) return;
    if (session.was_registered()) {
      if (std::exchange(registered_before, true)) world.metrics.count_reconnect();
      failures = 0;
    }
    const Millis delay = backoff_delay(world.backoff, failures++, random_share());
    spdlog::warn("coordinator: {}; again in {} ms", status.to_string(), delay.count());
    world.roster.sweep();
    wait_unless_stopped(delay, stop);
  }
}

}  // namespace prefixmem::agent
