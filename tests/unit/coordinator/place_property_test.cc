// What place() promises, over random clusters. A failing seed is named and repeats.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {
namespace {

constexpr int kStates = 4000;

class Random {
 public:
  explicit Random(unsigned seed) : bits_(seed) {}
  int below(int end) { return static_cast<int>(bits_() % static_cast<unsigned>(end)); }
  bool one_in(int count) { return below(count) == 0; }

 private:
  std::mt19937 bits_;
};

bool takes_work(const Worker& worker) {
  return worker.connected && !worker.lost && !worker.draining && !worker.cordoned;
}

Device any_device(Random& random) {
  return std::array{Device::kAuto, Device::kCpu, Device::kCuda}[random.below(3)];
}

std::vector<Worker> any_workers(Random& random) {
  std::vector<Worker> workers;
  for (int i = random.below(6); i > 0; --i) {
    Worker one = worker("w" + std::to_string(i), 1 + random.below(8),
                        random.one_in(2) ? Device::kCuda : Device::kCpu);
    one.lost = random.one_in(8);
    one.connected = !one.lost && !random.one_in(5);
    one.draining = random.one_in(8);
    one.cordoned = random.one_in(8);
    workers.push_back(one);
  }
  return workers;
}

Job any_job(Random& random, int order) {
  Job one = job("j" + std::to_string(order), order, 1 + random.below(10), any_device(random));
  one.priority = random.below(3) - 1;
  return one;
}

// A trial of one of a few sweeps: those of one are alike in what their gang needs.
Job any_trial(Random& random, int order) {
  const int sweep = random.below(3);
  Job one = job("j" + std::to_string(order), order, 1 + 2 * sweep, Device::kAuto);
  one.priority = sweep - 1;
  one.bank = "sweep-" + std::to_string(sweep);
  return one;
}

// Gangs fit their workers, as they would have come to be.
State any_state(unsigned seed) {
  Random random(seed);
  State state{.workers = any_workers(random)};
  int order = 0;
  for (const Worker& on : state.workers) {
    int free = on.lost ? 0 : on.slots;
    for (int tries = random.below(4); tries > 0; --tries) {
      const Job one = any_job(random, ++order);
      if (one.ranks > free || (one.device == Device::kCuda && on.device != Device::kCuda)) continue;
      free -= one.ranks;
      state.attempts.push_back(placed(one, on.id));
      for (; random.one_in(2); ++order) {
        const Job member = job("m" + std::to_string(order), order, one.ranks);
        state.attempts.push_back(placed(member, on.id, 1, state.attempts.back().gang));
      }
    }
  }
  for (int i = random.below(12); i > 0; --i) {
    ++order;
    state.queue.push_back(random.one_in(2) ? any_job(random, order) : any_trial(random, order));
  }
  std::shuffle(state.queue.begin(), state.queue.end(), std::mt19937(seed));
  return state;
}

template <class T>
const T& by_id(const std::vector<T>& all, const std::string& id) {
  return *std::find_if(all.begin(), all.end(), [&](const T& one) { return one.id == id; });
}

bool before(const Job& a, const Job& b) {
  return std::tuple(-a.priority, a.order) < std::tuple(-b.priority, b.order);
}

// The state once the decisions have taken effect.
State after(const State& state, const Placement& placement) {
  State next = state;
  for (const Start& start : placement.starts) {
    for (const std::string& id : start.job_ids) {
      next.attempts.push_back(
          placed(by_id(state.queue, id), start.worker_id, 1, start.job_ids.front()));
      std::erase_if(next.queue, [&](const Job& job) { return job.id == id; });
    }
  }
  return next;
}

// Slots that gangs hold, by worker.
std::map<std::string, int> used_slots(const State& state) {
  std::map<std::string, int> used;
  std::set<std::string> gangs;
  for (const Attempt& attempt : state.attempts) {
    if (gangs.insert(attempt.gang).second) used[attempt.worker_id] += attempt.job.ranks;
  }
  return used;
}

constexpr Config kConfig{.bank_limit = 3};

Placement place(const State& state) { return scheduler::place(state, kConfig); }

class PlaceProperty : public testing::Test {
 protected:
  template <class Check>
  void in_every_state(Check check) {
    for (seed_ = 0; seed_ < kStates && !HasFailure(); ++seed_) {
      SCOPED_TRACE("seed " + std::to_string(seed_));
      const State state = any_state(seed_);
      check(state, place(state));
    }
  }
  unsigned seed_ = 0;
};

TEST_F(PlaceProperty, EveryJobStartsOnceOrWaitsWithAReason) {
  size_t starts = 0;
  size_t waits = 0;
  in_every_state([&](const State& state, const Placement& placement) {
    std::set<std::string> seen;
    for (const Start& start : placement.starts) {
      EXPECT_FALSE(start.job_ids.empty());
      for (const std::string& id : start.job_ids) EXPECT_TRUE(seen.insert(id).second);
    }
    for (const Wait& wait : placement.waits) {
      EXPECT_TRUE(seen.insert(wait.job_id).second);
      EXPECT_FALSE(wait.reason.empty());
    }
    EXPECT_EQ(seen.size(), state.queue.size());
    starts += placement.starts.size();
    waits += placement.waits.size();
  });
  EXPECT_GT(starts, kStates / 2u) << "the states are too full to say much";
  EXPECT_GT(waits, kStates / 2u) << "the states are too empty to say much";
}

TEST_F(PlaceProperty, AGangLiesOnOneConnectedMatchingWorker) {
  in_every_state([](const State& state, const Placement& placement) {
    for (const Start& start : placement.starts) {
      const Job& job = by_id(state.queue, start.job_ids.front());
      const Worker& on = by_id(state.workers, start.worker_id);
      EXPECT_TRUE(takes_work(on)) << start.worker_id;
      EXPECT_TRUE(job.device != Device::kCuda || on.device == Device::kCuda) << job.id;
    }
  });
}

TEST_F(PlaceProperty, NoWorkerIsOversubscribed) {
  in_every_state([](const State& state, const Placement& placement) {
    auto used = used_slots(after(state, placement));
    for (const Worker& worker : state.workers) EXPECT_LE(used[worker.id], worker.slots);
  });
}

TEST_F(PlaceProperty, IsTheSameInWhateverOrderTheStateComes) {
  in_every_state([this](const State& state, const Placement& placement) {
    State mixed = state;
    std::mt19937 random(seed_ + 1);
    std::shuffle(mixed.workers.begin(), mixed.workers.end(), random);
    std::shuffle(mixed.queue.begin(), mixed.queue.end(), random);
    std::shuffle(mixed.attempts.begin(), mixed.attempts.end(), random);
    const Placement again = place(mixed);
    EXPECT_EQ(starts_of(again), starts_of(placement));
    EXPECT_EQ(waits_of(again), waits_of(placement));
  });
}

TEST_F(PlaceProperty, ABankIsOfOneKeyWithinTheLimitAndInTurn) {
  size_t banks = 0;
  in_every_state([&](const State& state, const Placement& placement) {
    for (const Start& start : placement.starts) {
      banks += start.job_ids.size() > 1 ? 1 : 0;
      EXPECT_LE(start.job_ids.size(), static_cast<size_t>(kConfig.bank_limit));
      const Job& first = by_id(state.queue, start.job_ids.front());
      for (size_t i = 1; i < start.job_ids.size(); ++i) {
        const Job& member = by_id(state.queue, start.job_ids[i]);
        EXPECT_EQ(member.bank, first.bank);
        EXPECT_TRUE(before(by_id(state.queue, start.job_ids[i - 1]), member));
      }
    }
  });
  EXPECT_GT(banks, kStates / 8u) << "too few banks to say much";
}

// One sweep alone fills the free places of a device, and no two gangs differ by more than one.
TEST(PlaceBanksProperty, ASweepIsSpreadEvenly) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    State state{.workers = any_workers(random)};
    for (Worker& worker : state.workers) worker.device = Device::kCpu;
    const int trials = 1 + random.below(30);
    for (int i = 1; i <= trials; ++i) {
      state.queue.push_back(trial("j" + std::to_string(i), i, "sweep", 2));
    }
    int places = 0;
    for (const Worker& worker : state.workers) {
      if (takes_work(worker)) places += worker.slots / 2;
    }
    std::set<size_t> sizes;
    const Placement placement = scheduler::place(state, {.bank_limit = 8});
    for (const Start& start : placement.starts) sizes.insert(start.job_ids.size());
    EXPECT_EQ(placement.starts.size(), static_cast<size_t>(std::min(places, trials)));
    if (sizes.empty()) continue;
    EXPECT_LE(*sizes.rbegin() - *sizes.begin(), 1u) << "seed " << seed;
    EXPECT_TRUE(placement.waits.empty() || *sizes.begin() == 8u);
  }
}

// Gangs end one after another, new jobs keep coming for a while: each job starts in the end, and
// no worker ever holds more than its slots.
TEST(PlaceSimulation, NothingStarves) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Random random(seed);
    State state{.workers = {worker("a", 5), worker("b", 6, Device::kCuda)}};
    size_t submitted = 0;
    size_t started = 0;
    for (int round = 0; round < 400 && (round < 60 || !state.queue.empty()); ++round) {
      for (int i = round < 60 ? random.below(4) : 0; i > 0; --i) {
        const int order = static_cast<int>(++submitted);
        Job one = random.one_in(2) ? any_trial(random, order) : any_job(random, order);
        one.ranks = std::min(one.ranks, 5);
        state.queue.push_back(one);
      }
      const Placement placement = place(state);
      for (const Start& start : placement.starts) started += start.job_ids.size();
      state = after(state, placement);
      for (const auto& [id, used] : used_slots(state))
        EXPECT_LE(used, by_id(state.workers, id).slots);
      if (state.attempts.empty()) continue;
      const auto end = static_cast<size_t>(random.below(static_cast<int>(state.attempts.size())));
      state.attempts.erase(state.attempts.begin() + static_cast<std::ptrdiff_t>(end));
    }
    EXPECT_EQ(started, submitted) << "seed " << seed;
  }
}

// A waiting job that would have fit a worker as the call found it is passed there by none behind
// it but those that take no slots of their own.
TEST_F(PlaceProperty, NothingOvertakes) {
  in_every_state([](const State& state, const Placement& placement) {
    for (const Wait& wait : placement.waits) {
      const Job& waiting = by_id(state.queue, wait.job_id);
      for (const Start& start : placement.starts) {
        const Job& started = by_id(state.queue, start.job_ids.front());
        const Worker& on = by_id(state.workers, start.worker_id);
        const bool possible = waiting.ranks <= on.slots &&
                              (waiting.device != Device::kCuda || on.device == Device::kCuda);
        if (possible) {
          EXPECT_TRUE(before(started, waiting))
              << started.id << " overtakes " << wait.job_id << " on " << on.id;
        }
      }
    }
  });
}

TEST_F(PlaceProperty, NoJobWaitsThatAnIdleWorkerFits) {
  in_every_state([](const State& state, const Placement& placement) {
    const State next = after(state, placement);
    for (const Worker& worker : state.workers) {
      if (used_slots(next)[worker.id] > 0 || !takes_work(worker)) continue;
      for (const Job& waiting : next.queue) {
        const bool fits = waiting.ranks <= worker.slots &&
                          (waiting.device != Device::kCuda || worker.device == Device::kCuda);
        EXPECT_FALSE(fits) << waiting.id << " waits while " << worker.id << " is idle";
      }
    }
  });
}

TEST_F(PlaceProperty, HasNothingToAddToItsOwnDecisions) {
  in_every_state([](const State& state, const Placement& placement) {
    EXPECT_TRUE(place(after(state, placement)).starts.empty());
  });
}

}  // namespace
}  // namespace prefixmem::scheduler
