// A worker's stream to the coordinator, as TCP and gRPC give it: each message once and in order,
// until it breaks. What is under way then may be lost in either direction, and each side learns of
// it when it does; meanwhile the worker may have dialled again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "coordinator/core/worker_link.h"
#include "tests/simulation/server.h"
#include "tests/simulation/world.h"

namespace prefixmem::simulation {

class Stream final : public WorkerLink, public std::enable_shared_from_this<Stream> {
 public:
  // What the worker has of it.
  struct Ear {
    std::function<void(const v1::CoordinatorMessage&)> hear;
    std::function<void()> ended;
  };

  Stream(World& world, Server& server, std::string worker, Ear ear)
      : world_(world),
        server_(server),
        worker_(std::move(worker)),
        ear_(std::move(ear)),
        process_(server.process()) {}

  // ---- of the worker

  void say(const v1::WorkerMessage& message);
  // It hears nothing any more: it has ended, or dials again.
  void hang_up();

  // ---- of the coordinator

  void send(v1::CoordinatorMessage message) override;
  void close(const Status& why) override;

  // ---- of the network

  // `lost_up`, `lost_down`: what is under way to the coordinator, to the worker. Each side hears
  // after its time.
  void cut(bool lost_up, bool lost_down, Millis coordinator_hears, Millis worker_hears);
  // Nothing arrives before that has passed.
  void hold_up(Millis span);
  bool sound() const { return !cut_ && world_.timeline.now() >= held_until_; }

 private:
  Server::Answer take(Coordinator* coordinator, const v1::WorkerMessage& message);
  void tell_coordinator(Millis after);
  void tell_worker(Millis after);
  MonotonicTime arrival(MonotonicTime& last) const;

  World& world_;
  Server& server_;
  const std::string worker_;
  Ear ear_;
  const int process_;  // at the other end

  MonotonicTime last_up_{}, last_down_{}, held_until_{};
  bool registered_ = false;  // the first message has come
  bool closed_ = false;      // by the coordinator
  bool over_ = false;        // the coordinator's side of it
  bool hung_up_ = false;     // the worker's
  bool cut_ = false;
  bool lost_up_ = false, lost_down_ = false;
};

}  // namespace prefixmem::simulation
