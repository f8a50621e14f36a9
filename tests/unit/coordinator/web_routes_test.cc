// What the HTTP port answers, asked as a browser does.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <httplib.h>

#include <future>

#include "common/files.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageDifferencer;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class WebRoutesTest : public ServedTest {
 protected:
  httplib::Client client() { return httplib::Client("http://" + service_->http_address()); }
  httplib::Result get(const std::string& path) { return client().Get(path.c_str()); }
  httplib::Result post(const std::string& path) {
    const httplib::Headers own = {{"Origin", "http://" + service_->http_address()}};
    return client().Post(path.c_str(), own, "", "text/plain");
  }
  // Ids of the sweep and its first trial.
  std::pair<std::string, std::string> submit_sweep() {
    v1::SubmitJobResponse response;
    const auto status = submit(
        "{name: s, model: /m, data: {train: /d.jsonl, eval: /d.jsonl}, train: {max_steps: 2}, "
        "sweep: {grid: {train.seed: [1, 2]}}}",
        response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.sweep_id(), response.jobs(0).id()};
  }
};

TEST_F(WebRoutesTest, PagesAreFilesOfTheProgram) {
  for (const char* path : {"/", "/jobs/x", "/sweeps/x", "/workers/x"}) {
    const auto page = get(path);
    EXPECT_EQ(page->status, 200) << path;
    EXPECT_EQ(page->get_header_value("Content-Type"), "text/html; charset=utf-8");
    EXPECT_THAT(page->body, StartsWith("<!doctype html>"));
  }
  EXPECT_THAT(get("/assets/chart.min.js")->body, HasSubstr("Chart.js v3"));
  EXPECT_EQ(get("/assets/page.js")->get_header_value("Content-Type"),
            "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/assets/none.js")->status, 404);
}

// An attribute that runs something, or a script in the page, would be dead under the policy that
// every answer carries, and is nobody's of ours.
TEST_F(WebRoutesTest, NoPageHasAScriptOrAStyleInItself) {
  for (const char* path : {"/", "/jobs/x", "/sweeps/x", "/workers/x", "/login"}) {
    const auto page = get(path);
    EXPECT_THAT(page->get_header_value("Content-Security-Policy"),
                HasSubstr("default-src 'none'; script-src 'self'; style-src 'self'"));
    EXPECT_THAT(page->body, Not(ContainsRegex("<style|[ \n]style=|[ \n]on[a-z]+=|javascript:")))
        << path;
    for (size_t at = page->body.find("<script"); at != page->body.npos;
         at = page->body.find("<script", at + 1)) {
      EXPECT_THAT(page->body.substr(at),
                  ContainsRegex("^<script [^>]*src=\"/assets/[^>]*></script>"))
          << path;
    }
  }
}

TEST_F(WebRoutesTest, WithoutTokensNobodyIsAsked) {
  EXPECT_EQ(get("/api/session")->body,
            "{\"asked\":false,\"name\":\"\",\"role\":\"\",\"tenant\":\"\",\"csrf\":\"\"}\n");
  EXPECT_EQ(post("/api/session")->status, 409);
}

TEST_F(WebRoutesTest, AJobIsWhatTheApiSays) {
  const std::string id = submit_one("mine");
  v1::Job shown;
  ASSERT_TRUE(JsonStringToMessage(get("/api/jobs/mine")->body, &shown).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(shown, job(id)));
  EXPECT_THAT(get("/api/jobs/" + id + "/spec")->body, HasSubstr("name: mine\n"));
  const auto missing = get("/api/jobs/nobody");
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(missing->body, "no job has the id or name \"nobody\"\n");
  v1::ListArtifactsResponse files;
  ASSERT_TRUE(JsonStringToMessage(get("/api/jobs/mine/artifacts")->body, &files).ok());
  EXPECT_EQ(files.artifacts_size(), 0);
  EXPECT_EQ(get("/api/jobs/mine/artifacts/adapter/x")->status, 404);
  EXPECT_THAT(get("/api/jobs/mine/live?after=-1")->body,
              HasSubstr("after is \"-1\"; allowed: the number of an event"));
}

TEST_F(WebRoutesTest, ASweepsResultsAreWhatTheApiSays) {
  const auto [id, trial] = submit_sweep();
  v1::SweepResults shown;
  v1::SweepResults told;
  ASSERT_TRUE(JsonStringToMessage(get("/api/sweeps/" + id)->body, &shown).ok());
  v1::GetSweepResultsRequest request;
  request.set_sweep(id);
  ASSERT_TRUE(jobs_->GetSweepResults(call().get(), request, &told).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(shown, told));
  EXPECT_THAT(get("/api/sweeps/" + id + "/spec")->body, HasSubstr("train.seed"));
  EXPECT_EQ(get("/api/sweeps/nobody")->status, 404);
}

TEST_F(WebRoutesTest, AStreamEndsWithTheJob) {
  const std::string id = submit_one();
  auto stream = std::async(std::launch::async, [&] { return get("/api/jobs/" + id + "/live"); });
  ASSERT_EQ(post("/api/jobs/" + id + "/cancel")->status, 200);
  const auto answer = stream.get();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->get_header_value("Content-Type"), "text/event-stream");
  EXPECT_THAT(answer->body, AllOf(HasSubstr("JOB_STATE_CANCELLED"), HasSubstr("event: end")));
}

TEST_F(WebRoutesTest, OpenStreamsDoNotHoldUpTheEnd) {
  std::promise<void> begun;
  auto stream = std::async(std::launch::async, [&, address = service_->http_address()] {
    bool first = true;
    httplib::Client("http://" + address).Get("/api/overview/live", [&](const char*, size_t) {
      if (std::exchange(first, false)) begun.set_value();
      return true;
    });
  });
  begun.get_future().wait();
  service_.reset();
  stream.get();
}

TEST_F(WebRoutesTest, CancelAndResubmit) {
  const std::string id = submit_one("again");
  const auto cancelled = post("/api/jobs/" + id + "/cancel");
  EXPECT_EQ(cancelled->status, 200);
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(*read_file(options_.data_dir / "audit.jsonl"),
              HasSubstr("\"HTTP POST\",\"what\":{\"path\":\"/api/jobs/" + id + "/cancel\"}"));
  const auto twice = post("/api/jobs/" + id + "/cancel");
  EXPECT_EQ(twice->status, 409);
  EXPECT_THAT(twice->body, HasSubstr("has already ended: cancelled"));

  v1::SubmitJobResponse response;
  for (int i = 0; i < 2; ++i) {
    const auto submitted = post("/api/jobs/" + id + "/resubmit?key=k");
    ASSERT_TRUE(JsonStringToMessage(submitted->body, &response).ok()) << submitted->body;
  }
  EXPECT_NE(response.jobs(0).id(), id);
  EXPECT_TRUE(MessageDifferencer::Equals(response.jobs(0).spec(), job(id).spec()));
  v1::ListJobsResponse listed;
  ASSERT_TRUE(jobs_->ListJobs(call().get(), {}, &listed).ok());
  EXPECT_EQ(listed.jobs_size(), 2) << "the key makes the second request the first one";
  EXPECT_THAT(post("/api/jobs/" + id + "/resubmit?key=" + std::string(129, 'k'))->body,
              HasSubstr("key has 129 bytes; allowed: at most 128"));
}

TEST_F(WebRoutesTest, CancelAndResubmitASweep) {
  const auto [id, trial] = submit_sweep();
  EXPECT_EQ(post("/api/sweeps/" + id + "/cancel")->status, 200);
  EXPECT_EQ(job(trial).state(), v1::JOB_STATE_CANCELLED);
  v1::SubmitJobResponse response;
  ASSERT_TRUE(
      JsonStringToMessage(post("/api/sweeps/" + id + "/resubmit?key=k")->body, &response).ok());
  EXPECT_NE(response.sweep_id(), id);
  EXPECT_EQ(response.jobs_size(), 2);
}

TEST_F(WebRoutesTest, PinAndRemove) {
  const std::string id = submit_one();
  ASSERT_EQ(post("/api/jobs/" + id + "/cancel")->status, 200);
  EXPECT_THAT(post("/api/jobs/" + id + "/pin")->body, HasSubstr("\"pinned\":true"));
  EXPECT_TRUE(job(id).pinned());
  const auto refused = post("/api/jobs/" + id + "/remove");
  EXPECT_EQ(refused->status, 409);
  EXPECT_THAT(refused->body, HasSubstr(" is pinned; allowed: "));
  EXPECT_THAT(post("/api/jobs/" + id + "/unpin")->body, HasSubstr("\"pinned\":false"));
  EXPECT_THAT(post("/api/jobs/" + id + "/remove-files")->body, HasSubstr("\"jobs\":0"));
  EXPECT_THAT(post("/api/jobs/" + id + "/remove")->body, HasSubstr("\"jobs\":1"));
  EXPECT_EQ(post("/api/jobs/" + id + "/remove")->status, 404);
  const auto [sweep, trial] = submit_sweep();
  EXPECT_EQ(post("/api/sweeps/" + sweep + "/remove")->status, 409) << "it goes on";
  ASSERT_EQ(post("/api/sweeps/" + sweep + "/cancel")->status, 200);
  EXPECT_EQ(post("/api/sweeps/" + sweep + "/remove-files")->status, 200);
  EXPECT_THAT(post("/api/sweeps/" + sweep + "/remove")->body, HasSubstr("\"jobs\":2"));
  EXPECT_THAT(*read_file(options_.data_dir / "audit.jsonl"),
              HasSubstr("\"path\":\"/api/sweeps/" + sweep + "/remove\"}"));
}

}  // namespace
}  // namespace prefixmem
