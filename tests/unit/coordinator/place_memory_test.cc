// Where jobs start whose ranks need more memory than a slot's share of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/scheduler/memory.h"
#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kGiB = int64_t{1} << 30;

Worker sized(const std::string& id, int slots, int64_t gib, Device device = Device::kCpu) {
  Worker one = worker(id, slots, device);
  one.memory = gib * kGiB;
  return one;
}

// Each rank needs `gib`.
Job needs(const std::string& id, int64_t order, int64_t gib, int ranks = 1) {
  Job one = job(id, order, ranks);
  one.memory.base = gib * kGiB;
  return one;
}

TEST(SchedulerMemory, SlotsDoForRanksExactlyWhereTheirSharesAreEnough) {
  for (int slots = 1; slots <= 5; ++slots) {
    for (const int memory : {0, 7, 20, 23}) {
      Worker on = worker("w", slots);
      on.memory = memory;
      for (int mix = 0; mix < 60; ++mix) {
        const Memory needed{.shared = mix % 5, .base = mix / 5 % 4, .own = mix / 20};
        for (int ranks = 1; ranks <= slots; ++ranks) {
          const int held = slots_for(on, Device::kAuto, needed, ranks);
          EXPECT_GE(held, ranks);
          for (int have = 0; have <= slots; ++have) {
            EXPECT_EQ(held <= have, ranks_for(on, Device::kAuto, needed, have) >= ranks);
          }
          if (memory == 0 || held > slots) continue;
          EXPECT_LE(host_bytes(needed, ranks), int64_t{held} * (memory / slots));
        }
      }
    }
  }
}

TEST(SchedulerMemory, ALateGangHoldsWhatThereIsThoughItNeedsMore) {
  const Worker on = sized("w", 2, 4);
  EXPECT_EQ(slots_for(on, Device::kAuto, {.base = 5 * kGiB}, 1), kNever);
  EXPECT_EQ(slots_held(on, Device::kAuto, {.base = 5 * kGiB}, 1), 2);
  EXPECT_EQ(slots_held(on, Device::kAuto, {}, 3), 3) << "the worker has shrunk";
}

TEST(PlaceMemory, WhoNeedsMoreThanASlotsShareHoldsMoreSlots) {
  const State state{
      .workers = {sized("w", 4, 16)},
      .queue = {needs("a", 1, 5), needs("b", 2, 4), needs("c", 3, 1), needs("d", 4, 1)}};
  const Placement placement = place({}, state, {});
  EXPECT_THAT(starts_of(placement), ElementsAre("a>w", "b>w", "c>w"));
  EXPECT_EQ(placement.starts[0].reason, "1 rank, with the memory of 2 slots, on worker w");
  EXPECT_EQ(placement.starts[1].reason, "1 rank on worker w");
  EXPECT_THAT(waits_of(placement), ElementsAre("d: waits for 1 slot of one worker to be free"));
}

TEST(PlaceMemory, SaysWhatItWaitsFor) {
  const State state{.workers = {sized("w", 4, 16)},
                    .queue = {needs("b", 2, 5, 2)},
                    .attempts = {placed(needs("a", 1, 5), "w")}};
  EXPECT_THAT(waits_of(place({}, state, {})),
              ElementsAre("b: waits for 3 slots of one worker to be free: it needs 10.00 GiB of "
                          "memory"));
}

TEST(PlaceMemory, SaysWhatItWaitsForOnSeveral) {
  const State state{.workers = {sized("v", 4, 16), sized("w", 4, 16)},
                    .queue = {needs("b", 2, 10, 2)},
                    .attempts = {placed(needs("a", 1, 10), "w")}};
  EXPECT_THAT(waits_of(place({}, state, {})),
              ElementsAre("b: waits for slots of several workers for 2 ranks of 10.00 GiB each to "
                          "be free"));
}

TEST(PlaceMemory, RanksOfOneHostShareWeights) {
  Job one = needs("a", 1, 2, 2);
  one.memory.shared = 4 * kGiB;
  const State state{.workers = {sized("w", 4, 16)},
                    .queue = {one, needs("b", 2, 8), needs("c", 3, 1)}};
  EXPECT_THAT(starts_of(place({}, state, {})), ElementsAre("a>w", "b>w"));
}

TEST(PlaceMemory, IsSpreadWhereNoWorkerHasTheMemoryForAllRanks) {
  const State state{.workers = {sized("v", 4, 16), sized("w", 4, 16)},
                    .queue = {needs("a", 1, 10, 2), needs("b", 2, 4)}};
  const Placement placement = place({}, state, {});
  ASSERT_THAT(starts_of(placement), ElementsAre("a>v", "b>v"));
  ASSERT_EQ(placement.starts[0].seats.size(), 2U);
  EXPECT_EQ(placement.starts[0].reason, "2 ranks on 2 workers: 1 on v, 1 on w");
}

TEST(PlaceMemory, ALargeTrialThatCannotComeInKeepsNoSmallOneOut) {
  State state{.workers = {sized("w", 1, 13)}};
  for (int i = 1; i <= 3; ++i) {
    Job one = trial("t" + std::to_string(i), i, "sweep");
    one.memory = {.base = 6 * kGiB, .own = (i == 2 ? 9 : 1) * kGiB};
    state.queue.push_back(one);
  }
  EXPECT_THAT(starts_of(place({}, state, {.bank_limit = 8})), ElementsAre("t1+t3>w"));
}

TEST(PlaceMemory, ReasonsHaveTheNumbers) {
  const auto reason = [](std::vector<Worker> workers, const Job& job) {
    return waits_of(place({}, {.workers = std::move(workers), .queue = {job}}, {})).at(0);
  };
  EXPECT_EQ(reason({sized("v", 1, 8), sized("w", 4, 16)}, needs("a", 1, 20)),
            "a: a rank needs 20.00 GiB of memory, the largest worker has 16.00 GiB");
  EXPECT_EQ(reason({sized("v", 4, 16), sized("w", 4, 16)}, needs("a", 1, 10, 3)),
            "a: needs 3 ranks, the workers that it could run on together have memory for 2");
  Worker away = sized("v", 4, 16);
  away.connected = false;
  EXPECT_EQ(reason({away, sized("w", 4, 16)}, needs("a", 1, 10, 2)),
            "a: needs 2 ranks, the workers that take work have memory for 1; away: v");
  Worker gpus = sized("g", 4, 16, Device::kCuda);
  gpus.gpu_memory = 80 * kGiB;
  Job large = needs("a", 1, 20);
  large.memory.gpu_base = 99 * kGiB;
  EXPECT_EQ(reason({gpus}, large), "a: a rank needs 99.00 GiB of a GPU, the largest has 80.00 GiB");
  EXPECT_EQ(reason({gpus, sized("w", 4, 16)}, large),
            "a: a rank needs 99.00 GiB of a GPU, the largest has 80.00 GiB; without one 20.00 GiB "
            "of memory, the largest worker 16.00 GiB");
}

TEST(PlaceMemory, AGpuIsOneRanks) {
  Worker gpus = sized("g", 4, 16, Device::kCuda);
  gpus.gpu_memory = 80 * kGiB;
  Job fits = needs("a", 1, 99, 4), large = needs("b", 2, 3);
  fits.memory.gpu_base = 70 * kGiB;
  large.memory.gpu_base = 99 * kGiB;
  const State state{.workers = {gpus, sized("w", 4, 16)}, .queue = {fits, large}};
  EXPECT_THAT(starts_of(place({}, state, {})), ElementsAre("a>g", "b>w"))
      << "memory of the host says nothing of a job on its GPUs";
}

TEST(PlaceMemory, WhatIsNotKnownIsNeverTooLittle) {
  const State state{.workers = {worker("w", 2)}, .queue = {needs("a", 1, 99), needs("b", 2, 99)}};
  EXPECT_THAT(starts_of(place({}, state, {})), ElementsAre("a>w", "b>w"));
}

// Of 8 GiB for its first trial, each further one adding 2.
Job in_bank(const std::string& id, int64_t order) {
  Job one = trial(id, order, "sweep");
  one.memory = {.base = 6 * kGiB, .own = 2 * kGiB};
  return one;
}

TEST(PlaceMemory, ABankHoldsAsManyAsTheSlotsOfItsFirstHaveMemoryFor) {
  State state{.workers = {sized("w", 1, 13)}};
  for (int i = 1; i <= 5; ++i) state.queue.push_back(in_bank("t" + std::to_string(i), i));
  const Config config{.bank_limit = 8};
  const Placement placement = place({}, state, config);
  EXPECT_THAT(starts_of(placement), ElementsAre("t1+t2+t3>w"));
  EXPECT_EQ(placement.waits.size(), 2U);
}

TEST(PlaceMemory, NoneJoinsAGangThatWouldNeedMore) {
  State state{.workers = {sized("w", 1, 11)},
              .queue = {in_bank("t2", 2), in_bank("t3", 3)},
              .attempts = {placed(in_bank("t1", 1), "w")}};
  EXPECT_THAT(starts_of(place({}, state, {.bank_limit = 8})), ElementsAre("t2>w in t1"));
}

TEST(PlaceMemory, AGangKeepsWhatItHasBegunWith) {
  State state{.workers = {sized("w", 2, 8)},
              .queue = {needs("b", 2, 1)},
              .attempts = {placed(needs("a", 1, 1), "w")}};
  state.attempts[0].slots = 2;  // a larger trial of it has ended
  EXPECT_THAT(starts_of(place({}, state, {})), IsEmpty());
  state.workers[0] = sized("w", 1, 4);
  EXPECT_THAT(waits_of(place({}, state, {})),
              ElementsAre("b: waits for 1 slot of one worker to be free"));
}

TEST(PlaceMemory, AsManyLeaveAsMakeTheMemory) {
  State state{.workers = {sized("w", 4, 16)}, .queue = {needs("high", 9, 9)}};
  state.queue[0].priority = 1;
  for (int i = 1; i <= 4; ++i) {
    state.attempts.push_back(placed(needs("a" + std::to_string(i), i, 3), "w"));
  }
  EXPECT_THAT(leaves_of(place({}, state, {})),
              ElementsAre("a2 for high", "a3 for high", "a4 for high"));
}

TEST(PlaceMemory, OverSeveralWorkersAsWell) {
  State state{.workers = {sized("v", 2, 8), sized("w", 2, 8)}, .queue = {needs("high", 9, 7, 2)}};
  state.queue[0].priority = 1;
  for (const char* id : {"v", "w"}) {
    state.attempts.push_back(placed(needs(std::string("a-") + id, 1, 3), id));
    state.attempts.push_back(placed(needs(std::string("b-") + id, 1, 3), id));
  }
  state.attempts.pop_back();
  EXPECT_THAT(leaves_of(place({}, state, {})),
              ElementsAre("a-v for high", "a-w for high", "b-v for high"))
      << "those on v each make half the room of a rank";
  state.attempts.erase(state.attempts.begin());
  for (Attempt& attempt : state.attempts) attempt.job.memory.base = 5 * kGiB;
  EXPECT_THAT(leaves_of(place({}, state, {})), ElementsAre("a-w for high", "b-v for high"));
  state.queue[0].memory.base = 9 * kGiB;
  EXPECT_THAT(leaves_of(place({}, state, {})), IsEmpty()) << "it helps not";
}

TEST(PlaceMemory, OneThatRunsOnFewerRanksTakesThoseThatFit) {
  Job elastic = needs("a", 1, 5, 4);
  elastic.least = 1;
  elastic.most = 4;
  const State state{.workers = {sized("w", 4, 16)}, .queue = {elastic}};
  const Placement placement = place({}, state, {});
  ASSERT_THAT(starts_of(placement), ElementsAre("a>w"));
  EXPECT_EQ(placement.starts[0].ranks, 3);
}

TEST(PlaceMemory, OneBehindRunsAheadOnlyOnMemoryThatTheFirstWillNotNeed) {
  State state{.workers = {sized("w", 4, 16)},
              .queue = {needs("head", 2, 9), needs("large", 3, 5), needs("small", 4, 3)},
              .attempts = {placed(needs("a", 1, 7), "w")}};
  EXPECT_THAT(starts_of(place({}, state, {})), ElementsAre("small>w"))
      << "the head needs three slots of four";
  state.attempts[0].job.memory.base = 4 * kGiB;
  state.queue[0].memory.base = 13 * kGiB;
  EXPECT_THAT(starts_of(place({}, state, {})), IsEmpty()) << "it needs all four";
}

}  // namespace
}  // namespace prefixmem::scheduler
