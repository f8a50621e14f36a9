// Jobs that run ahead never delay the head of the queue, over random clusters and futures. A
// failing seed is named and repeats.
#include <gtest/gtest.h>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

using Moment = std::optional<MonotonicTime>;  // none: never

constexpr Config kConfig{};
constexpr MonotonicTime kNever = MonotonicTime::max();

// How long each gang holds its slots, by the id of its first job.
class Future {
 public:
  explicit Future(unsigned seed) : seed_(seed) {}
  virtual ~Future() = default;
  virtual MonotonicTime end_of(const Attempt& attempt) const {
    std::mt19937 bits(seed_ + 7919 * static_cast<unsigned>(attempt.job.order));
    const auto most = attempt.end_by ? *attempt.end_by - attempt.began : Millis(400'000);
    const MonotonicTime end =
        attempt.began + Millis(1 + static_cast<int64_t>(bits()) % most.count());
    return std::max(end, MonotonicTime(Millis(1)));
  }

 private:
  const unsigned seed_;
};

// The worst that time limits allow.
class Worst final : public Future {
 public:
  Worst() : Future(0) {}
  MonotonicTime end_of(const Attempt& attempt) const override {
    return attempt.end_by.value_or(kNever);
  }
};

// Lets gangs end until one does; false: none will.
bool wait_for_an_end(State& state, const Future& future, MonotonicTime& now) {
  now = kNever;
  for (const Attempt& attempt : state.attempts) now = std::min(now, future.end_of(attempt));
  std::erase_if(state.attempts, [&](const Attempt& a) { return future.end_of(a) <= now; });
  return now != kNever;
}

// When the job starts.
Moment start_of(const Job& job, State state, const Future& future, MonotonicTime now = {}) {
  do {
    for (const Start& start : place(now, state, kConfig).starts) {
      if (start.job_ids.front() == job.id) return now;
      apply(start, now, state);
    }
  } while (wait_for_an_end(state, future, now));
  return std::nullopt;
}

// One priority, so that nobody is preempted; gangs that run are of one job each.
State any_queue(unsigned seed) {
  State state = any_state(seed);
  for (Job& job : state.queue) job.priority = 0;
  std::set<std::string> gangs;
  std::erase_if(state.attempts, [&](const Attempt& a) { return !gangs.insert(a.gang).second; });
  for (Attempt& attempt : state.attempts) {
    attempt.job.priority = 0;
    attempt.stop = {};
    if (attempt.end_by) *attempt.end_by = std::max(*attempt.end_by, MonotonicTime(Millis(1)));
    if (attempt.end_by) attempt.began = std::min(attempt.began, *attempt.end_by - Millis(1));
  }
  return state;
}

// The first waiting job for which a worker that takes work is large enough, or where none could
// ever be several are together; null: there is none.
const Job* head_of(const State& state) {
  for (const Wait& wait : place({}, state, kConfig).waits) {
    const Job& job = by_id(state.queue, wait.job_id);
    if (is_wide(state, job) && together_hold(state, job, is_open)) return &job;
    for (const Worker& worker : state.workers) {
      if (is_open(worker) && could_hold(worker, job)) return &job;
    }
  }
  return nullptr;
}

State without_those_behind(State state, const Job& head) {
  std::erase_if(state.queue, [&](const Job& job) { return before(head, job); });
  return state;
}

bool no_later(Moment a, Moment b) { return !b || (a && *a <= *b); }

// The earliest start that time limits have promised the head at any moment until it starts.
Moment earliest_promise(const Job& head, State state, const Future& future) {
  Moment earliest;
  MonotonicTime now{};
  do {
    const Moment promise = start_of(head, without_those_behind(state, head), Worst(), now);
    if (promise) earliest = std::min(*promise, earliest.value_or(*promise));
    for (const Start& start : place(now, state, kConfig).starts) {
      if (start.job_ids.front() == head.id) return earliest;
      apply(start, now, state);
    }
  } while (wait_for_an_end(state, future, now));
  return earliest;
}

TEST(BackfillProperty, AStartThatIsPromisedToTheHeadIsKept) {
  size_t heads = 0;
  size_t ahead = 0;
  size_t promises = 0;
  for (unsigned seed = 0; seed < 10000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const State state = any_queue(seed);
    const Job* head = head_of(state);
    if (head == nullptr) continue;
    heads += 1;
    for (const Start& start : place({}, state, kConfig).starts) ahead += is_ahead(start) ? 1 : 0;
    const State alone = without_those_behind(state, *head);
    EXPECT_TRUE(no_later(start_of(*head, state, Worst()), start_of(*head, alone, Worst())));
    const Future future(seed);
    const Moment promise = earliest_promise(*head, state, future);
    promises += promise ? 1 : 0;
    const Moment start = start_of(*head, state, future);
    EXPECT_TRUE(no_later(start, promise ? promise : start_of(*head, alone, future)));
  }
  EXPECT_GT(heads, 2000u) << "too few queues to say much";
  EXPECT_GT(ahead, 200u) << "too few jobs run ahead to say much";
  EXPECT_GT(promises, 200u) << "too few promises to say much";
}

// Without limits nothing is known of the future, and the head is not later in any.
TEST(BackfillProperty, WithoutTimeLimitsNoFutureDelaysTheHead) {
  size_t ahead = 0;
  for (unsigned seed = 0; seed < 8000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    State state = any_queue(seed);
    for (Job& job : state.queue) job.time = {};
    for (Attempt& attempt : state.attempts) attempt.end_by = {};
    const Job* head = head_of(state);
    if (head == nullptr) continue;
    for (const Start& start : place({}, state, kConfig).starts) ahead += is_ahead(start) ? 1 : 0;
    const State alone = without_those_behind(state, *head);
    for (unsigned variant = 0; variant < 3; ++variant) {
      const Future future(seed + 1000003 * variant);
      EXPECT_EQ(start_of(*head, state, future), start_of(*head, alone, future));
    }
  }
  EXPECT_GT(ahead, 100u) << "too few jobs run ahead to say much";
}

}  // namespace
}  // namespace prefixmem::scheduler
