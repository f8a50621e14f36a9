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
    using Answer = Result<HttpServer::Answer>;
    const HttpServer::Handler count = [this](const HttpRequest&) -> Answer {
      return HttpServer::Answer(Page{"visit " + std::to_string(++visits_), kPrometheusText});
    };
    const HttpServer::Handler fail = [](const HttpRequest& request) -> Answer {
      const std::string& how = request.parts.at(0);
      return how == "away"      ? unavailable("store is away")
             : how == "missing" ? not_found("no such job")
                                : internal_error("oh");
    };
    const HttpServer::Handler pieces = [this](const HttpRequest& request) -> Answer {
      return HttpStream{"text/event-stream", request.parts.at(1),
                        [this, from = std::atoi(request.last_event_id.c_str())]() mutable {
                          return next_piece(from);
                        }};
    };
    return HttpServer::start(
        {"127.0.0.1", port},
        {{"/metrics", count}, {"/fail/(.*)", fail}, {"/pieces/([a-z]+)/(.*)", pieces}});
  }
  // "1 ", "" (nothing yet), "2 ", …; none after 4.
  Result<std::optional<std::string>> next_piece(int& from) {
    const int piece = ++from;
    if (fail_at_ == piece) return data_loss("torn");
    if (piece > 4) return std::optional<std::string>();
    return std::optional<std::string>(piece == 2 ? "" : std::to_string(piece) + " ");
  }

  std::atomic<int> visits_ = 0;
  std::atomic<int> fail_at_ = 0;
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
}

TEST_F(HttpServerTest, AFailureIsAnAnswerWithItsSentence) {
  const auto server = start();
  httplib::Client client("http://" + (*server)->address());
  const auto away = client.Get("/fail/away");
  EXPECT_EQ(away->status, 503);
  EXPECT_EQ(away->body, "store is away\n");
  EXPECT_EQ(client.Get("/fail/missing")->status, 404);
  EXPECT_EQ(client.Get("/fail/x")->status, 500);
}

TEST_F(HttpServerTest, AStreamComesInPiecesFromWhereTheClientWas) {
  const auto server = start();
  httplib::Client client("http://" + (*server)->address());
  const auto whole = client.Get("/pieces/a/");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->status, 200);
  EXPECT_EQ(whole->body, "1 3 4 ");
  EXPECT_EQ(whole->get_header_value("Content-Type"), "text/event-stream");
  EXPECT_FALSE(whole->has_header("Content-Disposition"));
  const auto rest = client.Get("/pieces/a/f%20g.txt", {{"Last-Event-ID", "3"}});
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->body, "4 ");
  EXPECT_EQ(rest->get_header_value("Content-Disposition"), "attachment; filename=\"f g.txt\"");
}

TEST_F(HttpServerTest, AStreamThatFailsIsBrokenOff) {
  const auto server = start();
  httplib::Client client("http://" + (*server)->address());
  fail_at_ = 3;
  EXPECT_FALSE(client.Get("/pieces/a/")) << "it must not look whole";
  fail_at_ = 0;
  EXPECT_TRUE(client.Get("/pieces/a/"));
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
