// What those who bring workers are told of the queue.
#include "coordinator/scheduler/demand.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class DemandTest : public testing::Test {
 protected:
  Demand demand() const {
    const Queue queue(state_.queue);
    return demand_of(rooms_of(state_), state_.tenants, queue, {.bank_limit = 4});
  }
  // "gangs x ranks", on what.
  std::vector<std::string> wants() const {
    std::vector<std::string> texts;
    for (const Want& want : demand().wants) {
      const char* device = want.device == Device::kCuda ? " cuda" : "";
      texts.push_back(fmt::format("{} x {}{}", want.gangs, want.ranks, device));
    }
    return texts;
  }
  Job& add(Job job) { return state_.queue.emplace_back(std::move(job)); }

  State state_;
};

TEST_F(DemandTest, WhatIsAlikeIsCountedTogether) {
  EXPECT_THAT(wants(), IsEmpty());
  add(job("a", 1, 2));
  add(job("b", 2, 2)).time = {.text = "1h", .left = Millis(3'600'000)};
  add(job("c", 3, 4));
  add(job("d", 4, 1, Device::kCuda));
  EXPECT_THAT(wants(), ElementsAre("1 x 4", "2 x 2", "1 x 1 cuda"));
}

TEST_F(DemandTest, WhatNeedsOtherMemoryIsNotAlike) {
  add(job("a", 1));
  add(job("b", 2)).memory.base = 5;
  add(job("c", 3)).memory.base = 5;
  EXPECT_THAT(wants(), ElementsAre("2 x 1", "1 x 1"));
  EXPECT_EQ(demand().wants.front().memory.base, 5);
  state_.workers = {worker("w", 4)};
  state_.workers[0].memory = 16;
  EXPECT_EQ(demand().places.front().memory, 16);
}

TEST_F(DemandTest, FewerRanksWillDoWhereAJobSaysSo) {
  Job& elastic = add(job("a", 1, 8));
  elastic.least = 2;
  elastic.most = 8;
  EXPECT_THAT(wants(), ElementsAre("1 x 2"));
}

TEST_F(DemandTest, TrialsShareGangs) {
  for (int i = 0; i < 9; ++i) add(trial("t" + std::to_string(i), i, "sweep", 2));
  EXPECT_THAT(wants(), ElementsAre("3 x 2"));
  for (Job& job : state_.queue) job.bank_limit = 2;
  EXPECT_THAT(wants(), ElementsAre("5 x 2"));
}

TEST_F(DemandTest, WhatAQuotaKeepsWaitingIsNotWanted) {
  state_.workers = {worker("w", 4)};
  state_.tenants = {{.name = "bounded", .slots = 4},
                    {.name = "full", .stored_bytes = 9, .most_stored_bytes = 9}};
  Job running = job("r", 1, 1);
  running.tenant = "bounded";
  state_.attempts = {placed(running, "w")};
  for (int i = 0; i < 5; ++i) add(job("b" + std::to_string(i), 2 + i, 2)).tenant = "bounded";
  add(job("f", 9, 1)).tenant = "full";
  EXPECT_THAT(wants(), ElementsAre("1 x 2"));
}

TEST_F(DemandTest, TellsOfEveryWorkerThatIsNotLost) {
  state_.workers = {worker("a", 4), worker("b", 2, Device::kCuda), worker("c", 8)};
  state_.workers[0].allocation = "slurm:7";
  state_.workers[1].draining = true;
  state_.workers[2].lost = true;
  state_.attempts = {placed(job("r", 1, 3), "a")};
  const auto places = demand().places;
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0].allocation, "slurm:7");
  EXPECT_EQ(places[0].free, 1);
  EXPECT_TRUE(places[0].busy && places[0].takes_work);
  EXPECT_EQ(places[1].device, Device::kCuda);
  EXPECT_FALSE(places[1].busy || places[1].takes_work);
}

}  // namespace
}  // namespace prefixmem::scheduler
