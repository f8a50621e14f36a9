// What place() promises, over random clusters. A failing seed is named and repeats.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/endless_queue.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

constexpr int kStates = 4000;

constexpr Config kConfig{.bank_limit = 3};

Placement place(const State& state) { return scheduler::place({}, state, kConfig); }

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

TEST_F(PlaceProperty, AGangLiesOnOneConnectedMatchingWorkerOrOnSeveralWhereNoneIsBigEnough) {
  size_t spread = 0;
  in_every_state([&](const State& state, const Placement& placement) {
    for (const Start& start : placement.starts) {
      const Job& job = by_id(state.queue, start.job_ids.front());
      std::vector<Seat> seats = start.seats;
      EXPECT_EQ(is_wide(state, job), !seats.empty()) << job.id;
      if (seats.empty()) seats.push_back({start.worker_id, job.ranks});
      spread += seats.size() > 1 ? 1 : 0;
      int ranks = 0;
      std::set<Device> devices;
      for (const Seat& seat : seats) {
        const Worker& on = by_id(state.workers, seat.worker_id);
        EXPECT_TRUE(is_open(on)) << seat.worker_id;
        EXPECT_TRUE(has_device(on, job)) << job.id;
        devices.insert(on.device);
        ranks += seat.ranks;
      }
      EXPECT_EQ(ranks, job.ranks);
      EXPECT_TRUE(devices.size() == 1 || job.device == Device::kCpu);
    }
  });
  EXPECT_GT(spread, kStates / 80u) << "too few to say much";
}

// Whether a job that waits ahead of it may keep the worker, or a part of it.
bool may_be_kept(const Worker& worker, const Job& job, const State& state,
                 const Placement& placement) {
  return std::any_of(placement.waits.begin(), placement.waits.end(), [&](const Wait& wait) {
    const Job& waiting = by_id(state.queue, wait.job_id);
    return before(waiting, job) && has_device(worker, waiting);
  });
}

std::string host_of(const Worker& worker) {
  return worker.host.empty() ? "of " + worker.id : worker.host;
}

// Ranks of the job that hosts had room for at least, the most first, when it took those seats: of
// a worker that may have been kept no more than it got.
std::vector<int> room_beside(const Job& job, const std::vector<Seat>& seats, const State& then,
                             const std::function<bool(const Worker&)>& is_kept) {
  auto used = used_slots(then);
  const Device device = by_id(then.workers, seats.front().worker_id).device;
  std::map<std::string, int> on_host;
  for (const Worker& worker : then.workers) {
    const auto seat = std::find_if(seats.begin(), seats.end(),
                                   [&](const Seat& one) { return one.worker_id == worker.id; });
    if (!is_open(worker) || (job.device != Device::kCpu && worker.device != device)) continue;
    if (!is_kept(worker)) {
      on_host[host_of(worker)] += part_of(worker, job, worker.slots - used[worker.id]);
    } else if (seat != seats.end()) {
      on_host[host_of(worker)] += seat->ranks;
    }
  }
  std::vector<int> room;
  for (const auto& [_, ranks] : on_host) room.push_back(ranks);
  std::sort(room.rbegin(), room.rend());
  return room;
}

TEST_F(PlaceProperty, AGangOnSeveralWorkersIsOnAsFewHostsAsHadRoomThen) {
  size_t spread = 0, near = 0;
  in_every_state([&](const State& state, const Placement& placement) {
    State then = state;
    for (const Start& start : placement.starts) {
      const Job& job = by_id(state.queue, start.job_ids.front());
      if (!start.seats.empty()) {
        spread += 1;
        std::set<std::string> workers, hosts;
        int ranks = 0;
        for (const Seat& seat : start.seats) {
          EXPECT_TRUE(workers.insert(seat.worker_id).second) << seat.worker_id << " twice";
          hosts.insert(host_of(by_id(then.workers, seat.worker_id)));
          ranks += seat.ranks;
        }
        near += hosts.size() < workers.size() ? 1 : 0;
        EXPECT_EQ(ranks, job.ranks);
        const auto room = room_beside(job, start.seats, then, [&](const Worker& worker) {
          return may_be_kept(worker, job, state, placement);
        });
        ASSERT_GE(room.size(), hosts.size());
        const auto fewer = room.begin() + static_cast<std::ptrdiff_t>(hosts.size()) - 1;
        EXPECT_LT(std::accumulate(room.begin(), fewer, 0), job.ranks) << job.id;
      }
      apply(start, {}, then);
    }
  });
  EXPECT_GT(spread, kStates / 80u) << "too few to say much";
  EXPECT_GT(near, kStates / 800u) << "too few to say much";
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
    EXPECT_EQ(leaves_of(again), leaves_of(placement));
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

TEST_F(PlaceProperty, AJobJoinsAGangOfItsKeyThatKeepsNobodyAheadWaiting) {
  size_t joined = 0;
  in_every_state([&](const State& state, const Placement& placement) {
    const State next = after(state, placement);
    for (const Start& start : placement.starts) {
      if (start.gang.empty()) continue;
      ++joined;
      ASSERT_EQ(start.job_ids.size(), 1u);
      const Job& joiner = by_id(state.queue, start.job_ids.front());
      EXPECT_FALSE(joiner.resumes);
      int members = 0;
      for (const Attempt& attempt : next.attempts) {
        if (attempt.gang != start.gang) continue;
        ++members;
        EXPECT_EQ(attempt.job.bank, joiner.bank);
        EXPECT_EQ(attempt.worker_id, start.worker_id);
      }
      EXPECT_LE(members, kConfig.bank_limit);
      const Worker& on = by_id(state.workers, start.worker_id);
      for (const Wait& wait : placement.waits) {
        const Job& ahead = by_id(state.queue, wait.job_id);
        EXPECT_FALSE(before(ahead, joiner) && could_hold(on, ahead))
            << ahead.id << " waits for " << on.id;
      }
    }
  });
  EXPECT_GT(joined, kStates / 50u) << "too few to say much";
}

// One sweep alone fills the free places of a device, and no two gangs differ by more than one.
TEST(PlaceBanksProperty, ASweepIsSpreadEvenly) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    State state{.workers = any_workers(random)};
    for (Worker& worker : state.workers) {
      worker.device = Device::kCpu;
      worker.slots = std::max(worker.slots, 2);
    }
    const int trials = 1 + random.below(30);
    for (int i = 1; i <= trials; ++i) {
      state.queue.push_back(trial("j" + std::to_string(i), i, "sweep", 2));
    }
    int places = 0;
    for (const Worker& worker : state.workers) {
      if (is_open(worker)) places += worker.slots / 2;
    }
    std::set<size_t> sizes;
    const Placement placement = scheduler::place({}, state, {.bank_limit = 8});
    for (const Start& start : placement.starts) sizes.insert(start.job_ids.size());
    EXPECT_EQ(placement.starts.size(), static_cast<size_t>(std::min(places, trials)));
    if (sizes.empty()) continue;
    EXPECT_LE(*sizes.rbegin() - *sizes.begin(), 1u) << "seed " << seed;
    EXPECT_TRUE(placement.waits.empty() || *sizes.begin() == 8u);
  }
}

// Gangs end one after another, new jobs keep coming for a while, of all priorities, some of them
// with time limits, and some make others leave: each job ends in the end, and no worker ever holds
// more than its slots.
TEST(PlaceSimulation, NothingStarves) {
  size_t backfilled = 0;
  size_t preempted = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    State state{.workers = {worker("a", 5), worker("b", 6, Device::kCuda)}};
    size_t submitted = 0;
    size_t finished = 0;
    MonotonicTime now{};
    const auto open = [&] { return !state.queue.empty() || !state.attempts.empty(); };
    for (int round = 0; round < 1500 && (round < 60 || open()); ++round) {
      now += std::chrono::seconds(1);
      for (int i = round < 60 ? random.below(4) : 0; i > 0; --i) {
        const int order = static_cast<int>(++submitted);
        Job one = random.one_in(2) ? any_trial(random, order) : any_job(random, order);
        one.ranks = std::min(one.ranks, 5);
        state.queue.push_back(one);
      }
      const Placement placement = scheduler::place(now, state, kConfig);
      for (const Start& start : placement.starts) backfilled += is_ahead(start) ? 1 : 0;
      preempted += placement.leaves.size();
      state = after(state, placement, now);
      for (const auto& [id, used] : used_slots(state)) {
        ASSERT_LE(used, by_id(state.workers, id).slots);
      }
      const auto overdue =
          std::find_if(state.attempts.begin(), state.attempts.end(),
                       [&](const Attempt& a) { return a.end_by && *a.end_by <= now; });
      if (state.attempts.empty()) continue;
      auto end = overdue;
      if (end == state.attempts.end()) {
        end = state.attempts.begin() + random.below(static_cast<int>(state.attempts.size()));
      }
      if (end->stop.ok()) {
        finished += 1;
      } else {
        state.queue.push_back(end->job);
      }
      state.attempts.erase(end);
    }
    ASSERT_EQ(finished, submitted);
  }
  EXPECT_GT(backfilled, 100u);
  EXPECT_GT(preempted, 100u);
}

// Those of its priority and of a lower one never end.
TEST(PlaceSimulation, AJobStartsInTimeWhileOthersKeepComing) {
  size_t promised = 0, ahead = 0, spread = 0, left = 0;
  for (unsigned seed = 0; seed < 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EndlessQueue queue(seed, {});
    for (int round = 0; round < 300; ++round) {
      while (queue.waiting([](const Job& job) { return job.priority == 0; }) < 6) {
        queue.submit_promised(0);
      }
      while (queue.waiting([](const Job& job) { return job.priority < 0; }) < 3) queue.submit(-1);
      queue.place(kConfig);
      queue.pass_a_round();
    }
    promised += queue.promised;
    ahead += queue.ahead;
    spread += queue.spread;
    left += queue.left;
  }
  EXPECT_GT(promised, 1000u);
  EXPECT_GT(ahead, 100u);
  EXPECT_GT(spread, 100u);
  EXPECT_GT(left, 20u);
}

// Gangs of three workers end one after another, so that whenever w1 is free another job, which
// could run there, waits for a different worker in its turn.
TEST(PlaceSimulation, NobodyWaitsForEverForAWorkerThatOthersKeepInTurn) {
  State state{
      .workers = {worker("w1", 8, Device::kCuda), worker("w2", 2, Device::kCuda), worker("w3", 8)}};
  const std::map<std::string, std::set<int>> ends = {{"w1", {0}}, {"w2", {1, 3}}, {"w3", {2}}};
  int order = 0;
  int64_t turns = 0;
  std::map<std::string, int> came;  // by job: when
  for (int time = 0; time < 400; ++time) {
    std::erase_if(state.attempts, [&](const Attempt& attempt) {
      return ends.at(attempt.worker_id).contains(time % 4);
    });
    const auto submit = [&](const std::string& name, int ranks, Device device, int waiting) {
      const auto is_alike = [&](const Job& one) { return one.id.starts_with(name); };
      while (std::count_if(state.queue.begin(), state.queue.end(), is_alike) < waiting) {
        ++order;
        state.queue.push_back(job(name + std::to_string(order), order, ranks, device));
        came[state.queue.back().id] = time;
      }
    };
    submit("small", 2, Device::kCuda, 2);
    submit("anywhere", 8, Device::kAuto, 2);
    submit("large", 8, Device::kCuda, 1);
    const auto now = MonotonicTime(std::chrono::seconds(time));
    const Placement placement = scheduler::place(now, state, kConfig);
    note_turns(placement, state, turns);
    state = after(state, placement, now);
    for (const Job& one : state.queue) ASSERT_LT(time - came.at(one.id), 40) << one.id;
  }
}

// A waiting job that could run on a worker is passed there by none behind it, but those that say
// so; backfill_property_test.cc sees that they do not delay it.
TEST_F(PlaceProperty, NothingOvertakes) {
  in_every_state([](const State& state, const Placement& placement) {
    for (const Wait& wait : placement.waits) {
      const Job& waiting = by_id(state.queue, wait.job_id);
      for (const Start& start : placement.starts) {
        const Job& started = by_id(state.queue, start.job_ids.front());
        const Worker& on = by_id(state.workers, start.worker_id);
        if (could_hold(on, waiting) && !is_ahead(start)) {
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
      if (used_slots(next)[worker.id] > 0 || !is_open(worker)) continue;
      for (const Job& waiting : next.queue) {
        const bool kept = std::any_of(next.queue.begin(), next.queue.end(), [&](const Job& other) {
          return before(other, waiting) && keeps_several(next, other);
        });
        EXPECT_FALSE(could_hold(worker, waiting) && !kept)
            << waiting.id << " waits while " << worker.id << " is idle";
      }
    }
  });
}

TEST_F(PlaceProperty, HasNothingToAddToItsOwnDecisions) {
  in_every_state([](const State& state, const Placement& placement) {
    const Placement again = place(after(state, placement));
    EXPECT_TRUE(again.starts.empty());
    EXPECT_TRUE(again.leaves.empty());
  });
}

}  // namespace
}  // namespace prefixmem::scheduler
