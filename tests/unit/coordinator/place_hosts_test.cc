// Gangs over several workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Placement place(const State& state) { return scheduler::place({}, state, {.bank_limit = 16}); }

// "2 on a, 1 on b"
std::string seats_of(const Start& start) {
  std::string text;
  for (const Seat& seat : start.seats) {
    text += (text.empty() ? "" : ", ") + std::to_string(seat.ranks) + " on " + seat.worker_id;
  }
  return text;
}

Attempt spread(const Job& job, const std::vector<Seat>& seats) {
  Attempt attempt = placed(job, seats.front().worker_id);
  attempt.seats = seats;
  return attempt;
}

TEST(PlaceHosts, AsFewWorkersAsCanHoldItTheFullestFirst) {
  const State state{.workers = {worker("a", 1), worker("b", 3), worker("c", 2), worker("d", 3)},
                    .queue = {job("j", 1, 5)}};
  const Placement placement = place(state);
  ASSERT_THAT(starts_of(placement), ElementsAre("j>b"));
  EXPECT_EQ(seats_of(placement.starts[0]), "3 on b, 2 on d");
  EXPECT_EQ(placement.starts[0].reason, "5 ranks on 2 workers: 3 on b, 2 on d");
}

TEST(PlaceHosts, AsFewHostsAsCanHoldIt) {
  State state{.workers = {worker("a", 3), worker("b", 2), worker("c", 2), worker("d", 1)},
              .queue = {job("j", 1, 4)}};
  state.workers[1].host = state.workers[2].host = "near";
  EXPECT_EQ(seats_of(place(state).starts[0]), "2 on b, 2 on c") << "not 3 on a, 1 on b";
  state.queue[0].ranks = 6;
  EXPECT_EQ(seats_of(place(state).starts[0]), "2 on b, 2 on c, 2 on a");
  state.attempts = {placed(job("r", 0, 2), "b")};
  state.queue[0].ranks = 4;
  EXPECT_EQ(seats_of(place(state).starts[0]), "3 on a, 1 on c");
}

TEST(PlaceHosts, OnlyWhatIsFreeCounts) {
  const State state{.workers = {worker("a", 2), worker("b", 2), worker("c", 2)},
                    .queue = {job("j", 2, 3)},
                    .attempts = {placed(job("r", 1, 1), "a")}};
  const Placement placement = place(state);
  ASSERT_THAT(starts_of(placement), ElementsAre("j>b"));
  EXPECT_EQ(seats_of(placement.starts[0]), "2 on b, 1 on c");
}

TEST(PlaceHosts, HoldsItsSlotsOnEachWorker) {
  const State state{.workers = {worker("a", 2), worker("b", 2)},
                    .queue = {job("x", 2), job("y", 3)},
                    .attempts = {spread(job("j", 1, 3), {{"a", 2}, {"b", 1}})}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("x>b"));
  EXPECT_THAT(waits_of(placement), ElementsAre("y: waits for 1 slot of one worker to be free"));
}

TEST(PlaceHosts, AllWorkersOfAGangHaveTheSameDevice) {
  State state{.workers = {worker("cpu", 2), worker("gpu", 2, Device::kCuda)},
              .queue = {job("j", 1, 3)}};
  EXPECT_THAT(waits_of(place(state)),
              ElementsAre("j: needs 3 ranks, the workers that it could run on together have 2 "
                          "slots"));
  state.queue[0].device = Device::kCpu;
  EXPECT_EQ(place(state).starts.size(), 1U) << "a cpu job runs on any worker";
  state.queue[0].device = Device::kAuto;
  state.workers.push_back(worker("gpu2", 1, Device::kCuda));
  ASSERT_EQ(place(state).starts.size(), 1U);
  EXPECT_EQ(seats_of(place(state).starts[0]), "2 on gpu, 1 on gpu2");
}

TEST(PlaceHosts, WhileItWaitsNobodyTakesWhatItNeeds) {
  const State state{.workers = {worker("a", 2), worker("b", 2)},
                    .queue = {job("wide", 2, 4), job("narrow", 3)},
                    .attempts = {placed(job("r", 1, 1), "a")}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), IsEmpty());
  EXPECT_THAT(waits_of(placement),
              ElementsAre("wide: waits for 4 slots of several workers to be free",
                          "narrow: waits behind earlier jobs"));
}

TEST(PlaceHosts, AJobThatEndsBeforeItCouldStartGoesAhead) {
  Attempt running = placed(job("r", 1, 1), "a");
  running.end_by = MonotonicTime(Millis(100'000));
  Job brief = job("brief", 3);
  brief.time = {.text = "1m", .left = Millis(60'000)};
  Job late = job("late", 4);
  late.time = {.text = "2m", .left = Millis(120'000)};
  const State state{.workers = {worker("a", 2), worker("b", 2)},
                    .queue = {job("wide", 2, 4), brief, late},
                    .attempts = {running}};
  const Placement placement = place(state);
  EXPECT_THAT(starts_of(placement), ElementsAre("brief>a"));
  EXPECT_EQ(placement.starts[0].reason,
            "1 rank on worker a, ahead of wide, which it does not delay");
}

TEST(PlaceHosts, GangsOfLowerPriorityMakeRoomTogether) {
  Job urgent = job("urgent", 5, 4);
  urgent.priority = 3;
  const State state{.workers = {worker("a", 2), worker("b", 2)},
                    .queue = {urgent},
                    .attempts = {placed(job("x", 1, 2), "a"), placed(job("y", 2, 1), "b")}};
  const Placement placement = place(state);
  EXPECT_THAT(leaves_of(placement), ElementsAre("x for urgent", "y for urgent"));
  EXPECT_THAT(waits_of(placement),
              ElementsAre("urgent: x, y of lower priority are asked to make room"));
}

TEST(PlaceHosts, AGangOnSeveralWorkersLeavesForAJobOfOne) {
  Job urgent = job("urgent", 5, 2);
  urgent.priority = 3;
  const State state{.workers = {worker("a", 2), worker("b", 2)},
                    .queue = {urgent},
                    .attempts = {spread(job("wide", 1, 4), {{"a", 2}, {"b", 2}})}};
  EXPECT_THAT(leaves_of(place(state)), ElementsAre("wide for urgent"));
}

TEST(PlaceHosts, SaysWhichWorkersAreMissing) {
  State state{.workers = {worker("a", 2), worker("b", 2), worker("c", 2)},
              .queue = {job("j", 1, 5)}};
  state.workers[0].connected = false;
  state.workers[1].cordoned = true;
  EXPECT_THAT(waits_of(place(state)),
              ElementsAre("j: needs 5 ranks, the workers that take work have 2 slots; away: a; "
                          "cordoned: b"));
}

TEST(PlaceHosts, WhileTooFewTakeWorkNobodyWaitsForIt) {
  State state{.workers = {worker("a", 2), worker("b", 2)},
              .queue = {job("wide", 1, 4), job("narrow", 2)}};
  state.workers[0].cordoned = true;
  EXPECT_THAT(starts_of(place(state)), ElementsAre("narrow>b"));
}

TEST(PlaceHosts, APartOfAGangThatLeavesIsCountedOnEachOfItsWorkers) {
  Job first = job("first", 5, 2), second = job("second", 6, 2);
  first.priority = second.priority = 3;
  const State state{
      .workers = {worker("a", 2), worker("b", 3)},
      .queue = {first, second},
      .attempts = {spread(job("wide", 1, 4), {{"a", 2}, {"b", 2}}), placed(job("x", 2, 1), "b")}};
  const Placement placement = place(state);
  EXPECT_THAT(leaves_of(placement), ElementsAre("wide for first"));
}

TEST(PlaceHosts, TrialsOfASweepHaveGangsOfTheirOwn) {
  const State state{.workers = {worker("a", 2), worker("b", 2), worker("c", 2)},
                    .queue = {trial("x", 1, "bank", 3), trial("y", 2, "bank", 3)}};
  EXPECT_THAT(starts_of(place(state)), ElementsAre("x>a", "y>c"));
}

// Workers that all take work, and jobs for them.
State any_cluster(unsigned seed) {
  std::mt19937 random(seed);
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
  };
  State state;
  const int workers = between(1, 5);
  for (int i = 0; i < workers; ++i) {
    const std::string id(1, static_cast<char>('a' + i));
    state.workers.push_back(worker(id, between(1, 4)));
  }
  const int jobs = between(1, 8);
  for (int i = 0; i < jobs; ++i) {
    state.queue.push_back(job("j" + std::to_string(i), i, between(1, 9)));
    state.queue.back().priority = between(0, 1);
  }
  return state;
}

// By worker.
std::map<std::string, int> free_slots(const State& state) {
  auto used = used_slots(state);
  std::map<std::string, int> free;
  for (const Worker& worker : state.workers) free[worker.id] = worker.slots - used[worker.id];
  return free;
}

// Slots that are free for it, of one worker or together.
int room_for(const Job& job, const State& state) {
  int most = 0, all = 0;
  for (const auto& [id, slots] : free_slots(state)) {
    most = std::max(most, slots);
    all += slots;
  }
  return is_wide(state, job) ? all : most;
}

// The state once those have started that came before the job.
State after_those_before(const Job& job, const State& state, const Placement& placement) {
  State then = state;
  for (const Start& start : placement.starts) {
    if (before(by_id(state.queue, start.job_ids.front()), job)) apply(start, {}, then);
  }
  return then;
}

// Over many states: no worker is given more than it has, no gang has fewer ranks than it asks for,
// one that fits a worker is on one, and the first that waits could not have started.
TEST(PlaceHosts, KeepsItsPromises) {
  size_t wide = 0, waiting = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const State state = any_cluster(seed);
    const Placement placement = place(state);
    for (const Start& start : placement.starts) {
      const Job& started = by_id(state.queue, start.job_ids.front());
      if (!is_wide(state, started)) {
        EXPECT_THAT(start.seats, IsEmpty());
        continue;
      }
      wide += 1;
      int ranks = 0;
      for (const Seat& seat : start.seats) {
        EXPECT_GE(seat.ranks, 1);
        ranks += seat.ranks;
      }
      EXPECT_EQ(ranks, started.ranks);
      EXPECT_EQ(start.seats.front().worker_id, start.worker_id);
    }
    for (const auto& [id, slots] : free_slots(after(state, placement))) EXPECT_GE(slots, 0) << id;
    EXPECT_EQ(placement.starts.size() + placement.waits.size(), state.queue.size());
    if (placement.waits.empty()) continue;
    waiting += 1;
    const Job& first = by_id(state.queue, placement.waits.front().job_id);
    EXPECT_LT(room_for(first, after_those_before(first, state, placement)), first.ranks);
  }
  EXPECT_GT(wide, 500U) << "too few to say much";
  EXPECT_GT(waiting, 500U) << "too few to say much";
}

}  // namespace
}  // namespace prefixmem::scheduler
