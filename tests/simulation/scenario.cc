#include "tests/simulation/scenario.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

#include "tests/simulation/agent.h"
#include "tests/simulation/clients.h"
#include "tests/simulation/network.h"
#include "tests/simulation/server.h"

namespace prefixmem::simulation {
namespace {

constexpr int64_t kUnitsOfTrouble = 400;
constexpr int64_t kUnitsToSettle = 20'000;
// A worker is told of what is not current any more when it registers or with its next heartbeat.
constexpr int64_t kUnitsToStop = 10;
constexpr Millis kLatencies{15000};

class Scenario {
 public:
  explicit Scenario(const Options& options)
      : options_(options),
        world_(options.seed, options.sabotage),
        server_(world_, options.folder),
        network_(world_, server_),
        clients_(world_, network_) {
    world_.keep_all_lines = options.keep_log;
  }

  Outcome run() {
    set_up();
    const MonotonicTime peace = world_.timeline.now() + world_.units(kUnitsOfTrouble);
    run_until(peace, [] { return false; });
    make_peace();
    const bool settled =
        run_until(peace + world_.units(kUnitsToSettle), [this] { return this->settled(); });
    if (settled) server_.check_end();
    if (!settled) world_.broken("something has not come to its end: {}", left());
    return outcome();
  }

 private:
  void set_up() {
    Random& random = world_.random;
    if (options_.dies_at) server_.die_at(*options_.dies_at, options_.dies_after);
    server_.boot();
    const int64_t workers = random.between(1, 4);
    for (int64_t i = 1; i <= workers; ++i) {
      // The first can hold every job.
      const int slots = static_cast<int>(i == 1 ? random.between(3, 4) : random.between(1, 4));
      agents_.push_back(
          std::make_unique<Agent>(world_, server_, network_, fmt::format("w{}", i), slots));
      world_.timeline.after(world_.some(0, 5), [agent = agents_.back().get()] { agent->start(); });
    }
    const int64_t submissions = options_.submissions.value_or(random.between(5, 10));
    for (int64_t i = 0; i < submissions; ++i) sometime([this] { clients_.submit(); });
    sometime([this] { clients_.submit_again(); });
    watch();
    if (options_.dies_at) return;
    network_.set_loss(random.pick(std::vector<double>{0, 0.02, 0.2}));
    const int64_t faults = random.between(20, 36);
    for (int64_t i = 0; i < faults; ++i) sometime([this] { befall(); });
    world_.ledger.faults = faults;
  }

  void sometime(std::function<void()> what) {
    world_.timeline.after(world_.some(0, kUnitsOfTrouble), std::move(what));
  }

  void befall() {
    const std::vector<std::function<void()>> faults = {
        [this] { server_.die_at(world_.random.between(1, 40), world_.random.chance(0.5)); },
        [this] { server_.die_at(world_.random.between(1, 400), world_.random.chance(0.5)); },
        [this] { server_.kill(); },
        [this] { server_.stop(); },
        [this] { server_.stall(world_.some(1, 40)); },
        [this] { fill_disk(); },
        [this] { jump(); },
        [this] { restart(agent(), [](Agent& which) { which.crash(); }); },
        [this] { restart(agent(), [](Agent& which) { which.shut_down(); }); },
        [this] { cut(agent()); },
        [this] { cut(agent()); },
        [this] { part(agent()); },
        [this] { agent().hold_up(world_.some(1, 20)); },
        [this] { agent().fail_a_gang(draw_failure()); },
        [this] { cordon(agent()); },
        [this] { clients_.cancel(); },
        [this] { clients_.submit_again(); },
        [this] { clients_.set_quota(); },
        [this] { clients_.pin(); },
        [this] { clients_.remove(); },
        [this] { clients_.remove(); },
    };
    world_.random.pick(faults)();
  }

  Agent& agent() { return *world_.random.pick(pointers()); }
  std::vector<Agent*> pointers() const {
    std::vector<Agent*> all;
    for (const auto& one : agents_) all.push_back(one.get());
    return all;
  }

  Status draw_failure() {
    return world_.random.chance(0.5) ? unavailable("a rank hung")
                                     : internal_error("a rank was killed by signal 11");
  }

  void fill_disk() {
    world_.log("disk: full");
    server_.disk().set_full(true);
    world_.timeline.after(world_.some(1, 30), [this] { server_.disk().set_full(false); });
  }

  void jump() {
    const Millis by = world_.some(-200, 200);
    world_.log("the time of day jumps by {:.0f} s", to_seconds(by));
    world_.timeline.jump(by);
  }

  void restart(Agent& which, const std::function<void(Agent&)>& ends) {
    ends(which);
    const Millis away = world_.random.chance(0.5) ? world_.some(0, 8) : world_.some(8, 60);
    world_.timeline.after(away, [&which] { which.start(); });
  }

  void cut(Agent& which) {
    Random& random = world_.random;
    const auto soon = [&] { return random.chance(0.6) ? world_.latency() : world_.some(1, 40); };
    which.cut(random.chance(0.7), random.chance(0.7), soon(), soon());
  }

  // Longer than a lease: what it runs is given to others.
  void part(Agent& which) {
    const Millis span = world_.some(15, 60);
    which.cut(true, true, span, span);
  }

  void cordon(Agent& which) {
    clients_.cordon(which.id(), world_.random.chance(0.6));
    world_.timeline.after(world_.some(10, 80), [this, &which] { clients_.uncordon(which.id()); });
  }

  // From here on nothing goes wrong; what went wrong before is made good.
  void make_peace() {
    world_.log("peace");
    network_.set_loss(0);
    server_.disk().set_full(false);
    if (!options_.dies_at) server_.disk().let_live();
    for (const auto& one : agents_) {
      clients_.uncordon(one->id());
      one->start();
      world_.timeline.after(world_.units(200), [which = one.get()] { which->start(); });
    }
  }

  // Nothing trains on a worker that is in touch and has been told otherwise.
  void watch() {
    world_.timeline.after(world_.units(3), [this] { watch(); });
    Coordinator* const coordinator = server_.coordinator();
    if (coordinator == nullptr || server_.stands_still()) return astray_.clear();
    std::map<std::pair<std::string, AttemptKey>, MonotonicTime> astray;
    coordinator->inspect([&](const Live& live) {
      for (const auto& one : agents_) {
        if (!one->in_touch()) continue;
        for (const AttemptKey& key : one->training()) {
          const auto job = live.jobs.find(key.first);
          const bool current = job != live.jobs.end() && job->second.attempt &&
                               job->second.attempt->attempt == key.second &&
                               job->second.attempt->worker_id == one->id();
          if (current) continue;
          const std::pair place(one->id(), key);
          const auto since = astray_.find(place);
          astray[place] = since == astray_.end() ? world_.timeline.now() : since->second;
        }
      }
    });
    astray_ = std::move(astray);
    for (const auto& [place, since] : astray_) {
      if (world_.timeline.now() - since <= world_.units(kUnitsToStop) + kLatencies) continue;
      world_.broken("worker {} still trains attempt {} of {}, which is not current", place.first,
                    place.second.second, place.second.first);
    }
  }

  bool settled() {
    Coordinator* const coordinator = server_.coordinator();
    if (coordinator == nullptr || world_.ledger.open_calls > 0) return false;
    const bool idle = std::all_of(agents_.begin(), agents_.end(),
                                  [](const auto& one) { return one->registered() && one->idle(); });
    if (!idle) return false;
    bool empty = false;
    coordinator->inspect(
        [&](const Live& live) { empty = live.jobs.empty() && live.sweeps.empty(); });
    return empty;
  }

  std::string left() {
    std::string text = fmt::format("{} calls of clients", world_.ledger.open_calls);
    for (const auto& one : agents_) {
      text += fmt::format("; {} is {}registered and {}idle", one->id(),
                          one->registered() ? "" : "not ", one->idle() ? "" : "not ");
    }
    if (server_.coordinator() == nullptr) return text + "; the coordinator is down";
    server_.coordinator()->inspect([&](const Live& live) {
      for (const auto& [id, job] : live.jobs) {
        text +=
            fmt::format("; {} on {}: {}", id, job.record.job.worker_id(), job.record.job.reason());
      }
      for (const auto& [id, sweep] : live.sweeps) text += "; " + id;
    });
    return text;
  }

  // Whether `done` has come true.
  bool run_until(MonotonicTime end, const std::function<bool()>& done) {
    while (!world_.violation) {
      if (done()) return true;
      if (!world_.timeline.step(end)) break;
    }
    return false;
  }

  Outcome outcome() {
    return {.violation = world_.violation,
            .log = {world_.lines.begin(), world_.lines.end()},
            .digest = random_bits({world_.digest, static_cast<uint64_t>(world_.timeline.happened()),
                                   static_cast<uint64_t>(server_.disk().operations())}),
            .hours = to_seconds(world_.timeline.now().time_since_epoch()) / 3600,
            .happened = world_.timeline.happened(),
            .faults = world_.ledger.faults,
            .crashes = world_.ledger.crashes,
            .jobs = world_.ledger.jobs_ended,
            .disk_operations = server_.disk().operations()};
  }

  const Options options_;
  World world_;
  Server server_;
  Network network_;
  Clients clients_;
  std::vector<std::unique_ptr<Agent>> agents_;
  // Attempts that train and are not current, by worker, and since when.
  std::map<std::pair<std::string, AttemptKey>, MonotonicTime> astray_;
};

}  // namespace

Outcome run_scenario(const Options& options) {
  std::error_code ignored;
  std::filesystem::remove_all(options.folder, ignored);
  return Scenario(options).run();
}

}  // namespace prefixmem::simulation
