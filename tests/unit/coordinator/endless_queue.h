// A cluster on which jobs keep coming for ever, for the scheduler's tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {

// Each worker could hold each job, alone or with all others. The first job that waits then keeps
// them all, and what goes ahead of it does not delay it: it starts once what runs has ended, within
// kLongest, and so does the next from then on. One that comes when `ahead` others of its priority
// or a higher one wait is to have started kLongest * (ahead + 1) later, whatever comes after it.
class EndlessQueue {
 public:
  static constexpr Millis kRound{10'000};
  static constexpr Millis kLongest = 6 * kRound;  // of a gang

  EndlessQueue(unsigned seed, std::vector<Tenant> tenants) : seed_(seed), random_(seed) {
    state_.tenants = std::move(tenants);
    for (const char* id : {"v", "w"}) state_.workers.push_back(worker(id, 6, Device::kCuda));
  }

  const State& state() const { return state_; }
  template <class Is>
  int64_t waiting(Is is) const {
    return std::count_if(state_.queue.begin(), state_.queue.end(), is);
  }

  // Any job.
  void submit(int64_t priority, const std::string& tenant = "") {
    ++order_;
    Job one = random_.one_in(3) ? any_trial(random_, order_) : any_job(random_, order_);
    one.priority = priority;
    one.tenant = tenant;
    if (!one.bank.empty()) one.bank += tenant + std::to_string(priority);
    one.time = {};
    if (random_.one_in(2)) {
      one.time = {.text = "some", .left = kRound * (1 + random_.below(kLongestLimit))};
    }
    state_.queue.push_back(one);
  }
  // One that is to start in time.
  void submit_promised(int64_t priority, const std::string& tenant = "") {
    const auto before_it = waiting([&](const Job& job) { return job.priority >= priority; });
    submit(priority, tenant);
    due_[state_.queue.back().id] = now_ + kLongest * (before_it + 1);
  }

  void place(const Config& config) {
    const Placement placement = scheduler::place(now_, state_, config);
    for (const Start& start : placement.starts) {
      ahead += is_ahead(start) ? 1 : 0;
      spread += start.seats.empty() ? 0 : 1;
      for (const std::string& id : start.job_ids) promised += due_.contains(id) ? 1 : 0;
    }
    left += placement.leaves.size();
    note_turns(placement, state_, turns_);
    state_ = after(state_, placement, now_);
    for (const Job& job : state_.queue) {
      const auto due = due_.find(job.id);
      EXPECT_TRUE(due == due_.end() || now_ < due->second) << job.id << " still waits";
    }
  }

  // Those that were asked to leave have left, and others have ended.
  void pass_a_round() {
    now_ += kRound;
    for (const Attempt& attempt : state_.attempts) {
      if (!attempt.stop.ok()) state_.queue.push_back(attempt.job);
    }
    std::erase_if(state_.attempts, [&](const Attempt& attempt) {
      return !attempt.stop.ok() || end_of(attempt) <= now_;
    });
  }

  // Starts ahead of a job that waits, on several workers, and of jobs that were promised one; gangs
  // that were asked to leave.
  size_t ahead = 0, spread = 0, promised = 0, left = 0;

 private:
  static constexpr int kLongestLimit = 3;  // rounds
  static_assert(kLongestLimit * kRound + kLeaveGrace <= kLongest);

  // No later than its limit, and than kLongest after it began.
  MonotonicTime end_of(const Attempt& attempt) const {
    std::mt19937 bits(seed_ + 7919U * static_cast<unsigned>(attempt.job.order));
    const MonotonicTime end = attempt.began + kRound * (1 + static_cast<int>(bits() % 6));
    return attempt.end_by ? std::min(end, *attempt.end_by) : end;
  }

  const unsigned seed_;
  Random random_;
  State state_;
  MonotonicTime now_{};
  int order_ = 0;
  int64_t turns_ = 0;
  std::map<std::string, MonotonicTime> due_;  // by job
};

}  // namespace prefixmem::scheduler
