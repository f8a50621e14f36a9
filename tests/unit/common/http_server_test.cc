#include "common/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>

namespace prefixmem {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HttpServerTest : public testing::Test {
 protected:
  Result<std::unique_ptr<HttpServer>> start(int port = 0) {
    const HttpServer::Handler count = [this]() -> Result<Page> {
      return Page{"visit " + std::to_string(++visits_), kPrometheusText};
    };
    const HttpServer::Handler fail = []() -> Result<Page> { return unavailable("store is away"); };
    return HttpServer::start({"127.0.0.1", port}, {{"/metrics", count}, {"/fail", fail}});
  }

  std::atomic<int> visits_ = 0;
};

TEST_F(HttpServerTest, ServesPages) {
  const auto server = start();
  ASSERT_TRUE(server.ok());
  EXPECT_THAT((*server)->address(), StartsWith("127.0.0.1:"));
  httplib::Client client("http://" + (*server)->address());
  for (int visit = 1; visit <= 2; ++visit) {
    const auto answer = client.Get("/metrics");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "visit " + std::to_string(visit));
    EXPECT_THAT(answer->get_header_value("Content-Type"), HasSubstr("version=0.0.4"));
  }
  EXPECT_EQ(client.Get("/other")->status, 404);
  const auto failed = client.Get("/fail");
  EXPECT_EQ(failed->status, 500);
  EXPECT_EQ(failed->body, "store is away\n");
}

TEST_F(HttpServerTest, APortHasOneServer) {
  const auto first = start();
  const auto address = parse_host_port("x", (*first)->address());
  const auto second = start(address->port);
  EXPECT_EQ(second.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr((*first)->address()));
}

TEST_F(HttpServerTest, EndsRightAfterItsStart) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(start().ok());
}

TEST(ParseHostPort, TakesHostAndPort) {
  EXPECT_EQ(parse_host_port("x", "127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_host_port("x", "h:65535")->host, "h");
}

TEST(ParseHostPort, NamesFlagAndValue) {
  for (const char* text : {"", "h", ":1", "h:", "h:x", "h:-1", "h:65536", "h:1x"}) {
    const Status status = parse_host_port("--metrics", text).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << text;
    EXPECT_THAT(status.message(), HasSubstr("--metrics is " + std::string(text) + "; allowed:"));
  }
}

}  // namespace
}  // namespace prefixmem
