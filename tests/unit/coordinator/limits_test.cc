#include "coordinator/rpc/limits.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include "prefixmem/v1/content_service.grpc.pb.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem::rpc {
namespace {

using testing::HasSubstr;

class CallerLimitsTest : public testing::Test {
 protected:
  // How many of the next `asked` calls are admitted.
  int admitted(const std::string& caller, int asked) {
    int count = 0;
    for (int i = 0; i < asked; ++i) count += limits_.admit(caller).ok() ? 1 : 0;
    return count;
  }

  FakeClock clock_;
  CallerLimits limits_{clock_, {.calls_per_second = 2, .streams_per_caller = 2}};
};

TEST_F(CallerLimitsTest, TenSecondsWorthMayComeAtOnce) {
  EXPECT_EQ(admitted("alice", 100), 20);
  EXPECT_EQ(limits_.admit("alice").to_string(),
            "RESOURCE_EXHAUSTED: alice makes too many calls; allowed: 2 a second, 20 at once "
            "(--max-calls-per-second of the coordinator)");
}

TEST_F(CallerLimitsTest, InTheLongRunTheRateHolds) {
  admitted("alice", 100);
  int count = 0;
  for (int second = 0; second < 60; ++second) {
    clock_.advance(Millis(1000));
    count += admitted("alice", 10);
  }
  EXPECT_EQ(count, 120);
  clock_.advance(Millis(3'600'000));
  EXPECT_EQ(admitted("alice", 100), 20) << "what was not used is not saved up";
}

TEST_F(CallerLimitsTest, OneCallerTakesNothingFromAnother) {
  admitted("alice", 100);
  EXPECT_EQ(admitted("bob", 100), 20);
}

TEST_F(CallerLimitsTest, CallersThatHaveGoneAreForgotten) {
  admitted("alice", 20);
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(limits_.admit("caller-" + std::to_string(i)).ok());
  }
  EXPECT_EQ(admitted("alice", 1), 0) << "no time has passed: nobody is quiet yet";
  clock_.advance(Millis(11'000));
  EXPECT_EQ(admitted("alice", 100), 20);
}

TEST_F(CallerLimitsTest, StreamsAreCountedWhileTheyLast) {
  auto first = limits_.open_stream("alice");
  const auto second = limits_.open_stream("alice");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(limits_.open_stream("alice").status().to_string(),
            "RESOURCE_EXHAUSTED: alice has 2 streams open; allowed: 2 (--max-streams of the "
            "coordinator)");
  EXPECT_TRUE(limits_.open_stream("bob").ok());
  first->reset();
  EXPECT_TRUE(limits_.open_stream("alice").ok());
}

TEST(Limits, EachFlagSaysWhatIsAllowed) {
  EXPECT_TRUE(check({}).ok());
  EXPECT_EQ(check({.message_mib = 1}).message(),
            "--max-message-mib is 1; allowed: a number from 4 to 1024");
  EXPECT_EQ(check({.message_mib = 4, .spec_kib = 5000}).message(),
            "--max-spec-kib is 5000; allowed: a number from 1 to 4096");
  EXPECT_EQ(check({.calls_per_second = 0}).message(),
            "--max-calls-per-second is 0; allowed: a number from 1 to 1000000");
  EXPECT_EQ(check({.streams_per_caller = 0}).message(),
            "--max-streams is 0; allowed: a number from 1 to 1000000");
}

class LimitedPort : public ServedTest {
 protected:
  void SetUp() override {}
  void start_with(int calls_per_second) {
    options_.limits = {.message_mib = 4,
                       .spec_kib = 2,
                       .calls_per_second = calls_per_second,
                       .streams_per_caller = 2};
    start();
  }
  std::unique_ptr<grpc::ClientReader<v1::JobEvent>> watch(grpc::ClientContext& context,
                                                          const std::string& job) {
    v1::WatchJobRequest request;
    request.set_job(job);
    return jobs_->WatchJob(&context, request);
  }
};

TEST_F(LimitedPort, ASpecThatIsTooLongIsRefused) {
  start_with(1000);
  v1::SubmitJobResponse response;
  const auto status = submit("name: " + std::string(3000, 'x'), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(),
            "the spec has 3006 bytes; allowed: at most 2048 (--max-spec-kib of the coordinator)");
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_name(std::string(3000, 'x'));
  const auto message = jobs_->SubmitJob(call().get(), request, &response);
  EXPECT_EQ(message.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(LimitedPort, AMessageThatIsTooLongIsRefused) {
  start_with(1000);
  v1::SubmitJobResponse response;
  const auto status = submit(std::string(5 << 20, 'x'), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("vs. 4194304"));
}

TEST_F(LimitedPort, ACallerThatAsksTooOftenIsRefused) {
  start_with(1);
  v1::ListWorkersResponse response;
  grpc::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) {
    status = jobs_->ListWorkers(call().get(), {}, &response);
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(),
            "127.0.0.1 makes too many calls; allowed: 1 a second, 10 at once "
            "(--max-calls-per-second of the coordinator)");
}

TEST_F(LimitedPort, ACallerHasSoManyStreamsAtATime) {
  start_with(100000);
  const std::string job = submit_one();
  v1::JobEvent event;
  const auto first = call(), second = call(), third = call();
  const auto one = watch(*first, job), two = watch(*second, job);
  ASSERT_TRUE(one->Read(&event) && two->Read(&event));
  const auto status = watch(*third, job)->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(),
            "127.0.0.1 has 2 streams open; allowed: 2 (--max-streams of the coordinator)");
  first->TryCancel();
  while (one->Read(&event)) continue;
  one->Finish();
  // Its place is free once the server has seen the end, which is a moment later.
  for (bool open = false; !open;) {
    const auto context = call();
    const auto again = watch(*context, job);
    open = again->Read(&event);
    if (open) context->TryCancel();
    while (again->Read(&event)) continue;
    const auto end = again->Finish();
    ASSERT_TRUE(open || end.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
}

TEST_F(LimitedPort, AnUploadIsAStreamOfItsCaller) {
  start_with(100000);
  const std::string job = submit_one();
  v1::JobEvent event;
  const auto first = call(), second = call(), third = call();
  const auto one = watch(*first, job), two = watch(*second, job);
  ASSERT_TRUE(one->Read(&event) && two->Read(&event));
  const auto content = v1::ContentService::NewStub(channel_);
  v1::UploadContentResponse response;
  const auto status = content->UploadContent(third.get(), &response)->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("127.0.0.1 has 2 streams open"));
}

}  // namespace
}  // namespace prefixmem::rpc
