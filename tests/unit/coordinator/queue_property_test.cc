// The queue that is kept from change to change: what placing over it decides is what placing over a
// copy of all jobs decides that looks at each of them. A failing seed is named and repeats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "coordinator/scheduler/place.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

using testing::ElementsAre;
using Change = Queue::Change;

constexpr Config kConfig{.bank_limit = 3};

// Few kinds, so that many jobs are of one.
Job any_alike(Random& random, int order, int tenants) {
  Job one = job("j" + std::to_string(order), order, 1 + random.below(3), any_device(random));
  one.tenant = std::to_string(random.below(tenants));
  one.priority = random.below(2);
  one.resumes = random.one_in(4);
  if (random.one_in(3)) one.time = {.text = "some", .left = std::chrono::seconds(40)};
  if (random.one_in(3)) {
    one.device = Device::kAuto;
    one.tenant = "0";
    one.priority = one.ranks % 2;
    one.bank = "sweep-" + std::to_string(one.ranks);
  }
  return one;
}

// No two jobs are of one kind, and nothing else is different: a limit of a bank that is above the
// service's says nothing.
State apart(State state) {
  int limit = kConfig.bank_limit;
  for (Job& job : state.queue) job.bank_limit = ++limit;
  return state;
}

// Reasons by job.
std::map<std::string, std::string> reasons_of(const Placement& placement, const Queue& queue) {
  std::map<std::string, std::string> reasons;
  for (const Wait& wait : placement.waits) reasons[wait.job_id] = wait.reason;
  std::set<std::string> started;
  for (const Start& start : placement.starts) {
    started.insert(start.job_ids.begin(), start.job_ids.end());
  }
  for (const WaitBehind& behind : placement.behind) {
    EXPECT_TRUE(reasons.contains(behind.job_id));
    for (const auto& [turn, job] : queue.lines().at(behind.kind)) {
      if (!started.contains(job->id)) reasons.emplace(job->id, behind.reason);
    }
  }
  return reasons;
}

// A cluster in which jobs come, start, end, leave and are cancelled, and workers change, with the
// queue that is kept beside it.
class History {
 public:
  History(unsigned seed, int tenants)
      : random_(seed), tenants_(tenants), state_{.workers = any_workers(random_)} {}

  void step() {
    now_ += std::chrono::seconds(1);
    for (int i = random_.below(6); i > 0; --i) submit(any_alike(random_, ++jobs_, tenants_));
    if (random_.one_in(3)) cancel_some();
    if (random_.one_in(8)) state_.workers = any_workers(random_);
    if (random_.one_in(2)) end_some();
    if (random_.one_in(5)) change_tenants();
  }

  Placement place_kept() { return place(now_, rooms_of(state_), state_.tenants, queue_, kConfig); }
  Placement place_each() const { return place(now_, apart(state_), kConfig); }
  Placement place_copy() const { return place(now_, state_, kConfig); }

  void take_effect(const Placement& placement) {
    note_turns(placement, state_, turns_);
    for (const std::string& id : placement.turns) queue_.put(by_id(state_.queue, id));
    for (const Start& start : placement.starts) {
      for (const std::string& id : start.job_ids) queue_.erase(id);
    }
    state_ = after(state_, placement, now_);
  }

  const Queue& queue() const { return queue_; }
  size_t waiting() const { return state_.queue.size(); }

 private:
  void submit(const Job& job) {
    state_.queue.push_back(job);
    queue_.put(job);
  }

  void cancel_some() {
    if (state_.queue.empty()) return;
    const auto gone = state_.queue.begin() + random_.below(static_cast<int>(state_.queue.size()));
    queue_.erase(gone->id);
    state_.queue.erase(gone);
  }

  // A gang ends or is lost with its worker, and some of its jobs wait again.
  void end_some() {
    if (state_.attempts.empty()) return;
    const size_t index = random_.below(static_cast<int>(state_.attempts.size()));
    const std::string gang = state_.attempts[index].gang;
    for (const Attempt& attempt : state_.attempts) {
      if (attempt.gang != gang || random_.one_in(2)) continue;
      Job again = attempt.job;
      again.resumes = true;
      submit(again);
    }
    std::erase_if(state_.attempts, [&](const Attempt& one) { return one.gang == gang; });
  }

  void change_tenants() {
    if (tenants_ == 1) return;
    state_.tenants.clear();
    for (int i = 0; i < tenants_; ++i) {
      Tenant tenant{.name = std::to_string(i), .weight = 1 + random_.below(3)};
      if (random_.one_in(2)) tenant.slots = 1 + random_.below(9);
      tenant.recent_slots = random_.below(5);
      state_.tenants.push_back(tenant);
    }
  }

  Random random_;
  const int tenants_;
  State state_;
  Queue queue_;
  MonotonicTime now_{};
  int jobs_ = 0;
  int64_t turns_ = 0;
};

void expect_same(const Placement& kept, const Placement& other, const Queue& queue) {
  EXPECT_EQ(starts_of(kept), starts_of(other));
  EXPECT_EQ(leaves_of(kept), leaves_of(other));
  EXPECT_EQ(kept.turns, other.turns);
  std::map<std::string, std::string> reasons;
  for (const Wait& wait : other.waits) reasons[wait.job_id] = wait.reason;
  EXPECT_EQ(reasons_of(kept, queue), reasons);
  for (size_t i = 0; i < std::min(kept.starts.size(), other.starts.size()); ++i) {
    EXPECT_EQ(kept.starts[i].reason, other.starts[i].reason);
    EXPECT_EQ(kept.starts[i].company, other.starts[i].company);
  }
}

TEST(QueueProperty, PlacingOverTheKeptQueueIsPlacingOverAllOfItsJobs) {
  size_t starts = 0, leaves = 0, waits = 0, behind = 0;
  for (unsigned seed = 0; seed < 300 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed, 1);
    for (int round = 0; round < 40 && !testing::Test::HasFailure(); ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      history.step();
      ASSERT_EQ(history.queue().size(), history.waiting());
      const Placement kept = history.place_kept();
      const Placement each = history.place_each();
      expect_same(kept, each, history.queue());
      starts += kept.starts.size();
      leaves += kept.leaves.size();
      waits += each.waits.size();
      behind += each.waits.size() - kept.waits.size();
      history.take_effect(kept);
    }
  }
  EXPECT_GT(starts, 5000u);
  EXPECT_GT(leaves, 200u);
  EXPECT_GT(waits, 20000u);
  EXPECT_GT(behind, waits / 4) << "too few wait behind others of their kind to say much";
}

// Among tenants only the first of each kind counts, so that looking at each says something else.
TEST(QueueProperty, TenantsFindTheKeptQueueAsACopyOfIt) {
  size_t barred = 0;
  for (unsigned seed = 0; seed < 200 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed, 3);
    for (int round = 0; round < 40 && !testing::Test::HasFailure(); ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      history.step();
      const Placement kept = history.place_kept();
      expect_same(kept, history.place_copy(), history.queue());
      for (const Wait& wait : kept.waits) barred += wait.reason.find("quota") != wait.reason.npos;
      history.take_effect(kept);
    }
  }
  EXPECT_GT(barred, 1000u);
}

TEST(Queue, SaysWhatAJobThatComesMayChange) {
  Queue queue;
  EXPECT_EQ(queue.put(job("b", 2)), Change::kFirst);
  EXPECT_EQ(queue.put(job("c", 3)), Change::kBehind);
  EXPECT_EQ(queue.put(job("c", 3)), Change::kNone);
  EXPECT_EQ(queue.put(job("a", 1)), Change::kFirst) << "it comes before the first";
  EXPECT_EQ(queue.put(job("d", 4, 2)), Change::kFirst) << "it is of another kind";
  Job urgent = job("c", 3);
  urgent.priority = 1;
  EXPECT_EQ(queue.put(urgent), Change::kFirst) << "it has changed";
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(queue.lines().size(), 2u);
  std::vector<std::string> ids;
  for (const auto& [turn, one] : queue.lines().at(kind_of(urgent))) ids.push_back(one->id);
  EXPECT_THAT(ids, ElementsAre("c", "a", "b"));
}

TEST(Queue, ForgetsWhatLeaves) {
  Queue queue;
  queue.put(trial("a", 1, "sweep"));
  queue.put(trial("b", 2, "sweep"));
  EXPECT_EQ(queue.of_bank("sweep").size(), 2u);
  queue.erase("a");
  queue.erase("nobody");
  EXPECT_EQ(queue.find("a"), nullptr);
  EXPECT_EQ(queue.find("b")->order, 2);
  EXPECT_EQ(queue.of_bank("sweep").size(), 1u);
  queue.erase("b");
  EXPECT_TRUE(queue.lines().empty());
  EXPECT_TRUE(queue.of_bank("sweep").empty());
}

}  // namespace
}  // namespace prefixmem::scheduler
