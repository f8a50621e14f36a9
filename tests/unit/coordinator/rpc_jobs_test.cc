// JobService as a client sees it.
#include <gmock/gmock.h>

#include <vector>

#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class RpcJobs : public ServedTest {
 protected:
  using Watch = std::unique_ptr<grpc::ClientReader<v1::JobEvent>>;

  Watch watch(grpc::ClientContext& context, const std::string& id, int64_t from = 0) {
    v1::WatchJobRequest request;
    request.set_job(id);
    request.set_from_number(from);
    return jobs_->WatchJob(&context, request);
  }
  // Runs the job to its end at a worker that tells one log line.
  void finish(const std::string& id) {
    TestWorker worker(channel_);
    worker.register_as("w");
    const auto attempt = worker.assignment().id();
    ASSERT_EQ(attempt.job_id(), id);
    v1::TrainerEvent log;
    log.mutable_log()->set_message("hello");
    log.mutable_log()->set_rank(1);
    worker.tell(attempt, 1, log);
    worker.tell_end(attempt, "OK");
    while (true) {
      const auto message = worker.hear();
      if (message.has_end_acknowledged()) break;
      ASSERT_NE(message.message_case(), v1::CoordinatorMessage::MESSAGE_NOT_SET);
    }
  }
};

TEST_F(RpcJobs, SubmitsEitherSpellingAndRefusesNone) {
  v1::SubmitJobRequest request;
  v1::SubmitJobResponse response;
  EXPECT_EQ(jobs_->SubmitJob(call().get(), request, &response).error_code(),
            StatusCode::INVALID_ARGUMENT);
  request.mutable_spec()->set_name("proto");
  request.mutable_spec()->set_model("/m");
  request.mutable_spec()->mutable_data()->set_train("/d.jsonl");
  request.mutable_spec()->mutable_train()->set_max_steps(3);
  const auto status = jobs_->SubmitJob(call().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.jobs(0).spec().train().max_steps(), 3);
  EXPECT_EQ(response.jobs(0).spec().train().global_batch_size(), 8) << "defaults are filled in";
}

TEST_F(RpcJobs, ABadSpecNamesPathValueAndWhatIsAllowed) {
  v1::SubmitJobResponse response;
  const auto status = submit("{name: a, model: /m, train: {learning_rate: -1}}", response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("train.learning_rate is -1; allowed: a number"));
}

TEST_F(RpcJobs, ACheckSaysWhatASubmissionWouldAndStoresNothing) {
  const auto check = [&](const std::string& yaml, v1::CheckJobResponse& response) {
    v1::CheckJobRequest request;
    request.set_yaml(yaml);
    return jobs_->CheckJob(call().get(), request, &response);
  };
  const std::string good = "{name: a, model: /m, data: {train: /d}, train: {max_steps: 3}";
  v1::CheckJobResponse response;
  ASSERT_TRUE(check(good + "}", response).ok());
  EXPECT_EQ(response.jobs(), 1);
  ASSERT_TRUE(check(good + ", sweep: {grid: {train.seed: [1, 2, 3]}}}", response).ok());
  EXPECT_EQ(response.jobs(), 3);
  for (const char* bad :
       {", seed: 1}", ", after: [nobody]}", ", method: {type: lora, init: 'x://y'}}"}) {
    v1::SubmitJobResponse submitted;
    const auto said = check(good + bad, response);
    const auto refused = submit(good + bad, submitted);
    EXPECT_FALSE(said.ok()) << bad;
    EXPECT_EQ(said.error_code(), refused.error_code()) << bad;
    EXPECT_EQ(said.error_message(), refused.error_message()) << bad;
  }
  v1::ListJobsResponse page;
  ASSERT_TRUE(jobs_->ListJobs(call().get(), {}, &page).ok());
  EXPECT_EQ(page.jobs_size(), 0);
}

TEST_F(RpcJobs, ACheckOfASubmissionThatIsRepeatedIsGood) {
  v1::SubmitJobRequest request;
  request.set_yaml(
      "{name: a, model: /m, data: {train: /d}, train: {max_steps: 3}, after: [first]}");
  request.set_idempotency_key("mine");
  submit_one("first");
  v1::SubmitJobResponse submitted;
  ASSERT_TRUE(jobs_->SubmitJob(call().get(), request, &submitted).ok());
  submit_one("first");  // now two jobs have the name
  v1::CheckJobRequest check;
  check.set_yaml(request.yaml());
  v1::CheckJobResponse response;
  EXPECT_FALSE(jobs_->CheckJob(call().get(), check, &response).ok());
  check.set_idempotency_key("mine");
  EXPECT_TRUE(jobs_->CheckJob(call().get(), check, &response).ok());
}

TEST_F(RpcJobs, ALongIdempotencyKeyIsRefused) {
  v1::SubmitJobRequest request;
  v1::SubmitJobResponse response;
  request.set_yaml("name: a");
  request.set_idempotency_key(std::string(129, 'k'));
  const auto status = jobs_->SubmitJob(call().get(), request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("idempotency_key has 129 bytes"));
}

TEST_F(RpcJobs, ListsInPages) {
  for (const char* name : {"a", "b", "c"}) submit_one(name);
  v1::ListJobsRequest request;
  request.set_page_size(2);
  v1::ListJobsResponse page;
  ASSERT_TRUE(jobs_->ListJobs(call().get(), request, &page).ok());
  ASSERT_EQ(page.jobs_size(), 2);
  EXPECT_EQ(page.jobs(0).name(), "c");
  request.set_page_token(page.next_page_token());
  page.Clear();
  ASSERT_TRUE(jobs_->ListJobs(call().get(), request, &page).ok());
  ASSERT_EQ(page.jobs_size(), 1);
  EXPECT_EQ(page.jobs(0).name(), "a");
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(RpcJobs, BadListRequestsNameTheField) {
  const auto refusal = [&](const v1::ListJobsRequest& request) {
    v1::ListJobsResponse page;
    const auto status = jobs_->ListJobs(call().get(), request, &page);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  v1::ListJobsRequest request;
  request.set_page_size(1001);
  EXPECT_THAT(refusal(request), HasSubstr("page_size is 1001"));
  request.Clear();
  request.set_page_token("x");
  EXPECT_THAT(refusal(request), HasSubstr("page_token is \"x\""));
  request.Clear();
  request.add_states(static_cast<v1::JobState>(42));
  EXPECT_THAT(refusal(request), HasSubstr("states holds 42"));
}

TEST_F(RpcJobs, WatchGivesThePastThenThePresentAndEndsWithTheJob) {
  const std::string id = submit_one();
  grpc::ClientContext context;
  const Watch events = watch(context, id);
  v1::JobEvent event;
  ASSERT_TRUE(events->Read(&event));
  EXPECT_EQ(event.state().reason(), "submitted");
  finish(id);
  std::vector<int64_t> numbers = {event.number()};
  while (events->Read(&event)) numbers.push_back(event.number());
  EXPECT_TRUE(events->Finish().ok());
  EXPECT_EQ(event.state().state(), v1::JOB_STATE_SUCCEEDED);
  for (size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], i + 1);
}

TEST_F(RpcJobs, WatchStartsAtANumberAndBeyondTheEndIsEmpty) {
  const std::string id = submit_one();
  finish(id);
  grpc::ClientContext first, second;
  const Watch tail = watch(first, id, 3);
  v1::JobEvent event;
  ASSERT_TRUE(tail->Read(&event));
  EXPECT_EQ(event.number(), 3);
  const Watch beyond = watch(second, id, 1000);
  EXPECT_FALSE(beyond->Read(&event));
  EXPECT_TRUE(beyond->Finish().ok());
}

TEST_F(RpcJobs, AWatchThatIsCancelledEnds) {
  grpc::ClientContext context;
  const Watch events = watch(context, submit_one());
  v1::JobEvent event;
  ASSERT_TRUE(events->Read(&event));
  context.TryCancel();
  while (events->Read(&event)) {
  }
  EXPECT_EQ(events->Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(RpcJobs, AWatcherThatStopsReadingHoldsUpNoOtherAndMissesNothing) {
  grpc::ChannelArguments narrow;  // so that it takes in no event that is not read
  narrow.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16);
  narrow.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto jobs = v1::JobService::NewStub(
      grpc::CreateCustomChannel(service_->grpc_address(), credentials_, narrow));
  v1::WatchJobRequest request;
  request.set_job(submit_one());
  const auto stuck_context = call(), context = call();
  const Watch stuck = jobs->WatchJob(stuck_context.get(), request);
  v1::JobEvent event;
  ASSERT_TRUE(stuck->Read(&event));
  const Watch other = watch(*context, request.job());
  finish(request.job());
  int64_t last = 0;
  while (other->Read(&event)) EXPECT_EQ(event.number(), ++last);
  EXPECT_TRUE(other->Finish().ok());
  EXPECT_GT(last, 3);
  int64_t late = 1;
  while (stuck->Read(&event)) EXPECT_EQ(event.number(), ++late);
  EXPECT_TRUE(stuck->Finish().ok());
  EXPECT_EQ(late, last);
}

TEST_F(RpcJobs, WatchersHearThatTheServiceEnds) {
  grpc::ClientContext context;
  const Watch events = watch(context, submit_one());
  v1::JobEvent event;
  ASSERT_TRUE(events->Read(&event));
  service_->stop();
  while (events->Read(&event)) {
  }
  const auto status = events->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("shutting down"));
}

TEST_F(RpcJobs, AnUnknownJobIsNotFound) {
  grpc::ClientContext context;
  const auto status = watch(context, "nobody")->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("\"nobody\""));
}

TEST_F(RpcJobs, AWatchOfThePastEndsWithIt) {
  const std::string id = submit_one();
  v1::WatchJobRequest request;
  request.set_job(id);
  request.set_past_only(true);
  grpc::ClientContext context;
  const auto events = jobs_->WatchJob(&context, request);
  v1::JobEvent event;
  ASSERT_TRUE(events->Read(&event));
  EXPECT_EQ(event.state().state(), v1::JOB_STATE_QUEUED);
  while (events->Read(&event)) continue;
  EXPECT_TRUE(events->Finish().ok());
}

TEST_F(RpcJobs, LogsEndWithoutFollowAndWithTheJobOtherwise) {
  const std::string id = submit_one();
  v1::StreamLogsRequest request;
  request.set_job(id);
  v1::LogLine line;
  grpc::ClientContext now, followed;
  const auto none = jobs_->StreamLogs(&now, request);
  EXPECT_FALSE(none->Read(&line));
  EXPECT_TRUE(none->Finish().ok());
  request.set_follow(true);
  const auto lines = jobs_->StreamLogs(&followed, request);
  finish(id);
  ASSERT_TRUE(lines->Read(&line));
  EXPECT_EQ(line.message(), "hello");
  EXPECT_EQ(line.rank(), 1);
  EXPECT_EQ(line.attempt(), 1);
  EXPECT_FALSE(lines->Read(&line));
  EXPECT_TRUE(lines->Finish().ok());
}

}  // namespace
}  // namespace prefixmem
