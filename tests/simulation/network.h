// Calls, each with an answer: lost on their way there or back, or so late that they have been made
// again.
#pragma once

#include <functional>
#include <memory>

#include "tests/simulation/server.h"
#include "tests/simulation/world.h"

namespace prefixmem::simulation {

class Network {
 public:
  using Request = std::function<Status(Coordinator&)>;
  using Done = std::function<void(const Status&)>;

  Network(World& world, Server& server) : world_(world), server_(server) {}

  // `done` hears the status of the request, or UNAVAILABLE; then the request may have been done,
  // or be done later, or never.
  void call(Request request, Done done) {
    if (!world_.random.chance(loses_)) {
      return arrive(world_.latency(), std::move(request), std::move(done));
    }
    time_out(std::move(done));
    if (world_.random.chance(0.4)) return;
    const Millis late = world_.random.chance(0.5) ? world_.latency() : world_.some(1, 30);
    arrive(late, std::move(request), [](const Status&) {});
  }

  // The same again until the answer is another than UNAVAILABLE.
  void call_until_answered(const Request& request, const Done& done) {
    call(request, [this, request, done](const Status& status) {
      if (status.code() != Code::kUnavailable) return done(status);
      world_.timeline.after(world_.some(1, 3),
                            [this, request, done] { call_until_answered(request, done); });
    });
  }

  void set_loss(double share) { loses_ = share; }

 private:
  void arrive(Millis delay, Request request, Done done) {
    world_.timeline.after(delay, [this, request = std::move(request), done = std::move(done)] {
      server_.arrive([this, request, done](Coordinator* coordinator) -> Server::Answer {
        const Status status =
            coordinator == nullptr ? unavailable("connection refused") : request(*coordinator);
        // The caller of a process that dies hears that the connection broke.
        if (coordinator != nullptr && !server_.speaks()) {
          time_out(done);
          return {};
        }
        return [this, status, done] {
          world_.timeline.after(world_.latency(), [status, done] { done(status); });
        };
      });
    });
  }

  void time_out(Done done) {
    world_.timeline.after(world_.some(1, 4),
                          [done = std::move(done)] { done(unavailable("no answer")); });
  }

  World& world_;
  Server& server_;
  double loses_ = 0;
};

}  // namespace prefixmem::simulation
