// Of the simulator itself: it replays, it covers each write, and it finds what is wrong.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "tests/simulation/scenario.h"
#include "tests/simulation/scratch.h"

namespace prefixmem::simulation {
namespace {

class SimulationTest : public testing::Test {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }

  static std::string told(const Outcome& outcome) {
    std::string text = outcome.violation.value_or("");
    for (const std::string& line : outcome.log) text += "\n" + line;
    return text;
  }

 private:
  const Scratch scratch_;
};

TEST_F(SimulationTest, ASeedReplaysExactly) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const Options options{.seed = seed, .folder = Scratch::folder()};
    const Outcome first = run_scenario(options);
    EXPECT_EQ(first.violation, std::nullopt) << told(first);
    EXPECT_GE(first.faults, 20);
    EXPECT_GT(first.jobs, 0);
    EXPECT_EQ(run_scenario(options).digest, first.digest) << "seed " << seed;
  }
}

// A crash before and after every write, truncation, sync and removal of a small scenario, its
// schema's included.
TEST_F(SimulationTest, TheCoordinatorMayDieAtEachOperationOfItsDisk) {
  Options options{.seed = 7, .folder = Scratch::folder()};
  options.submissions = 1;
  options.dies_at = int64_t{1} << 40;
  const Outcome undisturbed = run_scenario(options);
  ASSERT_EQ(undisturbed.violation, std::nullopt) << told(undisturbed);
  ASSERT_EQ(undisturbed.crashes, 0);
  ASSERT_GT(undisturbed.disk_operations, 100);
  for (int64_t at = 1; at <= undisturbed.disk_operations; ++at) {
    for (const bool after : {false, true}) {
      options.dies_at = at;
      options.dies_after = after;
      const Outcome outcome = run_scenario(options);
      ASSERT_EQ(outcome.violation, std::nullopt) << "died " << (after ? "after" : "before")
                                                 << " operation " << at << ": " << told(outcome);
      ASSERT_GE(outcome.crashes, 1);
    }
  }
}

struct Mistake {
  Sabotage sabotage;
  const char* found;  // as what
};

class SabotageTest : public SimulationTest, public testing::WithParamInterface<Mistake> {};

// A disk that lies mostly leaves a store that does not open, and in one of fifty a lost
// promise.
constexpr uint64_t kSeeds = 300;

TEST_P(SabotageTest, IsFound) {
  Options options{.sabotage = GetParam().sabotage, .folder = Scratch::folder()};
  std::string others;
  for (options.seed = 1; options.seed <= kSeeds; ++options.seed) {
    const Outcome outcome = run_scenario(options);
    if (!outcome.violation) continue;
    if (outcome.violation->find(GetParam().found) != std::string::npos) return;
    others += *outcome.violation + "\n";
  }
  ADD_FAILURE() << kSeeds << " seeds do not find that \"" << GetParam().found << "\", but\n"
                << others;
}

INSTANTIATE_TEST_SUITE_P(
    Mistakes, SabotageTest,
    testing::Values(Mistake{Sabotage::kDiskLies, "was promised and is not there"},
                    Mistake{Sabotage::kAgentTellsNothingAgain, "has not come to its end"},
                    Mistake{Sabotage::kAgentSkipsAnEvent, "that its attempt"},
                    Mistake{Sabotage::kAgentGoesOn, "which is not current"},
                    Mistake{Sabotage::kAgentFreesEarly, "runs gangs of"},
                    Mistake{Sabotage::kAgentStartsAnew, "does step 1 in attempt"},
                    Mistake{Sabotage::kAgentTellsStateLate, "its digest is of the state"},
                    Mistake{Sabotage::kAgentSendsBestLate, "its best adapter is not that"}));

}  // namespace
}  // namespace prefixmem::simulation
