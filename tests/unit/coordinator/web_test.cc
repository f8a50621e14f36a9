// What pages are sent, piece by piece.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "coordinator/web/job_feed.h"
#include "coordinator/web/overview_feed.h"
#include "coordinator/web/sweep_feed.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem::web {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr LiveStream::Pace kPace{.least = Millis(1), .most = Millis(60000)};

// Gives what it is told to, one after the other.
class ScriptedFeed final : public Feed {
 public:
  explicit ScriptedFeed(std::vector<Result<News>> script) : script_(std::move(script)) {}
  Result<News> news() override { return script_.at(at_++); }

 private:
  const std::vector<Result<News>> script_;
  size_t at_ = 0;
};

class WebTest : public CoordinatorTest {
 protected:
  std::unique_ptr<LiveStream> stream(std::unique_ptr<Feed> feed, const std::string& subscribed,
                                     LiveStream::Pace pace = kPace) {
    return std::make_unique<LiveStream>(std::move(feed), pace, coordinator().subscriptions(),
                                        subscribed, closing_);
  }
  std::unique_ptr<LiveStream> scripted(std::vector<Result<News>> script,
                                       LiveStream::Pace pace = kPace) {
    return stream(std::make_unique<ScriptedFeed>(std::move(script)), "x", pace);
  }
  std::unique_ptr<LiveStream> job_stream(const std::string& name, int64_t after = 0) {
    const std::string id = job(name).id();
    return stream(std::make_unique<JobFeed>(coordinator().reader(), id, after), id);
  }
  // All pieces until the end.
  static std::string whole(LiveStream& stream) {
    std::string text;
    while (true) {
      const auto piece = stream.next();
      EXPECT_TRUE(piece.ok()) << piece.status().message();
      if (!piece.ok() || !*piece) return text;
      text += **piece;
    }
  }
  void run_to_its_end(const std::string& name, const std::vector<int64_t>& steps = {1, 2, 3}) {
    submit(name);
    ASSERT_TRUE(connect("w", 1).ok());
    std::vector<v1::TrainerEvent> told;
    for (const int64_t step : steps) told.push_back(step_event(step, steps.back()));
    ASSERT_TRUE(events("w", name + "/1", 1, told).ok());
    ASSERT_TRUE(upload(name + "/1", 3).ok());
    ASSERT_TRUE(ended("w", name + "/1", "OK").ok());
    pass(Millis(100));
  }

  std::atomic<bool> closing_ = false;
};

TEST_F(WebTest, AStreamGivesWhatItsFeedGives) {
  using Then = News::Then;
  const auto events =
      scripted({News{"a", Then::kMore}, News{"", Then::kMore}, News{"b", Then::kEnd}});
  EXPECT_EQ(**events->next(), "a");
  EXPECT_EQ(**events->next(), "");
  EXPECT_EQ(**events->next(), "bevent: end\ndata: {}\n\n");
  EXPECT_FALSE(*events->next());
}

TEST_F(WebTest, AFailureIsTheStreams) {
  EXPECT_EQ(scripted({unavailable("away")})->next().status().code(), Code::kUnavailable);
}

TEST_F(WebTest, WhereNothingIsNewItShowsThatItLives) {
  const auto events = scripted({News{}, News{}}, {.least = Millis(1), .most = Millis(2)});
  EXPECT_THAT(**events->next(), StartsWith(":"));
  EXPECT_THAT(**events->next(), StartsWith(":")) << "after the longest wait";
}

TEST_F(WebTest, AStreamIsWokenByAChange) {
  submit("a");
  const auto events = job_stream("a");
  auto waiting = std::async(std::launch::async, [&] {
    std::string text;
    while (text.find("JOB_STATE_STARTING") == text.npos) text += **events->next();
    return text;
  });
  ASSERT_TRUE(connect("w", 1).ok());
  pass(Millis(100));
  ASSERT_EQ(waiting.wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(WebTest, AStreamEndsWithTheService) {
  submit("a");
  const auto events = job_stream("a");
  auto waiting = std::async(std::launch::async, [&] { return whole(*events); });
  closing_ = true;
  coordinator().subscriptions().notify_all();
  ASSERT_EQ(waiting.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_THAT(waiting.get(), Not(HasSubstr("event: end")));
}

TEST_F(WebTest, AJobIsToldFromItsBeginningToItsEnd) {
  run_to_its_end("a");
  const std::string text = whole(*job_stream("a"));
  EXPECT_THAT(text, StartsWith("event: job\ndata: {\"id\":\"" + job("a").id() + "\""));
  EXPECT_THAT(text, Not(HasSubstr("\"spec\":"))) << "it never changes";
  EXPECT_THAT(text, HasSubstr("event: happened\ndata: {\"job_id\":\"" + job("a").id() +
                              "\",\"number\":\"1\""));
  EXPECT_THAT(text, HasSubstr("\"step\":{\"step\":\"3\",\"total_steps\":\"3\""));
  EXPECT_THAT(text, HasSubstr("event: artifacts\ndata: {\"artifacts\":[{\"path\":"));
  EXPECT_TRUE(text.ends_with("\n\nevent: end\ndata: {}\n\n"));
}

TEST_F(WebTest, AJobIsToldAfterTheLastEventSeen) {
  run_to_its_end("a");
  const auto last = static_cast<int64_t>(history("a").size());
  const std::string number = "\"number\":\"" + std::to_string(last) + "\"";
  EXPECT_THAT(whole(*job_stream("a", last - 1)),
              AllOf(HasSubstr(number), Not(HasSubstr("\"number\":\"1\""))));
  EXPECT_THAT(whole(*job_stream("a", last)),
              AllOf(HasSubstr("event: job"), Not(HasSubstr("event: happened"))));
}

TEST_F(WebTest, OfALongTrainingNotEveryStepIsTold) {
  run_to_its_end("a", {1, 999, 1000, 1001, 1002, 1'000'448, 1'000'449, 1'000'450});
  const std::string text = whole(*job_stream("a"));
  const auto told = [&](int64_t step) {
    return text.find("\"step\":{\"step\":\"" + std::to_string(step) + "\",") != text.npos;
  };
  for (const int64_t step : {1, 999, 1000, 1002, 1'000'448, 1'000'450}) {
    EXPECT_TRUE(told(step)) << step;
  }
  for (const int64_t step : {1001, 1'000'449}) EXPECT_FALSE(told(step)) << step;
}

TEST_F(WebTest, ASweepTellsResultsAndTrials) {
  submit("grid", "sweep: {grid: {train.seed: [1, 2]}}");
  const std::string id = job("grid-1").sweep_id();
  const auto events = stream(std::make_unique<SweepFeed>(coordinator().reader(), id), id);
  const std::string first = **events->next();
  EXPECT_THAT(first, StartsWith("event: results\ndata: {\"sweep\":{\"id\":\"" + id + "\""));
  EXPECT_THAT(first, AllOf(HasSubstr("\nevent: trial\n"), Not(HasSubstr("\"spec\":"))));
  auto waiting = std::async(std::launch::async, [&] { return whole(*events); });
  ASSERT_TRUE(coordinator().cancel_sweep(id).ok());
  ASSERT_EQ(waiting.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  const std::string rest = waiting.get();
  EXPECT_THAT(rest, AllOf(HasSubstr("SWEEP_STATE_CANCELLED"), HasSubstr("JOB_STATE_CANCELLED")));
  EXPECT_TRUE(rest.ends_with("event: end\ndata: {}\n\n"));
}

TEST_F(WebTest, ASweepsSubscriberHearsOfItsTrials) {
  submit("grid", "sweep: {grid: {train.seed: [1, 2]}}");
  int woken = 0;
  const auto handle =
      coordinator().subscriptions().subscribe(job("grid-1").sweep_id(), [&] { ++woken; });
  ASSERT_TRUE(connect("w", 1).ok());
  pass(Millis(100));
  EXPECT_EQ(state("grid-1"), "starting: 1 rank on worker w");
  EXPECT_GT(woken, 0);
}

TEST_F(WebTest, TheOverviewTellsWhatHasChanged) {
  submit("a");
  ASSERT_TRUE(connect("w", 1).ok());
  pass(Millis(100));
  OverviewFeed feed(coordinator());
  const auto first = feed.news();
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(first->text, HasSubstr("event: workers\ndata: {\"workers\":[{\"id\":\"w\""));
  EXPECT_THAT(first->text, HasSubstr("event: counts\ndata: {\"waiting\":1,"));
  EXPECT_THAT(first->text, HasSubstr("event: ended\ndata: {\"jobs\":[]"));
  EXPECT_EQ(feed.news()->text, "");
  ASSERT_TRUE(coordinator().cancel("a").ok());
  const auto second = feed.news();
  EXPECT_THAT(second->text, AllOf(HasSubstr("cancel asked for"), Not(HasSubstr("event: workers"))));
}

}  // namespace
}  // namespace prefixmem::web
