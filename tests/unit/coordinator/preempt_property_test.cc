// What preemption promises, over random clusters. A failing seed is named and repeats.
#include <gtest/gtest.h>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

constexpr unsigned kStates = 20000;
constexpr Config kConfig{.bank_limit = 3};

Placement place(const State& state) { return scheduler::place({}, state, kConfig); }

struct RunningGang {
  int slots = 0;
  int64_t priority = 0;
  bool leaving = true;
};

// By id.
std::map<std::string, RunningGang> gangs_on(const State& state, const std::string& worker_id) {
  std::map<std::string, RunningGang> gangs;
  std::map<std::string, Job> wholes;
  for (const Attempt& attempt : state.attempts) {
    const int ranks = ranks_on(attempt, worker_id);
    if (ranks == 0) continue;
    RunningGang& gang = gangs[attempt.gang];
    Job& whole = wholes[attempt.gang];
    whole = with_members(whole, {attempt.job});
    whole.device = attempt.job.device;
    gang.slots = slots_needed(by_id(state.workers, worker_id), whole, ranks);
    gang.priority = attempt.job.priority;
    gang.leaving = gang.leaving && !attempt.stop.ok();
  }
  return gangs;
}

// Of one worker: the sizes and highest priorities of the sets of gangs without which a job fits.
struct Ways {
  size_t fewest = SIZE_MAX;  // 0: what is leaving makes room enough
  int64_t highest = INT64_MAX;

  void add(size_t count, int64_t priority) {
    if (std::tuple(count, priority) >= std::tuple(fewest, highest)) return;
    fewest = count;
    highest = priority;
  }
};

void add_ways(const State& state, const Worker& worker, const Job& job, Ways& ways) {
  int free = worker.slots;
  std::vector<RunningGang> lower;
  for (const auto& [id, gang] : gangs_on(state, worker.id)) {
    if (!gang.leaving) free -= gang.slots;
    if (!gang.leaving && gang.priority < job.priority) lower.push_back(gang);
  }
  for (unsigned set = 0; set < 1U << lower.size(); ++set) {
    int slots = free;
    size_t count = 0;
    int64_t highest = INT64_MIN;
    for (size_t i = 0; i < lower.size(); ++i) {
      if ((set >> i & 1) == 0) continue;
      slots += lower[i].slots;
      highest = std::max(highest, lower[i].priority);
      count += 1;
    }
    if (slots >= slots_needed(worker, job, job.ranks)) ways.add(count, highest);
  }
}

// The gangs that leave for a job, by id.
std::map<std::string, RunningGang> leaving_for(const std::string& job_id, const State& state,
                                               const Placement& placement) {
  std::map<std::string, RunningGang> gangs;
  for (const Leave& leave : placement.leaves) {
    if (leave.for_job != job_id) continue;
    for (const Attempt& attempt : state.attempts) {
      if (attempt.job.id != leave.job_ids.front()) continue;
      gangs[attempt.gang] = gangs_on(state, attempt.worker_id).at(attempt.gang);
    }
  }
  return gangs;
}

class PreemptProperty : public testing::Test {
 protected:
  template <class Check>
  void in_every_state(Check check) {
    for (unsigned seed = 0; seed < kStates && !HasFailure(); ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      const State state = any_state(seed);
      check(state, place(state));
    }
  }
};

TEST_F(PreemptProperty, OnlyGangsOfLowerPriorityLeaveForAJobThatWaits) {
  size_t leaves = 0;
  in_every_state([&](const State& state, const Placement& placement) {
    std::set<std::string> once;
    for (const Leave& leave : placement.leaves) {
      leaves += 1;
      const Job& job = by_id(state.queue, leave.for_job);
      const bool several = leave.worker_id.empty();
      EXPECT_EQ(several, is_wide(state, job));
      if (!several) {
        const Worker& left = by_id(state.workers, leave.worker_id);
        EXPECT_TRUE(is_open(left) && could_hold(left, job));
      }
      for (const std::string& id : leave.job_ids) {
        EXPECT_TRUE(once.insert(id).second) << id;
        const auto victim = std::find_if(state.attempts.begin(), state.attempts.end(),
                                         [&](const Attempt& a) { return a.job.id == id; });
        ASSERT_NE(victim, state.attempts.end());
        EXPECT_TRUE(several || victim->worker_id == leave.worker_id);
        EXPECT_LT(victim->job.priority, job.priority);
      }
      const auto waits = std::any_of(placement.waits.begin(), placement.waits.end(),
                                     [&](const Wait& wait) { return wait.job_id == job.id; });
      EXPECT_TRUE(waits);
    }
  });
  EXPECT_GT(leaves, kStates / 20) << "too few to say much";
}

// They, and those that were leaving that worker before.
TEST_F(PreemptProperty, TheJobStartsOnceTheyHaveLeft) {
  in_every_state([](const State& state, const Placement& placement) {
    std::map<std::string, std::string> jobs;  // to the worker that is left for them
    for (const Leave& leave : placement.leaves) jobs[leave.for_job] = leave.worker_id;
    for (const auto& [job, worker_id] : jobs) {
      State next = after(state, placement);
      for (const Worker& worker : state.workers) {
        if (!worker_id.empty() && worker.id != worker_id) continue;
        for (const auto& [id, gang] : gangs_on(next, worker.id)) {
          if (!gang.leaving) continue;
          std::erase_if(next.attempts, [&](const Attempt& a) { return a.gang == id; });
        }
      }
      bool started = false;
      for (const Start& start : place(next).starts) started |= start.job_ids.front() == job;
      EXPECT_TRUE(started) << job;
    }
  });
}

// Of the first job that waits for a worker that takes work; its own choice is not bound by others.
TEST_F(PreemptProperty, TheFewestOfLowestPriorityLeaveAndNoneWhereItHelpsNot) {
  in_every_state([](const State& state, const Placement& placement) {
    for (const Wait& wait : placement.waits) {
      const Job& job = by_id(state.queue, wait.job_id);
      if (keeps_several(state, job)) break;
      State then = state;
      for (const Start& start : placement.starts) {
        if (before(by_id(state.queue, start.job_ids.front()), job)) apply(start, {}, then);
      }
      Ways ways;
      bool possible = false;
      for (const Worker& worker : state.workers) {
        if (!is_open(worker) || !could_hold(worker, job)) continue;
        possible = true;
        add_ways(then, worker, job, ways);
      }
      if (!possible) continue;
      const auto leaving = leaving_for(job.id, state, placement);
      EXPECT_EQ(leaving.size(), ways.fewest == SIZE_MAX ? 0 : ways.fewest) << job.id;
      int64_t highest = INT64_MIN;
      for (const auto& [id, gang] : leaving) highest = std::max(highest, gang.priority);
      if (!leaving.empty()) {
        EXPECT_EQ(highest, ways.highest) << job.id;
      }
      break;
    }
  });
}

}  // namespace
}  // namespace prefixmem::scheduler
