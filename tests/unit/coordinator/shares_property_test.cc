// What shares and quotas of tenants promise, over random clusters and futures. A failing seed is
// named and repeats.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/endless_queue.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

constexpr Config kConfig{.bank_limit = 3};
constexpr std::array kTenants = {"a", "b", "c"};

// A sweep and a gang are of one tenant.
std::string tenant_of(const std::string& owner, unsigned seed) {
  return kTenants[(std::hash<std::string>()(owner) + seed) % kTenants.size()];
}

void add_tenants(State& state, unsigned seed) {
  Random random(seed + 17);
  for (const char* name : kTenants) {
    Tenant tenant{.name = name, .weight = 1 + random.below(3)};
    if (random.one_in(2)) tenant.slots = 1 + random.below(12);
    tenant.recent_slots = random.below(10) / 2.0;
    if (random.one_in(5)) tenant.most_stored_bytes = random.below(2);
    if (!random.one_in(6)) state.tenants.push_back(tenant);
  }
  for (Job& job : state.queue) job.tenant = tenant_of(job.bank.empty() ? job.id : job.bank, seed);
  for (Attempt& attempt : state.attempts) {
    const Job& job = attempt.job;
    attempt.job.tenant = tenant_of(job.bank.empty() ? attempt.gang : job.bank, seed);
  }
}

State any_shared_state(unsigned seed) {
  State state = any_state(seed);
  add_tenants(state, seed);
  return state;
}

std::map<std::string, int> held_slots(const State& state) {
  std::map<std::string, int> held;
  std::set<std::string> gangs;
  for (const Attempt& attempt : state.attempts) {
    if (gangs.insert(attempt.gang).second) held[attempt.job.tenant] += attempt.job.ranks;
  }
  return held;
}

class SharesProperty : public testing::Test {
 protected:
  template <class Check>
  void in_every_state(Check check) {
    for (seed_ = 0; seed_ < 6000 && !HasFailure(); ++seed_) {
      SCOPED_TRACE("seed " + std::to_string(seed_));
      const State state = any_shared_state(seed_);
      check(state, place({}, state, kConfig));
    }
  }
  unsigned seed_ = 0;
};

TEST_F(SharesProperty, NoTenantStartsBeyondItsQuotaAndNoWorkerIsOversubscribed) {
  size_t barred = 0;
  in_every_state([&](const State& state, const Placement& placement) {
    const State next = after(state, placement);
    auto before_it = held_slots(state);
    auto after_it = held_slots(next);
    for (const Tenant& tenant : state.tenants) {
      if (tenant.slots) {
        EXPECT_LE(after_it[tenant.name], std::max(*tenant.slots, before_it[tenant.name]));
      }
    }
    auto used = used_slots(next);
    for (const Worker& worker : state.workers) EXPECT_LE(used[worker.id], worker.slots);
    for (const Wait& wait : placement.waits)
      barred += wait.reason.find("quota") != wait.reason.npos;
  });
  EXPECT_GT(barred, 1000u) << "too few quotas are reached to say much";
}

TEST_F(SharesProperty, EveryJobStartsOnceOrWaitsWithAReason) {
  in_every_state([](const State& state, const Placement& placement) {
    std::set<std::string> seen;
    for (const Start& start : placement.starts) {
      for (const std::string& id : start.job_ids) EXPECT_TRUE(seen.insert(id).second);
    }
    for (const Wait& wait : placement.waits) {
      EXPECT_TRUE(seen.insert(wait.job_id).second);
      EXPECT_FALSE(wait.reason.empty());
    }
    EXPECT_EQ(seen.size(), state.queue.size());
  });
}

TEST_F(SharesProperty, IsTheSameInWhateverOrderTheStateComes) {
  in_every_state([this](const State& state, const Placement& placement) {
    State mixed = state;
    std::mt19937 random(seed_ + 1);
    std::shuffle(mixed.tenants.begin(), mixed.tenants.end(), random);
    std::shuffle(mixed.workers.begin(), mixed.workers.end(), random);
    std::shuffle(mixed.queue.begin(), mixed.queue.end(), random);
    std::shuffle(mixed.attempts.begin(), mixed.attempts.end(), random);
    const Placement again = place({}, mixed, kConfig);
    EXPECT_EQ(starts_of(again), starts_of(placement));
    EXPECT_EQ(waits_of(again), waits_of(placement));
    EXPECT_EQ(leaves_of(again), leaves_of(placement));
  });
}

// Of a future in which gangs end as they like, and no later than their limits.
MonotonicTime end_of_gang(const Attempt& attempt, unsigned seed) {
  std::mt19937 bits(seed + 7919 * static_cast<unsigned>(attempt.job.order));
  const Millis most = attempt.end_by ? *attempt.end_by - attempt.began : Millis(400'000);
  return attempt.began +
         Millis(1 + static_cast<int64_t>(bits()) % std::max<int64_t>(most.count(), 1));
}

// When the job starts; none: never. `behind`: whether others than it may start at all.
std::optional<MonotonicTime> start_of(const std::string& id, State state, unsigned seed,
                                      bool behind) {
  int64_t turns = 1000;
  MonotonicTime now{};
  if (!behind) std::erase_if(state.queue, [&](const Job& job) { return job.id != id; });
  while (true) {
    const Placement placement = place(now, state, kConfig);
    for (const Start& start : placement.starts) {
      if (start.job_ids.front() == id) return now;
    }
    note_turns(placement, state, turns);
    state = after(state, placement, now);
    if (state.attempts.empty()) return std::nullopt;
    now = MonotonicTime::max();
    for (const Attempt& attempt : state.attempts) now = std::min(now, end_of_gang(attempt, seed));
    std::erase_if(state.attempts, [&](const Attempt& a) { return end_of_gang(a, seed) <= now; });
    for (Tenant& tenant : state.tenants) tenant.recent_slots += static_cast<int>(seed % 5) / 7.0;
  }
}

// Whatever shares become meanwhile. Limits say nothing here, so the head is to start exactly as if
// nobody were behind it.
TEST_F(SharesProperty, WhoseTurnHasComeIsDelayedByNobody) {
  size_t heads = 0;
  size_t ahead = 0;
  for (unsigned seed = 0; seed < 6000 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    State state = any_shared_state(seed);
    std::set<std::string> gangs;
    std::erase_if(state.attempts, [&](const Attempt& a) { return !gangs.insert(a.gang).second; });
    for (Job& job : state.queue) {
      job.priority = 0;
      job.time = {};
      job.bank = {};
    }
    for (Attempt& attempt : state.attempts) {
      attempt.job.priority = 0;
      attempt.job.bank = {};
      attempt.end_by = {};
      attempt.stop = {};
      attempt.began = {};
    }
    int64_t turns = 0;
    const Placement placement = place({}, state, kConfig);
    note_turns(placement, state, turns);
    state = after(state, placement);
    const auto head =
        std::min_element(state.queue.begin(), state.queue.end(),
                         [](const Job& a, const Job& b) { return turn_of(a) < turn_of(b); });
    if (head == state.queue.end() || head->turn == 0) continue;
    heads += 1;
    for (const Start& start : placement.starts) ahead += is_ahead(start) ? 1 : 0;
    for (unsigned future = seed; future < seed + 3; ++future) {
      EXPECT_EQ(start_of(head->id, state, future, true), start_of(head->id, state, future, false))
          << head->id;
    }
  }
  EXPECT_GT(heads, 1000u);
  EXPECT_GT(ahead, 100u);
}

// Jobs keep coming for a while, of all tenants and priorities; each ends in the end.
TEST(SharesSimulation, NothingStarves) {
  size_t at_quota = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    State state{.workers = {worker("a", 5), worker("b", 6, Device::kCuda)}};
    for (const char* name : kTenants) {
      state.tenants.push_back({.name = name, .weight = 1 + random.below(3)});
      if (random.one_in(2)) state.tenants.back().slots = 5 + random.below(4);
    }
    size_t submitted = 0;
    size_t finished = 0;
    int64_t turns = 0;
    MonotonicTime now{};
    const auto open = [&] { return !state.queue.empty() || !state.attempts.empty(); };
    for (int round = 0; round < 2000 && (round < 60 || open()); ++round) {
      now += std::chrono::seconds(1);
      for (int i = round < 60 ? random.below(4) : 0; i > 0; --i) {
        const int order = static_cast<int>(++submitted);
        Job one = random.one_in(2) ? any_trial(random, order) : any_job(random, order);
        one.ranks = std::min(one.ranks, 5);
        one.tenant = tenant_of(one.bank.empty() ? one.id : one.bank, seed);
        state.queue.push_back(one);
      }
      const Placement placement = place(now, state, kConfig);
      for (const Wait& wait : placement.waits) {
        at_quota += wait.reason.find("quota") != wait.reason.npos;
      }
      note_turns(placement, state, turns);
      state = after(state, placement, now);
      if (state.attempts.empty()) continue;
      const auto end =
          state.attempts.begin() + random.below(static_cast<int>(state.attempts.size()));
      finished += end->stop.ok() ? 1 : 0;
      if (!end->stop.ok()) state.queue.push_back(end->job);
      state.attempts.erase(end);
    }
    ASSERT_EQ(finished, submitted);
  }
  EXPECT_GT(at_quota, 1000u);
}

// Others, of whatever weight, always want more. It has no load, so only jobs that came before its
// own are ever looked at first.
TEST(SharesSimulation, WhoAsksForOneJobAtATimeGetsItInTimeWhileOthersKeepComing) {
  size_t promised = 0;
  for (unsigned seed = 0; seed < 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::vector<Tenant> tenants;
    for (const char* name : kTenants) {
      tenants.push_back({.name = name, .weight = 1 + random.below(3)});
    }
    EndlessQueue queue(seed, tenants);
    for (int round = 0; round < 300; ++round) {
      for (const char* name : {"a", "b"}) {
        while (queue.waiting([&](const Job& job) { return job.tenant == name; }) < 5) {
          queue.submit(0, name);
        }
      }
      const auto is_his = [](const Job& job) { return job.tenant == "c"; };
      if (queue.waiting(is_his) == 0 && held_slots(queue.state())["c"] == 0) {
        queue.submit_promised(0, "c");
      }
      queue.place(kConfig);
      queue.pass_a_round();
    }
    promised += queue.promised;
  }
  EXPECT_GT(promised, 200u);
}

// What tenant b holds over what a does, of three times its weight, where both always want more and
// a's jobs have up to `widest` ranks.
double ratio_of_slots(int slots, int widest) {
  Random random(1);
  State state{.workers = {worker("w", slots)},
              .tenants = {{.name = "a", .weight = 1}, {.name = "b", .weight = 3}}};
  std::map<std::string, double> slot_seconds;
  int order = 0;
  int64_t turns = 0;
  MonotonicTime now{};
  for (int second = 0; second < 4000; ++second) {
    now += std::chrono::seconds(1);
    for (const char* name : {"a", "b"}) {
      const auto waiting = std::count_if(state.queue.begin(), state.queue.end(),
                                         [&](const Job& job) { return job.tenant == name; });
      for (auto i = waiting; i < 40; ++i) {
        ++order;
        Job one =
            job("j" + std::to_string(order), order, *name == 'a' ? 1 + random.below(widest) : 1);
        one.tenant = name;
        state.queue.push_back(one);
      }
    }
    const Placement placement = place(now, state, kConfig);
    note_turns(placement, state, turns);
    state = after(state, placement, now);
    for (const auto& [name, held] : held_slots(state)) slot_seconds[name] += held;
    for (Tenant& tenant : state.tenants) {
      tenant.recent_slots += (held_slots(state)[tenant.name] - tenant.recent_slots) / 100;
    }
    std::erase_if(state.attempts, [&](const Attempt& a) {
      return a.job.order % 7 < std::chrono::duration<double>(now - a.began).count();
    });
  }
  return slot_seconds["b"] / slot_seconds["a"];
}

// Two tenants that always want more, whatever the widths and lengths of their jobs, hold slots in
// proportion to their weights, up to the width of a job.
TEST(SharesSimulation, SlotsGoByWeight) {
  EXPECT_NEAR(ratio_of_slots(64, 3), 3, 0.15);
  for (const int slots : {4, 8, 16}) EXPECT_NEAR(ratio_of_slots(slots, 1), 3, 0.15) << slots;
}

}  // namespace
}  // namespace prefixmem::scheduler
