#include "common/http/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <future>

#include "common/fd.h"
#include "common/files.h"
#include "common/http/same_origin.h"
#include "tests/unit/common/certificates.h"

namespace prefixmem {
namespace {

using testing::HasSubstr;
using testing::Not;
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
      return HttpServer::Answer(
          HttpStream{"text/event-stream", request.parts.at(0),
                     [this, from = request.value("after") == "3" ? 3 : 0]() mutable {
                       return next_piece(from);
                     }});
    };
    return HttpServer::start({"127.0.0.1", port},
                             {{"/metrics", count},
                              {"/fail/(.*)", fail},
                              {"/pieces/(.*)", pieces},
                              {"/change", count, HttpServer::Method::kPost}},
                             {.most_streams = kMostStreams, .tls = tls_});
  }
  // "1 ", "" (nothing yet), "2 ", …; none after 4.
  Result<std::optional<std::string>> next_piece(int& from) {
    const int piece = ++from;
    if (fail_at_ == piece) return data_loss("torn");
    if (piece == hold_at_) gate_.get_future().wait();
    if (piece > 4) return std::optional<std::string>();
    return std::optional<std::string>(piece == 2 ? "" : std::to_string(piece) + " ");
  }

  // What comes back for these bytes, over a connection that stays open, up to `last` at least.
  static std::string exchange(const std::string& address, const std::string& bytes,
                              const std::string& last) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what connect() takes
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    EXPECT_EQ(::send(socket.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    std::string answer, piece(4096, '\0');
    while (answer.find(last) == answer.npos) {
      const ssize_t received = ::recv(socket.get(), piece.data(), piece.size(), 0);
      if (received <= 0) break;
      answer.append(piece, 0, static_cast<size_t>(received));
    }
    return answer;
  }

  tls::ServerFiles tls_;
  std::atomic<int> visits_ = 0;
  static constexpr int kMostStreams = 1;

  std::atomic<int> fail_at_ = 0;
  std::atomic<int> hold_at_ = 0;
  std::promise<void> gate_;
};

TEST_F(HttpServerTest, AChangeSaysHowLongItsBodyIs) {
  const auto server = start();
  ASSERT_TRUE(server.ok());
  const std::string& address = (*server)->address();
  const std::string head = "POST /change HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  EXPECT_THAT(exchange(address, head + "\r\n", "with -d ''\n"),
              testing::AllOf(StartsWith("HTTP/1.1 411 "),
                             HasSubstr("POST has no Content-Length; allowed: 0 where there is")));
  EXPECT_EQ(visits_, 0);
  EXPECT_THAT(exchange(address, head + "Content-Length: 0\r\n\r\n", "\r\n\r\n"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(visits_, 1);
}

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

TEST_F(HttpServerTest, NothingForeignMayRunOnAPage) {
  const auto server = start();
  httplib::Client client("http://" + (*server)->address());
  for (const char* path : {"/metrics", "/fail/x", "/pieces/", "/other"}) {
    const auto answer = client.Get(path);
    ASSERT_TRUE(answer) << path;
    const std::string policy = answer->get_header_value("Content-Security-Policy");
    EXPECT_THAT(policy, StartsWith("default-src 'none'; script-src 'self';")) << path;
    EXPECT_THAT(policy, Not(HasSubstr("unsafe"))) << path;
    EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff") << path;
  }
}

TEST_F(HttpServerTest, AStreamComesInPieces) {
  const auto server = start();
  httplib::Client client("http://" + (*server)->address());
  const auto whole = client.Get("/pieces/");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->status, 200);
  EXPECT_EQ(whole->body, "1 3 4 ");
  EXPECT_EQ(whole->get_header_value("Content-Type"), "text/event-stream");
  EXPECT_FALSE(whole->has_header("Content-Disposition"));
  const auto rest = client.Get("/pieces/f%20g.txt?after=3");
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->body, "4 ");
  EXPECT_EQ(rest->get_header_value("Content-Disposition"), "attachment; filename=\"f g.txt\"");
}

TEST_F(HttpServerTest, AStreamThatFailsIsBrokenOff) {
  const auto server = start();
  httplib::Client client("http://" + (*server)->address());
  fail_at_ = 3;
  EXPECT_FALSE(client.Get("/pieces/")) << "it must not look whole";
  fail_at_ = 0;
  EXPECT_TRUE(client.Get("/pieces/"));
}

TEST_F(HttpServerTest, StreamsAreCounted) {
  const auto server = start();
  hold_at_ = 2;
  std::promise<void> begun;
  auto first = std::async(std::launch::async, [&] {
    httplib::Client client("http://" + (*server)->address());
    std::string body;
    const auto answer = client.Get("/pieces/", [&](const char* data, size_t size) {
      if (body.empty()) begun.set_value();
      body.append(data, size);
      return true;
    });
    return answer ? body : "";
  });
  begun.get_future().wait();
  httplib::Client client("http://" + (*server)->address());
  const auto second = client.Get("/pieces/");
  EXPECT_EQ(second->status, 503);
  EXPECT_EQ(second->body, "1 streams are open; allowed: no more at once\n");
  EXPECT_EQ(client.Get("/metrics")->status, 200);
  hold_at_ = 0;
  gate_.set_value();
  EXPECT_EQ(first.get(), "1 3 4 ");
}

TEST_F(HttpServerTest, OnlyItsOwnPagesMayChangeSomething) {
  const auto server = start();
  const std::string own = "http://" + (*server)->address();
  httplib::Client client(own);
  EXPECT_EQ(client.Get("/change")->status, 404) << "a link must not change anything";
  const auto post = [&](const httplib::Headers& headers) {
    return client.Post("/change", headers, "", "text/plain");
  };
  const auto foreign = post({{"Origin", "http://evil.example"}});
  EXPECT_EQ(foreign->status, 403);
  EXPECT_THAT(foreign->body, HasSubstr("Origin is http://evil.example; allowed: " + own));
  EXPECT_EQ(post({{"Origin", own}, {"Sec-Fetch-Site", "cross-site"}})->status, 403);
  EXPECT_EQ(visits_, 0);
  EXPECT_EQ(post({{"Origin", own}, {"Sec-Fetch-Site", "same-origin"}})->body, "visit 1");
  EXPECT_EQ(post({})->body, "visit 2") << "no browser's";
}

TEST(CheckSameOrigin, ANameThatWasMadeToPointHereIsRefused) {
  const RequestSource rebound{.host = "evil.example:7071", .origin = "http://evil.example:7071"};
  EXPECT_FALSE(check_same_origin(rebound, true).ok());
  EXPECT_TRUE(check_same_origin(rebound, false).ok()) << "a host of that name may serve the pages";
  for (const char* host : {"localhost:1", "127.0.0.1:1", "[::1]:1", "127.1.2.3"}) {
    const RequestSource own{.host = host, .origin = std::string("http://") + host};
    EXPECT_TRUE(check_same_origin(own, true).ok()) << host;
  }
  for (const char* host :
       {"", "127.evil.example", "localhost.evil.example:1", "10.0.0.1", "[::2]"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(CheckSameOrigin, AProxyMaySpeakTls) {
  EXPECT_TRUE(
      check_same_origin({.host = "pm.example", .origin = "https://pm.example"}, false).ok());
  EXPECT_FALSE(check_same_origin({.host = "pm.example", .origin = "null"}, false).ok());
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

class HttpsTest : public HttpServerTest {
 protected:
  void SetUp() override {
    tls_ = authority_.server();
    server_ = start().value();
  }
  httplib::Result get(const Authority& trusted) const {
    httplib::Client client("https://" + server_->address());
    client.set_ca_cert_path(trusted.ca().c_str());
    return client.Get("/metrics");
  }
  static void replace(const std::string& file, const std::string& source) {
    ASSERT_TRUE(write_file_atomic(file, *read_file(source)).ok());
  }

  const Authority authority_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpsTest, AnswersWhoTrustsItsAuthority) {
  const auto answer = get(authority_);
  ASSERT_TRUE(answer) << httplib::to_string(answer.error());
  EXPECT_EQ(answer->body, "visit 1");
}

TEST_F(HttpsTest, WhoTrustsAnotherAuthorityAsksNothing) {
  EXPECT_EQ(get(Authority()).error(), httplib::Error::SSLServerVerification);
  EXPECT_EQ(visits_, 0);
}

TEST_F(HttpsTest, SaysNothingWithoutTls) {
  EXPECT_FALSE(httplib::Client("http://" + server_->address()).Get("/metrics"));
  EXPECT_EQ(visits_, 0);
}

TEST_F(HttpsTest, AKeyOfAnotherCertificateKeepsItFromStarting) {
  authority_.issue("other");
  tls_.key = authority_.key("other");
  const auto refused = start();
  EXPECT_THAT(refused.status().message(), HasSubstr("is not the key of the first certificate"));
}

TEST_F(HttpsTest, FollowsItsFilesOnceTheyMatch) {
  const Authority next;
  next.issue("server");
  EXPECT_FALSE(get(next));
  replace(tls_.cert, next.cert("server"));
  EXPECT_TRUE(get(authority_)) << "the key is still that of the certificate before";
  replace(tls_.key, next.key("server"));
  EXPECT_TRUE(get(next));
  EXPECT_FALSE(get(authority_));
}

}  // namespace
}  // namespace prefixmem
