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
    workers.push_back(one);
  }
  return workers;
}

Job any_job(Random& random, int order) {
  Job one = job("j" + std::to_string(order), order, 1 + random.below(10), any_device(random));
  one.priority = random.below(3) - 1;
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
      state.gangs.push_back(gang(one, on.id));
    }
  }
  for (int i = random.below(12); i > 0; --i) state.queue.push_back(any_job(random, ++order));
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
    next.gangs.push_back(gang(by_id(state.queue, start.job_id), start.worker_id));
    std::erase_if(next.queue, [&](const Job& job) { return job.id == start.job_id; });
  }
  return next;
}

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
    for (const Start& start : placement.starts) EXPECT_TRUE(seen.insert(start.job_id).second);
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
      const Job& job = by_id(state.queue, start.job_id);
      const Worker& on = by_id(state.workers, start.worker_id);
      EXPECT_TRUE(on.connected && !on.lost && !on.draining) << start.worker_id;
      EXPECT_TRUE(job.device != Device::kCuda || on.device == Device::kCuda) << start.job_id;
    }
  });
}

TEST_F(PlaceProperty, NoWorkerIsOversubscribed) {
  in_every_state([](const State& state, const Placement& placement) {
    std::map<std::string, int> used;
    for (const Gang& gang : after(state, placement).gangs) used[gang.worker_id] += gang.job.ranks;
    for (const Worker& worker : state.workers) EXPECT_LE(used[worker.id], worker.slots);
  });
}

TEST_F(PlaceProperty, IsTheSameInWhateverOrderTheStateComes) {
  in_every_state([this](const State& state, const Placement& placement) {
    State mixed = state;
    std::mt19937 random(seed_ + 1);
    std::shuffle(mixed.workers.begin(), mixed.workers.end(), random);
    std::shuffle(mixed.queue.begin(), mixed.queue.end(), random);
    std::shuffle(mixed.gangs.begin(), mixed.gangs.end(), random);
    const Placement again = place(mixed);
    EXPECT_EQ(starts_of(again), starts_of(placement));
    EXPECT_EQ(waits_of(again), waits_of(placement));
  });
}

// A waiting job that would have fit a worker as the call found it is passed there by none behind
// it.
TEST_F(PlaceProperty, NothingOvertakes) {
  in_every_state([](const State& state, const Placement& placement) {
    for (const Wait& wait : placement.waits) {
      const Job& waiting = by_id(state.queue, wait.job_id);
      for (const Start& start : placement.starts) {
        const Job& started = by_id(state.queue, start.job_id);
        const Worker& on = by_id(state.workers, start.worker_id);
        const bool possible = waiting.ranks <= on.slots &&
                              (waiting.device != Device::kCuda || on.device == Device::kCuda);
        if (possible) {
          EXPECT_TRUE(before(started, waiting))
              << start.job_id << " overtakes " << wait.job_id << " on " << on.id;
        }
      }
    }
  });
}

TEST_F(PlaceProperty, NoJobWaitsThatAnIdleWorkerFits) {
  in_every_state([](const State& state, const Placement& placement) {
    const State next = after(state, placement);
    for (const Worker& worker : state.workers) {
      const bool busy = std::any_of(next.gangs.begin(), next.gangs.end(),
                                    [&](const Gang& gang) { return gang.worker_id == worker.id; });
      if (busy || worker.lost || !worker.connected || worker.draining) continue;
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
