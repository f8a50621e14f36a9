#include "tests/simulation/server.h"

#include <utility>

namespace prefixmem::simulation {
namespace {

constexpr Millis kTick{50};

}  // namespace

Server::Server(World& world, std::filesystem::path folder)
    : world_(world), folder_(std::move(folder)), invariants_(world) {
  disk_.set_lying(world.sabotage == Sabotage::kDiskLies);
}

Server::~Server() {
  coordinator_.reset();
  store_.reset();
}

CoordinatorConfig Server::config() const {
  CoordinatorConfig config;
  config.heartbeat = world_.units(3);
  config.scheduler.lease = world_.units(15);
  config.scheduler.bank_limit = 4;
  config.grace = world_.units(30);
  config.forget = world_.units(400);
  return config;
}

Status Server::start() {
  failure_ = {};
  PM_ASSIGN(store_, store::Store::open(folder_));
  PM_ASSIGN(coordinator_,
            Coordinator::start(config(),
                               {.store = *store_,
                                .clock = world_.timeline.clock(),
                                .metrics = metrics_,
                                .on_store_failure = [this](const Status& why) { failure_ = why; },
                                .random = [this] { return world_.random.bits(); }}));
  return {};
}

void Server::boot() {
  if (up()) return;
  ++process_;
  const Status started = start();
  if (started.ok() && survives()) {
    world_.log("coordinator: process {} serves", process_);
    invariants_.after_start(*coordinator_);
    return tick_after(kTick);
  }
  if (!started.ok() && !disk_.dead() && !disk_.full()) {
    return world_.broken("the coordinator does not start: {}", started.message());
  }
  if (!started.ok()) go_down();
}

void Server::kill() {
  if (!up()) return;
  world_.log("coordinator: killed");
  disk_.die();
  go_down();
}

void Server::stop() {
  if (!up()) return;
  world_.log("coordinator: stops");
  coordinator_->end_streams(unavailable("the coordinator stops"));
  go_down();
}

void Server::stall(Millis span) {
  if (!up()) return;
  world_.log("coordinator: stands still for {:.1f} s", to_seconds(span));
  stalled_until_ = world_.timeline.now() + span;
}

void Server::die_at(int64_t operation, bool after) {
  world_.log("coordinator: to die {} operation {} of its disk", after ? "after" : "before",
             disk_.operations() + operation);
  disk_.die_at(operation, after);
}

// Starts again as a supervisor would have it.
void Server::go_down() {
  world_.log("coordinator: down{}{}", disk_.dead() ? ", its unsynced writes with it" : "",
             failure_.ok() ? "" : ": " + failure_.message());
  ++world_.ledger.crashes;
  coordinator_.reset();
  store_.reset();
  if (disk_.dead()) disk_.restart(world_.random);
  next_tick_.reset();
  stalled_until_ = {};
  const Millis away = world_.random.chance(0.2) ? world_.some(5, 60) : world_.some(0, 3);
  world_.timeline.after(away, [this] { boot(); });
}

bool Server::survives() {
  if (!disk_.dead() && failure_.ok()) return true;
  go_down();
  return false;
}

void Server::arrive(std::function<Answer(Coordinator*)> call) {
  if (up() && stands_still()) {
    return world_.timeline.at(stalled_until_, [this, call = std::move(call)] { arrive(call); });
  }
  handle(call);
}

void Server::handle(const std::function<Answer(Coordinator*)>& call) {
  const bool served = up();
  const Answer answer = call(coordinator_.get());
  // A store that failed was told of in the answer; a process that died answers nothing.
  if (served && disk_.dead()) return go_down();
  if (answer) answer();
  if (!served || !survives()) return;
  invariants_.after_call(*coordinator_);
  tick_after(kTick);
}

void Server::tick_after(Millis delay) {
  const MonotonicTime when = world_.timeline.now() + delay;
  if (next_tick_ && *next_tick_ <= when) return;
  next_tick_ = when;
  world_.timeline.at(when, [this, asked = ++ticks_asked_] { tick(asked); });
}

// The real one ticks every 50 ms; where nothing has come since the last, a tick finds nothing to do
// but what silence brings about.
void Server::tick(int64_t asked) {
  if (asked != ticks_asked_ || !up()) return;
  next_tick_.reset();
  if (stands_still()) {
    return tick_after(stalled_until_ - world_.timeline.now());
  }
  coordinator_->tick();
  if (!survives()) return;
  invariants_.after_tick(*coordinator_, [this]() -> Result<std::unique_ptr<Coordinator>> {
    return Coordinator::start(config(), {.store = *store_,
                                         .clock = world_.timeline.clock(),
                                         .metrics = metrics_,
                                         .on_store_failure = [](const Status&) {}});
  });
  tick_after(world_.units(3));
}

}  // namespace prefixmem::simulation
