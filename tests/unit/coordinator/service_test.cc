// The program as a whole: ports, options, restarts.
#include "coordinator/service.h"

#include <gmock/gmock.h>
#include <httplib.h>

#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using testing::HasSubstr;

class ServiceTest : public ServedTest {
 protected:
  std::string get(const std::string& path) {
    httplib::Client client("http://" + service_->http_address());
    const auto answer = client.Get(path.c_str());
    EXPECT_TRUE(answer) << path;
    return answer ? answer->body : "";
  }
};

TEST_F(ServiceTest, MetricsCountTheJobs) {
  submit_one();
  EXPECT_THAT(get("/metrics"), HasSubstr("prefixmem_jobs{state=\"queued\"} 1"));
  EXPECT_THAT(get("/metrics"), HasSubstr("method=\"prefixmem.v1.JobService/SubmitJob\""));
}

TEST_F(ServiceTest, ARestartKeepsTheJobs) {
  const std::string id = submit_one();
  service_.reset();
  start();
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(ServiceTest, OneCoordinatorAStore) {
  const auto second = Service::start(options_);
  EXPECT_EQ(second.status().code(), Code::kFailedPrecondition);
}

TEST_F(ServiceTest, ATakenPortIsNamed) {
  ServiceOptions other = options_;
  other.data_dir = folder_.path() / "other";
  other.listen = service_->grpc_address();
  EXPECT_THAT(Service::start(other).status().message(),
              HasSubstr("cannot listen on " + other.listen));
  other.listen = "127.0.0.1:0";
  other.http = service_->http_address();
  EXPECT_THAT(Service::start(other).status().message(),
              HasSubstr("cannot listen on " + other.http));
}

TEST(ServiceOptionsTest, BadValuesAreNamed) {
  const TempFolder folder;
  ServiceOptions good;
  good.data_dir = folder.path() / "data";
  good.listen = good.http = "127.0.0.1:0";
  const auto refusal = [&](auto change) {
    ServiceOptions options = good;
    change(options);
    const Status status = Service::start(options).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(refusal([](auto& o) { o.data_dir = ""; }), HasSubstr("--data-dir is empty"));
  EXPECT_THAT(refusal([](auto& o) { o.listen = "here"; }), HasSubstr("--listen is here"));
  EXPECT_THAT(refusal([](auto& o) { o.http = "127.0.0.1:99999"; }), HasSubstr("--http is"));
  EXPECT_THAT(refusal([](auto& o) { o.lease_seconds = 4; }), HasSubstr("--lease-seconds is 4"));
  EXPECT_THAT(refusal([](auto& o) { o.heartbeat_seconds = 0; }),
              HasSubstr("--heartbeat-seconds is 0"));
  EXPECT_THAT(refusal([](auto& o) { o.max_retries = -1; }), HasSubstr("--max-retries is -1"));
  EXPECT_THAT(refusal([](auto& o) { o.bank_limit = 0; }),
              HasSubstr("--bank-limit is 0; allowed: a number from 1 to 256"));
  EXPECT_THAT(refusal([](auto& o) { o.limits.spec_kib = 0; }), HasSubstr("--max-spec-kib is 0"));
  EXPECT_THAT(refusal([](auto& o) { o.s3.blobs = "files"; }), HasSubstr("--blobs is files"));
  EXPECT_THAT(refusal([](auto& o) { o.s3.endpoint = "http://a"; }),
              HasSubstr("--s3-endpoint is given without --blobs"));
}

}  // namespace
}  // namespace prefixmem
