#include "worker/agent/hosts/mailbox.h"

#include <gtest/gtest.h>

#include <random>

namespace prefixmem::agent {
namespace {

std::string text_of(const NoteBody& body) { return std::get<RankLine>(body).text; }

MonotonicTime at(int64_t millis) { return MonotonicTime(Millis(millis)); }

class MailboxTest : public testing::Test {
 protected:
  static RankLine line(const std::string& text) { return {.connection = 0, .text = text}; }

  Mailbox here_{{"job-a", 1}, "there", Millis(1000)};
  Mailbox there_{{"job-a", 1}, "here", Millis(1000)};
};

TEST_F(MailboxTest, DeliversInOrderAndIsEmptyOnceAcknowledged) {
  here_.post(line("one"), at(0));
  here_.post(line("two"), at(0));
  auto first = here_.next(at(0));
  auto second = here_.next(at(0));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->key, (AttemptKey{"job-a", 1}));
  EXPECT_EQ(first->worker, "there");
  EXPECT_FALSE(here_.next(at(0)));
  EXPECT_EQ(text_of(*there_.take(*first, at(1))), "one");
  EXPECT_EQ(text_of(*there_.take(*second, at(1))), "two");
  EXPECT_FALSE(here_.empty());
  const auto answer = there_.next(at(2));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->body);
  EXPECT_FALSE(there_.next(at(2))) << "it acknowledges once";
  EXPECT_FALSE(here_.take(*answer, at(3)));
  EXPECT_TRUE(here_.empty());
}

TEST_F(MailboxTest, WhatIsNotAcknowledgedIsSentAgain) {
  here_.post(line("one"), at(0));
  ASSERT_TRUE(here_.next(at(0)));
  EXPECT_FALSE(here_.next(at(999)));
  EXPECT_EQ(here_.unanswered(at(999)), Millis(999));
  const auto again = here_.next(at(1000));
  ASSERT_TRUE(again);
  EXPECT_EQ(text_of(*again->body), "one");
  EXPECT_EQ(here_.unanswered(at(1500)), Millis(1500));
}

TEST_F(MailboxTest, WhatCannotBeSentIsUnansweredToo) {
  here_.post(line("one"), at(100));
  EXPECT_EQ(here_.unanswered(at(9100)), Millis(9000));
}

TEST_F(MailboxTest, ANewWayCarriesEverythingAgain) {
  here_.post(line("one"), at(0));
  here_.post(line("two"), at(0));
  ASSERT_TRUE(here_.next(at(0)));
  here_.rewind();
  EXPECT_EQ(text_of(*here_.next(at(1))->body), "one");
  EXPECT_EQ(text_of(*here_.next(at(1))->body), "two");
  EXPECT_FALSE(here_.next(at(1)));
}

TEST_F(MailboxTest, ARepeatedNoteIsTakenOnceAndAcknowledgedEachTime) {
  here_.post(line("one"), at(0));
  const auto note = here_.next(at(0));
  EXPECT_TRUE(there_.take(*note, at(0)));
  EXPECT_TRUE(there_.next(at(0)));
  EXPECT_FALSE(there_.take(*note, at(0)));
  EXPECT_TRUE(there_.next(at(0)));
}

TEST_F(MailboxTest, ALaterNoteWaitsForTheOneBefore) {
  here_.post(line("one"), at(0));
  here_.post(line("two"), at(0));
  const auto lost = here_.next(at(0));
  EXPECT_FALSE(there_.take(*here_.next(at(0)), at(0)));
  EXPECT_FALSE(here_.take(*there_.next(at(0)), at(0)));
  EXPECT_FALSE(here_.empty());
  EXPECT_EQ(text_of(*there_.take(*here_.next(at(2000)), at(2000))), "one");
  EXPECT_EQ(text_of(*there_.take(*here_.next(at(2000)), at(2000))), "two");
}

// Two mailboxes, and a way between them that loses, repeats and is renewed.
class Correspondence {
 public:
  explicit Correspondence(unsigned seed) : random_(seed) {}

  void write_for(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      if (chance(60)) post(here_, sent_, static_cast<char>('a' + round % 26));
      if (chance(30)) post(there_, sent_back_, 'x');
      if (chance(10)) here_.rewind();
      if (chance(10)) there_.rewind();
      pass(Millis(100));
    }
  }
  bool arrives() {
    for (int round = 0; round < 1000 && !(here_.empty() && there_.empty()); ++round) {
      pass(Millis(1000));
    }
    return came_ == sent_ && came_back_ == sent_back_;
  }

 private:
  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  void post(Mailbox& from, std::string& sent, char letter) {
    from.post(RankLine{.connection = 0, .text = std::string(1, letter)}, now_);
    sent += letter;
  }
  void pass(Millis span) {
    carry(here_, there_, came_);
    carry(there_, here_, came_back_);
    now_ += span;
  }
  void carry(Mailbox& from, Mailbox& to, std::string& came) {
    while (const auto note = from.next(now_)) {
      if (chance(30)) continue;
      for (int copies = chance(20) ? 2 : 1; copies > 0; --copies) {
        if (const auto body = to.take(*note, now_)) came += text_of(*body);
      }
    }
  }

  std::mt19937 random_;
  MonotonicTime now_{};
  Mailbox here_{{"job-a", 1}, "there", Millis(1000)};
  Mailbox there_{{"job-a", 1}, "here", Millis(1000)};
  std::string sent_, came_, sent_back_, came_back_;
};

TEST(Mailboxes, EverythingComesOnceAndInOrderWhateverTheWayDoes) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Correspondence between(seed);
    between.write_for(300);
    EXPECT_TRUE(between.arrives()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace prefixmem::agent
