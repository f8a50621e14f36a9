// What the page of a job is made of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>

#include "coordinator/web/event_stream.h"
#include "coordinator/web/job_page.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem::web {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class WebTest : public CoordinatorTest {
 protected:
  std::unique_ptr<EventStream> stream(const std::string& name, int64_t from = 1) {
    return std::make_unique<EventStream>(coordinator().reader(), coordinator().subscriptions(),
                                         job(name).id(), from, closing_);
  }
  // All pieces until the end.
  static std::string whole(EventStream& stream) {
    std::string text;
    while (true) {
      const auto piece = stream.next();
      EXPECT_TRUE(piece.ok()) << piece.status().message();
      if (!piece.ok() || !*piece) return text;
      text += **piece;
    }
  }
  void run_to_its_end(const std::string& name, int64_t total_steps = 10) {
    submit(name);
    ASSERT_TRUE(connect("w", 1).ok());
    std::vector<v1::TrainerEvent> steps;
    for (int64_t step = 1; step <= 3; ++step) steps.push_back(step_event(step, total_steps));
    ASSERT_TRUE(events("w", name + "/1", 1, steps).ok());
    ASSERT_TRUE(ended("w", name + "/1", "OK").ok());
  }

  std::atomic<bool> closing_ = false;
};

TEST_F(WebTest, AStreamHasThePastAndEndsWithTheJob) {
  run_to_its_end("a");
  const std::string text = whole(*stream("a"));
  EXPECT_THAT(text, StartsWith("id: 1\ndata: {\"job_id\":\"" + job("a").id()));
  EXPECT_THAT(text, HasSubstr("\"step\":{\"step\":\"3\",\"total_steps\":\"10\""));
  EXPECT_TRUE(text.ends_with("\n\nevent: end\ndata: {}\n\n"));
}

TEST_F(WebTest, AStreamGoesOnAfterTheLastEventSeen) {
  run_to_its_end("a");
  const auto last = static_cast<int64_t>(history("a").size());
  EXPECT_THAT(whole(*stream("a", last)), StartsWith("id: " + std::to_string(last) + "\n"));
  EXPECT_EQ(whole(*stream("a", last + 1)), "event: end\ndata: {}\n\n");
}

TEST_F(WebTest, AStreamIsWokenByWhatIsNew) {
  submit("a");
  const auto events = stream("a");
  EXPECT_THAT(**events->next(), HasSubstr("JOB_STATE_QUEUED"));
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
  const auto events = stream("a");
  ASSERT_TRUE(events->next().ok());
  auto waiting = std::async(std::launch::async, [&] { return whole(*events); });
  closing_ = true;
  coordinator().subscriptions().notify_all();
  ASSERT_EQ(waiting.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_THAT(waiting.get(), Not(HasSubstr("event: end")));
}

TEST_F(WebTest, OfALongTrainingNotEveryStepIsTold) {
  run_to_its_end("a", 6000);
  const std::string text = whole(*stream("a"));
  EXPECT_THAT(text, HasSubstr("\"step\":{\"step\":\"1\","));
  EXPECT_THAT(text, Not(HasSubstr("\"step\":{\"step\":\"2\",")));
  EXPECT_THAT(text, HasSubstr("\"step\":{\"step\":\"3\","));
}

TEST(FirstEventAfter, IsTheNextOne) {
  EXPECT_EQ(*first_event_after(""), 1);
  EXPECT_EQ(*first_event_after("7"), 8);
  for (const char* text : {"x", "-1", "7x", "99999999999999999999"}) {
    EXPECT_EQ(first_event_after(text).status().code(), Code::kInvalidArgument) << text;
  }
}

TEST_F(WebTest, TheJsonHoldsJobSpecAndFiles) {
  run_to_its_end("a");
  const auto text = job_json(job("a"), {checkpoint(3)});
  ASSERT_TRUE(text.ok());
  const auto json = nlohmann::json::parse(*text);
  EXPECT_EQ(json["job"]["name"], "a");
  EXPECT_THAT(json["spec"].get<std::string>(), HasSubstr("name: a\n"));
  EXPECT_EQ(json["files"][0]["step"], "3");
}

TEST(JobPage, NamesAreText) {
  v1::Job job;
  job.set_id("job-1");
  job.set_name("<script>");
  EXPECT_THAT(job_page(job), HasSubstr("<h1>&lt;script&gt; <small><code>job-1</code>"));
  EXPECT_THAT(job_page(job), Not(HasSubstr("<script>")));
  EXPECT_THAT(job_page(job), HasSubstr("data-job=\"job-1\""));
}

}  // namespace
}  // namespace prefixmem::web
