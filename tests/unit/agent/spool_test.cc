#include "worker/agent/spool/spool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "tests/unit/common/temp_folder.h"

namespace prefixmem::agent {
namespace {

LogEvent log_of(int64_t number) { return {0, "info", "event " + std::to_string(number)}; }

class SpoolTest : public testing::Test {
 protected:
  Spool make() { return *Spool::create(file_); }

  // Numbers `first` to `last`, event n arriving n milliseconds after the epoch; ready.
  static void fill(Spool& spool, int64_t first, int64_t last) {
    for (int64_t n = first; n <= last; ++n) {
      ASSERT_TRUE(spool.append(from_unix_millis(n), log_of(n)).ok());
      ASSERT_TRUE(spool.mark_ready().ok());
    }
  }
  static std::vector<std::string> messages(const EventBatch& batch) {
    std::vector<std::string> all;
    for (const auto& e : batch.events) all.push_back(std::get<LogEvent>(e.event).message);
    return all;
  }
  int64_t bytes() const { return static_cast<int64_t>(std::filesystem::file_size(file_)); }

  const TempFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "spool";
};

TEST_F(SpoolTest, NumbersEventsFromOneInTheOrderOfTheirArrival) {
  Spool spool = make();
  fill(spool, 1, 3);
  auto batch = spool.take_batch();
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->first_number, 1);
  EXPECT_EQ(messages(*batch), (std::vector<std::string>{"event 1", "event 2", "event 3"}));
  EXPECT_EQ(batch->events[2].time, from_unix_millis(3));
  EXPECT_TRUE(spool.take_batch()->events.empty());
  fill(spool, 4, 4);
  EXPECT_EQ(spool.take_batch()->first_number, 4);
}

TEST_F(SpoolTest, LetsGoOnlyWhatIsReady) {
  Spool spool = make();
  ASSERT_TRUE(spool.append(from_unix_millis(1), log_of(1)).ok());
  ASSERT_TRUE(spool.append(from_unix_millis(2), log_of(2)).ok());
  EXPECT_TRUE(spool.take_batch()->events.empty());
  EXPECT_TRUE(spool.all_ready_acknowledged());
  EXPECT_EQ(std::get<LogEvent>(**spool.next_unready()).message, "event 1");
  ASSERT_TRUE(spool.mark_ready().ok());
  EXPECT_FALSE(spool.all_ready_acknowledged());
  EXPECT_EQ(messages(*spool.take_batch()), std::vector<std::string>{"event 1"});
  EXPECT_EQ(std::get<LogEvent>(**spool.next_unready()).message, "event 2");
  ASSERT_TRUE(spool.mark_ready().ok());
  EXPECT_FALSE(spool.next_unready()->has_value());
}

TEST_F(SpoolTest, AReplacementKeepsNumberAndTimeAndComesAgainAfterARewind) {
  Spool spool = make();
  fill(spool, 1, 1);
  ASSERT_TRUE(spool.append(from_unix_millis(2), log_of(2)).ok());
  ASSERT_TRUE(spool.mark_ready_as(LogEvent{0, "error", "not uploaded"}).ok());
  for (int round = 0; round < 2; ++round) {
    const auto batch = *spool.take_batch();
    EXPECT_EQ(messages(batch), (std::vector<std::string>{"event 1", "not uploaded"}));
    EXPECT_EQ(batch.events[1].time, from_unix_millis(2));
    spool.rewind();
  }
}

TEST_F(SpoolTest, TellsTheUnacknowledgedAgainAfterARewind) {
  Spool spool = make();
  fill(spool, 1, 5);
  ASSERT_EQ(spool.take_batch()->events.size(), 5u);
  ASSERT_TRUE(spool.acknowledge(2).ok());
  EXPECT_EQ(spool.depth(), 3);
  spool.rewind();
  const auto again = *spool.take_batch();
  EXPECT_EQ(again.first_number, 3);
  EXPECT_EQ(messages(again), (std::vector<std::string>{"event 3", "event 4", "event 5"}));
}

TEST_F(SpoolTest, TakesAnAcknowledgementOfWhatItHasNotSentOnThisConnection) {
  Spool spool = make();
  fill(spool, 1, 5);
  ASSERT_EQ(spool.take_batch()->events.size(), 5u);
  spool.rewind();
  ASSERT_TRUE(spool.acknowledge(4).ok());
  const auto rest = *spool.take_batch();
  EXPECT_EQ(rest.first_number, 5);
  EXPECT_EQ(messages(rest), std::vector<std::string>{"event 5"});
}

TEST_F(SpoolTest, IgnoresOldAcknowledgementsAndThoseOfWhatIsNotReady) {
  Spool spool = make();
  fill(spool, 1, 3);
  ASSERT_TRUE(spool.append(from_unix_millis(4), log_of(4)).ok());
  ASSERT_TRUE(spool.acknowledge(2).ok());
  ASSERT_TRUE(spool.acknowledge(1).ok());
  EXPECT_EQ(spool.depth(), 2);
  ASSERT_TRUE(spool.acknowledge(100).ok());
  EXPECT_EQ(spool.depth(), 1);
  EXPECT_TRUE(spool.has_unready());
}

TEST_F(SpoolTest, EmptiesTheFileWheneverAllIsAcknowledgedAndGoesOnCounting) {
  Spool spool = make();
  fill(spool, 1, 3);
  EXPECT_GT(bytes(), 0);
  ASSERT_TRUE(spool.acknowledge(3).ok());
  EXPECT_TRUE(spool.empty());
  EXPECT_EQ(bytes(), 0);
  fill(spool, 4, 5);
  const auto batch = *spool.take_batch();
  EXPECT_EQ(batch.first_number, 4);
  EXPECT_EQ(messages(batch), (std::vector<std::string>{"event 4", "event 5"}));
}

TEST_F(SpoolTest, HandsOutBatchesUntilTooMuchIsUnacknowledged) {
  Spool spool = make();
  fill(spool, 1, 5000);
  int64_t next = 1;
  while (true) {
    const auto batch = *spool.take_batch();
    if (batch.events.empty()) break;
    EXPECT_EQ(batch.first_number, next);
    EXPECT_LE(batch.events.size(), 256u);
    EXPECT_EQ(std::get<LogEvent>(batch.events.front().event).message,
              "event " + std::to_string(next));
    next += static_cast<int64_t>(batch.events.size());
  }
  EXPECT_EQ(next, 4097);
  ASSERT_TRUE(spool.acknowledge(4000).ok());
  EXPECT_EQ(spool.take_batch()->first_number, 4097);
}

TEST_F(SpoolTest, HoldsEventsOfAnyLength) {
  Spool spool = make();
  const std::string text(900000, 'x');
  ASSERT_TRUE(spool.append(from_unix_millis(1), LogEvent{0, "info", text}).ok());
  ASSERT_TRUE(spool.append(from_unix_millis(2), LogEvent{0, "info", "short"}).ok());
  ASSERT_TRUE(spool.mark_ready().ok());
  ASSERT_TRUE(spool.mark_ready().ok());
  std::vector<std::string> all;
  for (auto batch = *spool.take_batch(); !batch.events.empty(); batch = *spool.take_batch()) {
    for (auto& message : messages(batch)) all.push_back(message);
  }
  EXPECT_EQ(all, (std::vector<std::string>{text, "short"}));
}

TEST_F(SpoolTest, AnAttemptMadeAnewBeginsAtOne) {
  {
    Spool former = make();
    fill(former, 1, 3);
  }
  Spool spool = make();
  EXPECT_TRUE(spool.empty());
  EXPECT_EQ(bytes(), 0);
  fill(spool, 7, 7);
  EXPECT_EQ(spool.take_batch()->first_number, 1);
}

TEST_F(SpoolTest, AFullDiskLeavesNoHalfLine) {
  Spool spool = make();
  fill(spool, 1, 2);
  rlimit former{};
  getrlimit(RLIMIT_FSIZE, &former);
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  rlimit tight = former;
  tight.rlim_cur = static_cast<rlim_t>(bytes()) + 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const Status status = spool.append(from_unix_millis(3), log_of(3));
  setrlimit(RLIMIT_FSIZE, &former);
  signal(SIGXFSZ, ignored);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(file_.string()), std::string::npos) << status.message();
  fill(spool, 3, 3);
  EXPECT_EQ(messages(*spool.take_batch()),
            (std::vector<std::string>{"event 1", "event 2", "event 3"}));
}

TEST_F(SpoolTest, SaysThatItsFileWasCutShort) {
  Spool spool = make();
  fill(spool, 1, 2);
  std::filesystem::resize_file(file_, static_cast<uintmax_t>(bytes()) - 5);
  ASSERT_EQ(spool.take_batch()->events.size(), 1u);
  const auto torn = spool.take_batch();
  EXPECT_EQ(torn.status().code(), Code::kDataLoss);
  EXPECT_NE(torn.status().message().find(file_.string()), std::string::npos);
}

TEST_F(SpoolTest, SaysThatItsFileWasDamaged) {
  Spool spool = make();
  fill(spool, 1, 1);
  std::fstream(file_, std::ios::in | std::ios::out) << "1 {\"lug\"";
  EXPECT_FALSE(spool.take_batch().ok());
}

TEST(Spool, NeedsItsFolder) {
  const auto spool = Spool::create("/nowhere/spool");
  EXPECT_EQ(spool.status().code(), Code::kNotFound);
  EXPECT_NE(spool.status().message().find("/nowhere/spool"), std::string::npos);
}

}  // namespace
}  // namespace prefixmem::agent
