#include "worker/agent/gang/roll_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem::agent {
namespace {

using testing::ElementsAre;

class RollCallTest : public testing::Test {
 protected:
  RollCallTest() {
    for (int rank = 0; rank < 3; ++rank) roll_.joined(rank, {100 + rank});
    roll_.begin();
  }
  void waits(int rank, int64_t number, double seconds, const std::string& name = "all_reduce") {
    roll_.answered(rank, {name, number, seconds});
  }
  void is_elsewhere(int rank, int64_t last_call) { roll_.answered(rank, {"", last_call, 0}); }
  std::vector<int> absent() const {
    std::vector<int> ranks;
    const auto hang = roll_.hang();
    for (const auto& one : hang ? hang->absent : std::vector<Hang::Absent>()) {
      ranks.push_back(one.rank);
    }
    return ranks;
  }

  RollCall roll_{Millis(15000)};
};

TEST_F(RollCallTest, NobodyHangsWhereNobodyWaitsForLong) {
  EXPECT_FALSE(roll_.hang()) << "nobody has answered";
  waits(0, 7, 14.9);
  is_elsewhere(1, 6);
  EXPECT_FALSE(roll_.hang()) << "rank 2 is silent, but rank 0 has only begun to wait";
}

TEST_F(RollCallTest, NamesWhoDoesNotAnswer) {
  waits(0, 7, 20);
  waits(1, 7, 1);
  const auto hang = roll_.hang();
  ASSERT_TRUE(hang);
  EXPECT_EQ(hang->call.name, "all_reduce");
  EXPECT_EQ(hang->call.number, 7);
  EXPECT_EQ(hang->call.seconds, 20);
  EXPECT_THAT(absent(), ElementsAre(2)) << "rank 1 came late, but it is there";
  EXPECT_EQ(hang->absent[0].home.pid, 102);
  EXPECT_FALSE(hang->absent[0].said);
  EXPECT_EQ(absent_text(*hang, hang->absent[0], "node7", 'T'),
            "rank 2 on host node7 keeps the others waiting, who have been in all_reduce (call 7) "
            "for 20 s: its process 102 is stopped by a signal and does not answer");
}

TEST_F(RollCallTest, NamesWhoIsElsewhere) {
  waits(0, 7, 16);
  is_elsewhere(1, 6);
  waits(2, 5, 30, "barrier");
  const auto hang = roll_.hang();
  ASSERT_TRUE(hang);
  EXPECT_EQ(hang->call.name, "barrier") << "the longest wait is the first cause";
  EXPECT_TRUE(hang->absent.empty()) << "all have been in call 5";
  waits(2, 5, 1, "barrier");
  EXPECT_THAT(absent(), ElementsAre(1, 2));
  EXPECT_EQ(absent_text(*roll_.hang(), roll_.hang()->absent[0], "h", 'R'),
            "rank 1 on host h keeps the others waiting, who have been in all_reduce (call 7) for "
            "16 s: its process 101 computes and left its last call, number 6");
}

TEST_F(RollCallTest, ACallThatAllAreInHasNobodyMissing) {
  for (int rank = 0; rank < 3; ++rank) waits(rank, 7, 20 + rank);
  const auto hang = roll_.hang();
  ASSERT_TRUE(hang);
  EXPECT_TRUE(hang->absent.empty());
  EXPECT_EQ(endless_text(*hang, "h"),
            "every rank on host h has been in all_reduce (call 7) for 22 s, which does not end: "
            "look at what connects them");
}

TEST_F(RollCallTest, ARoundForgetsTheAnswersBeforeIt) {
  waits(0, 7, 20);
  roll_.begin();
  EXPECT_FALSE(roll_.hang());
}

TEST_F(RollCallTest, WhoHasLeftIsNotMissed) {
  waits(0, 7, 20);
  waits(1, 7, 20);
  roll_.left(2);
  EXPECT_TRUE(absent().empty());
  EXPECT_THAT(roll_.ranks(), ElementsAre(0, 1));
  roll_.answered(2, {"", 1, 0});
}

TEST_F(RollCallTest, WhoDoesNotAnswerForManyRoundsIsSilent) {
  const auto round = [&] {
    waits(0, 7, 1);
    roll_.begin();
  };
  waits(1, 7, 1);
  round();
  round();
  roll_.joined(3, {103});
  EXPECT_FALSE(roll_.silent(3)) << "rank 2 has missed two rounds";
  round();
  ASSERT_TRUE(roll_.silent(3));
  EXPECT_EQ(silent_text(*roll_.silent(3), Millis(40000), "h", 'T'),
            "rank 2 on host h has not answered for 40 s: its process 102 is stopped by a signal");
  waits(2, 7, 1);
  EXPECT_FALSE(roll_.silent(3)) << "it has come back; rank 1 has missed two, rank 3 none";
  round();
  EXPECT_EQ(roll_.silent(3)->rank, 1);
}

TEST_F(RollCallTest, OneRankAloneWaitsForNobody) {
  roll_.left(1);
  roll_.left(2);
  waits(0, 7, 20);
  EXPECT_FALSE(roll_.hang());
}

TEST_F(RollCallTest, AHangIsTheSameWithTheSameRanksMissingInTheSameCall) {
  waits(0, 7, 20);
  const auto first = roll_.hang();
  waits(0, 7, 25);
  EXPECT_TRUE(same_hang(first, roll_.hang()));
  waits(0, 8, 25);
  EXPECT_FALSE(same_hang(first, roll_.hang()));
  waits(0, 7, 25);
  waits(1, 7, 25);
  EXPECT_FALSE(same_hang(first, roll_.hang()));
  EXPECT_FALSE(same_hang(first, std::nullopt));
  EXPECT_TRUE(same_hang(std::nullopt, std::nullopt));
}

TEST_F(RollCallTest, WhoCannotBeAskedIsNotMissed) {
  roll_.joined(3, {103, "far"});
  for (int round = 0; round < 10; ++round) {
    roll_.begin(false);
    for (int rank = 0; rank < 3; ++rank) roll_.answered(rank, {"all_reduce", 5, 20});
  }
  EXPECT_EQ(roll_.asked(), std::vector<int>({0, 1, 2}));
  EXPECT_FALSE(roll_.hang());
  EXPECT_FALSE(roll_.silent(2));
  for (int round = 0; round < 4; ++round) {
    roll_.begin();
    for (int rank = 0; rank < 3; ++rank) roll_.answered(rank, {"all_reduce", 5, 20});
  }
  ASSERT_TRUE(roll_.hang());
  EXPECT_EQ(roll_.hang()->absent.size(), 1U);
  ASSERT_TRUE(roll_.silent(3));
  EXPECT_EQ(silent_text(*roll_.silent(3), Millis(40000), "h", '?'),
            "rank 3 on host far has not answered for 40 s: its process 103 is in an unknown state");
}

}  // namespace
}  // namespace prefixmem::agent
