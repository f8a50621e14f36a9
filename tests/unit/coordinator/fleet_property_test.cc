// What Fleet promises, over random clusters whose allocations wait, break and are taken away. A
// failing seed is named and repeats.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "coordinator/scheduler/fleet.h"
#include "tests/unit/coordinator/random_states.h"

namespace prefixmem::scheduler {
namespace {

constexpr int kClusters = 300;
constexpr int kSeconds = 300;        // with jobs and misfortunes
constexpr int kQuietSeconds = 1800;  // without, in which all that waits is done

Millis seconds(int count) { return std::chrono::seconds(count); }

// One allocation in the batch system, by seconds.
struct Simulated {
  AllocationState state = AllocationState::kPending;
  int starts = 0, boots = 0;           // when it starts, when its worker registers
  int broken = 0;                      // when it ends by itself; 0: it does not
  std::multimap<int, int> gangs = {};  // ranks by end
  bool worker = false, released = false, withdrawn = false;
  int idle_since = 0;

  int used() const {
    int used = 0;
    for (const auto& [end, ranks] : gangs) used += ranks;
    return used;
  }
  bool stays() const { return state != AllocationState::kEnding && !released && !withdrawn; }
};

FleetLimits any_limits(Random& random) {
  FleetLimits limits;
  limits.slots = 1 + random.below(4);
  limits.most = 1 + random.below(6);
  limits.least = random.one_in(2) ? 0 : random.below(limits.most + 1);
  limits.most_pending = 1 + random.below(limits.most);
  limits.idle = seconds(5 + random.below(20));
  limits.start = seconds(20);
  limits.backoff.first = seconds(2);
  limits.backoff.longest = seconds(32);
  return limits;
}

class Cluster {
 public:
  explicit Cluster(unsigned seed) : random_(seed), limits_(any_limits(random_)), fleet_(limits_) {}

  void run() {
    for (; now_ < kSeconds; ++now_) {
      happen(random_.one_in(4));
      go_round();
    }
    for (; now_ < kSeconds + kQuietSeconds; ++now_) {
      happen(false);
      go_round();
    }
    EXPECT_TRUE(queue_.empty()) << "what waits is done";
    EXPECT_EQ(static_cast<int>(there_.size()), limits_.least) << "the rest is given back";
  }

  int submitted() const { return submitted_; }
  int released() const { return released_; }
  int failed() const { return all_failures_; }

 private:
  MonotonicTime time() const { return MonotonicTime(seconds(now_)); }
  bool quiet() const { return now_ >= kSeconds; }

  void happen(bool job_comes) {
    if (job_comes) queue_.push_back(1 + random_.below(limits_.slots));
    for (auto at = there_.begin(); at != there_.end();) {
      at = is_gone(at->second) ? there_.erase(at) : std::next(at);
    }
    for (auto& [id, one] : there_) place(one);
  }

  // Lives on for a second, or has ended.
  bool is_gone(Simulated& one) {
    if (one.state == AllocationState::kEnding) return true;
    if (one.broken > 0 && now_ >= one.broken) return true;
    const bool taken = !quiet() && one.state == AllocationState::kRunning && random_.one_in(80);
    if (taken) {
      for (const auto& [end, ranks] : one.gangs) queue_.push_back(ranks);
      return true;
    }
    if (one.state == AllocationState::kPending && now_ >= one.starts) {
      one.state = AllocationState::kRunning;
      one.withdrawn = false;
    }
    if (one.boots > 0 && now_ >= one.boots && !one.worker) {
      one.worker = true;
      one.idle_since = now_;
    }
    while (!one.gangs.empty() && one.gangs.begin()->first <= now_) {
      one.gangs.erase(one.gangs.begin());
      one.idle_since = now_;
    }
    return false;
  }

  void place(Simulated& one) {
    if (!one.worker || one.released) return;
    std::erase_if(queue_, [&](int ranks) {
      if (one.used() + ranks > limits_.slots) return false;
      one.gangs.emplace(now_ + 1 + random_.below(20), ranks);
      return true;
    });
  }

  void go_round() {
    std::vector<Allocation> listed;
    Demand demand;
    std::map<int, int64_t, std::greater<>> wanted;
    if (!queue_.empty()) waiting_ended_ = now_;
    for (const int ranks : queue_) wanted[ranks] += 1;
    for (const auto& [ranks, gangs] : wanted) demand.wants.push_back({ranks, Device::kAuto, gangs});
    for (const auto& [id, one] : there_) {
      listed.push_back({id, one.state});
      if (!one.worker) continue;
      if (proven_.insert(id).second) failures_ = submits_from_ = 0;
      demand.places.push_back({id, limits_.slots, limits_.slots - one.used(), Device::kCpu,
                               !one.released, !one.gangs.empty()});
    }
    const FleetPlan plan = fleet_.plan(time(), listed, demand);
    if (!plan.failures.empty()) fail();
    check(plan);
    obey(plan);
  }

  void check(const FleetPlan& plan) const {
    const auto count = [&](auto condition) {
      return static_cast<int>(std::count_if(there_.begin(), there_.end(), [&](const auto& entry) {
        return condition(entry.second);
      }));
    };
    const int all = static_cast<int>(there_.size());
    const int pending =
        count([](const auto& one) { return one.state == AllocationState::kPending; });
    const int staying = count([](const auto& one) { return one.stays(); });
    const int coming = count([](const auto& one) { return one.stays() && !one.worker; });
    if (plan.submit > 0) {
      EXPECT_LE(all + plan.submit, limits_.most);
      EXPECT_LE(pending + plan.submit, limits_.most_pending);
      EXPECT_GE(now_, submits_from_) << "not before the back-off is over";
      EXPECT_TRUE(failures_ == 0 || plan.submit == 1);
      const bool too_few = staying < limits_.least;
      EXPECT_TRUE(too_few || coming < static_cast<int>(queue_.size()))
          << "what is coming would do for what waits";
    }
    int going = 0;
    for (const std::string& id : plan.release) {
      const Simulated& one = there_.at(id);
      EXPECT_TRUE(one.gangs.empty()) << id << " is busy";
      EXPECT_GE(seconds(now_ - one.idle_since + 1), limits_.idle) << "as it was last seen busy";
      going += 1;
    }
    for (const std::string& id : plan.withdraw) {
      EXPECT_EQ(there_.at(id).state, AllocationState::kPending);
      going += there_.at(id).withdrawn ? 0 : 1;
    }
    EXPECT_TRUE(going == 0 || staying - going >= limits_.least);
    for (const std::string& id : plan.cancel) {
      const Simulated& one = there_.at(id);
      EXPECT_TRUE(one.released || !one.worker) << id << " is cancelled unasked";
    }
    const int idle = count([&](const auto& one) {
      const int since = std::max(one.idle_since, waiting_ended_);
      return one.stays() && one.worker && one.gangs.empty() &&
             seconds(now_ - since) > limits_.idle + seconds(1);
    });
    EXPECT_LE(idle, limits_.least) << "idle for too long, and still there";
  }

  void obey(const FleetPlan& plan) {
    for (const std::string& id : plan.withdraw) withdraw(id);
    for (const std::string& id : plan.release) {
      ++released_;
      there_.at(id).released = true;
      there_.at(id).state = AllocationState::kEnding;
      fleet_.released(id);
    }
    for (const std::string& id : plan.cancel) there_.at(id).state = AllocationState::kEnding;
    for (int i = 0; i < plan.submit; ++i) {
      if (!quiet() && random_.one_in(8)) {
        fail();
        fleet_.refused(time());
        return;
      }
      submit();
    }
  }

  // It is asked for in vain where the answer is slow.
  void withdraw(const std::string& id) {
    if (random_.one_in(3)) {
      there_.at(id).withdrawn = true;
    } else {
      there_.erase(id);
    }
  }

  void submit() {
    ++submitted_;
    const std::string id = "a" + std::to_string(submitted_);
    Simulated one;
    one.starts = now_ + 1 + random_.below(10);
    one.boots = one.starts + random_.below(8);
    if (!quiet() && random_.one_in(6)) one.boots = 0;
    if (one.boots == 0 && random_.one_in(2)) one.broken = one.starts + random_.below(5);
    there_[id] = one;
    fleet_.submitted(time(), id);
    if (failures_ > 0) hold_back(failures_ - 1);
  }

  void fail() {
    ++all_failures_;
    hold_back(failures_++);
  }
  void hold_back(int failures) { submits_from_ = now_ + std::min(2 << std::min(failures, 10), 32); }

  Random random_;
  const FleetLimits limits_;
  Fleet fleet_;
  int now_ = 1;
  std::vector<int> queue_;  // ranks
  int waiting_ended_ = 0;   // when something waited last
  std::map<std::string, Simulated> there_;
  std::set<std::string> proven_;
  int failures_ = 0, submits_from_ = 0;
  int submitted_ = 0, released_ = 0, all_failures_ = 0;
};

TEST(FleetProperty, KeepsItsLimitsAndDoesWhatWaits) {
  int submitted = 0, released = 0, failed = 0;
  for (unsigned seed = 0; seed < kClusters && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Cluster cluster(seed);
    cluster.run();
    submitted += cluster.submitted();
    released += cluster.released();
    failed += cluster.failed();
  }
  EXPECT_GT(submitted, kClusters * 5) << "too few to say much";
  EXPECT_GT(released, kClusters) << "too few to say much";
  EXPECT_GT(failed, kClusters) << "too few to say much";
}

}  // namespace
}  // namespace prefixmem::scheduler
