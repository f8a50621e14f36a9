// The pages behind the same tokens as the gRPC port.
#include <gmock/gmock.h>
#include <httplib.h>

#include <future>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/unit/coordinator/tokens.h"

namespace prefixmem {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

class Pages : public Tokens {
 protected:
  std::string address() const { return "http://" + service_->http_address(); }
  httplib::Result get(const std::string& path, const httplib::Headers& headers = {}) const {
    return httplib::Client(address()).Get(path.c_str(), headers);
  }
  // As a browser that shows a page of this server.
  httplib::Result post(const std::string& path, httplib::Headers headers) const {
    headers.emplace("Origin", address());
    return httplib::Client(address()).Post(path.c_str(), headers, "", "text/plain");
  }
  static httplib::Headers bearer(const std::string& secret) {
    return {{"Authorization", "Bearer " + secret}};
  }
  // "pmt_session=…" of a new session.
  std::string sign_in(const std::string& secret) const {
    const auto answer = post("/api/session", bearer(secret));
    EXPECT_EQ(answer->status, 200) << answer->body;
    const std::string cookie = answer->get_header_value("Set-Cookie");
    return cookie.substr(0, cookie.find(';'));
  }
  nlohmann::json session(const std::string& cookie) const {
    return nlohmann::json::parse(get("/api/session", {{"Cookie", cookie}})->body);
  }
  httplib::Headers in_session(const std::string& cookie) const {
    return {{"Cookie", cookie}, {"X-CSRF-Token", session(cookie)["csrf"].get<std::string>()}};
  }
};

TEST_F(Pages, AStrangerSeesNothingButWhereToSignIn) {
  const std::string id = submit_one();
  for (const std::string& path :
       {std::string("/metrics"), std::string("/api/overview/live"), "/api/jobs/" + id,
        "/api/jobs/" + id + "/live", "/api/jobs/" + id + "/spec"}) {
    const auto answer = get(path);
    EXPECT_EQ(answer->status, 401) << path;
    EXPECT_THAT(answer->body, HasSubstr("this needs a token")) << path;
  }
  EXPECT_EQ(get("/api/jobs/" + id, bearer("pmt_none"))->body,
            "the token is none of this coordinator's\n");
  const auto page = get("/jobs/a%2520b");  // a page named "a%20b"
  EXPECT_EQ(page->status, 303);
  EXPECT_EQ(page->get_header_value("Location"), "/login?to=/jobs/a%20b")
      << "encoded once, and decoded by this client";
  EXPECT_EQ(get("/login")->status, 200);
  EXPECT_EQ(get("/assets/login.js")->status, 200);
  EXPECT_EQ(post("/api/jobs/" + id + "/cancel", {})->status, 401);
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(Pages, AProgramShowsItsTokenEachTime) {
  const std::string viewer = create("scraper", v1::ROLE_VIEWER).secret();
  EXPECT_THAT(get("/metrics", bearer(viewer))->body, HasSubstr("prefixmem_queue_depth"));
}

TEST_F(Pages, ABrowserHasASession) {
  const std::string id = submit_one();
  const std::string secret = create("alice", v1::ROLE_SUBMITTER).secret();
  const auto answer = post("/api/session", bearer(secret));
  ASSERT_EQ(answer->status, 200);
  const std::string cookie = answer->get_header_value("Set-Cookie");
  EXPECT_THAT(cookie, ContainsRegex("^pmt_session=[0-9a-f]+; Path=/; Max-Age=43200; HttpOnly; "
                                    "SameSite=Strict$"));
  EXPECT_EQ(cookie.find(secret), cookie.npos) << "it is a secret of its own";
  const std::string shown = cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(get("/jobs/x", {{"Cookie", "other=1; " + shown}})->status, 200);
  EXPECT_EQ(get("/api/jobs/" + id, {{"Cookie", shown}})->status, 200);
  EXPECT_EQ(session(shown)["name"], "alice");
  EXPECT_EQ(session(shown)["role"], "submitter");
  EXPECT_EQ(session("pmt_session=0")["name"], "");
  EXPECT_EQ(get("/jobs/x", {{"Cookie", "x" + shown}})->status, 303);
}

TEST_F(Pages, AChangeInASessionNeedsWhatOnlyItsPagesKnow) {
  const std::string id = submit_one();
  const std::string cookie = sign_in(create("alice", v1::ROLE_SUBMITTER).secret());
  const std::string path = "/api/jobs/" + id + "/cancel";
  const std::string other = sign_in(create("bob", v1::ROLE_SUBMITTER).secret());
  for (const std::string& shown :
       {std::string(), std::string("guess"), session(other)["csrf"].get<std::string>()}) {
    const auto answer = post(path, {{"Cookie", cookie}, {"X-CSRF-Token", shown}});
    EXPECT_EQ(answer->status, 403);
    EXPECT_THAT(answer->body, HasSubstr("X-CSRF-Token"));
  }
  httplib::Headers elsewhere = in_session(cookie);
  elsewhere.emplace("Origin", "http://elsewhere.example");
  EXPECT_EQ(httplib::Client(address()).Post(path.c_str(), elsewhere, "", "text/plain")->status,
            403);
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(post(path, in_session(cookie))->status, 200);
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(Pages, AViewerOnlyLooks) {
  const std::string id = submit_one();
  const auto made = create("carol", v1::ROLE_VIEWER);
  for (const httplib::Headers& shown :
       {bearer(made.secret()), in_session(sign_in(made.secret()))}) {
    const auto answer = post("/api/jobs/" + id + "/cancel", shown);
    EXPECT_EQ(answer->status, 403);
    EXPECT_EQ(answer->body, "token " + made.token().id() +
                                " (carol) has the role viewer; this needs submitter or admin\n");
  }
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(Pages, ChangesAreInTheAuditLogWithWhoMadeThem) {
  const std::string id = submit_one();
  const auto alice = create("alice", v1::ROLE_SUBMITTER);
  post("/api/jobs/" + id + "/cancel", {});
  post("/api/jobs/" + id + "/cancel", in_session(sign_in(alice.secret())));
  post("/api/jobs/" + id + "/cancel", bearer(create("carol", v1::ROLE_VIEWER).secret()));
  std::vector<std::string> lines;
  std::istringstream text(*read_file(options_.data_dir / "audit.jsonl"));
  for (std::string line; std::getline(text, line);) {
    if (line.find("HTTP POST") != line.npos) lines.push_back(line);
  }
  ASSERT_EQ(lines.size(), 3u) << "what a stranger tries is not written";
  EXPECT_THAT(lines[0], HasSubstr("/api/session\""));
  EXPECT_THAT(lines[1],
              AllOf(HasSubstr("\"token\":\"" + alice.token().id()),
                    HasSubstr("/api/jobs/" + id + "/cancel"), HasSubstr("\"code\":\"OK\"")));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("carol"), HasSubstr("PERMISSION_DENIED")));
}

TEST_F(Pages, ARevokedTokenEndsItsSessionsAndTheirStreams) {
  const auto made = create("alice", v1::ROLE_VIEWER);
  const std::string cookie = sign_in(made.secret());
  std::promise<void> begun;
  auto stream = std::async(std::launch::async, [&] {
    bool first = true;
    return httplib::Client(address()).Get("/api/overview/live", {{"Cookie", cookie}},
                                          [&](const char*, size_t) {
                                            if (std::exchange(first, false)) begun.set_value();
                                            return true;
                                          });
  });
  begun.get_future().wait();
  ASSERT_TRUE(revoke(made.token().id()).ok());
  EXPECT_FALSE(stream.get()) << "it broke off";
  EXPECT_THAT(get("/api/overview/live", {{"Cookie", cookie}})->body, HasSubstr("was revoked at"));
  EXPECT_EQ(session(cookie)["name"], "");
}

TEST_F(Pages, SigningOutEndsTheSession) {
  const std::string cookie = sign_in(create("alice", v1::ROLE_VIEWER).secret());
  const auto out = post("/api/session/end", {{"Cookie", cookie}});
  EXPECT_THAT(out->get_header_value("Set-Cookie"), HasSubstr("pmt_session=; Path=/; Max-Age=0"));
  EXPECT_EQ(session(cookie)["name"], "");
  EXPECT_EQ(get("/", {{"Cookie", cookie}})->status, 303);
}

TEST_F(Pages, WhatIsSubmittedAgainIsOfItsSubmittersTenant) {
  const std::string id = submit_one();
  const auto made = create("alice", v1::ROLE_SUBMITTER, "vision");
  const auto answer =
      post("/api/jobs/" + id + "/resubmit?key=k", in_session(sign_in(made.secret())));
  ASSERT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(nlohmann::json::parse(answer->body)["jobs"][0]["tenant"], "vision");
}

TEST_F(Pages, WhatIsOfAnotherTenantIsStoppedByAdminsAlone) {
  const std::string id = submit_one();
  const std::string path = "/api/jobs/" + id + "/cancel";
  const auto alice = create("alice", v1::ROLE_SUBMITTER, "vision");
  const auto answer = post(path, in_session(sign_in(alice.secret())));
  EXPECT_EQ(answer->status, 409);
  EXPECT_THAT(answer->body, HasSubstr("(alice) is of tenant vision and job " + id +
                                      " of tenant default; only an admin changes"));
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(post(path, in_session(sign_in(admin_secret_)))->status, 200);
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_CANCELLED);
}

class PagesOverTls : public Pages {
 protected:
  void SetUp() override {
    options_.http_tls = true;
    Pages::SetUp();
  }
};

TEST_F(PagesOverTls, TheCookieIsForTlsAlone) {
  const std::string secret = create("alice", v1::ROLE_SUBMITTER).secret();
  httplib::Client client("https://" + service_->http_address());
  client.set_ca_cert_path(authority_.ca().c_str());
  const auto answer = client.Post("/api/session", bearer(secret), "", "text/plain");
  ASSERT_TRUE(answer) << httplib::to_string(answer.error());
  EXPECT_THAT(answer->get_header_value("Set-Cookie"), HasSubstr("; SameSite=Strict; Secure"));
}

TEST_F(PagesOverTls, NothingIsAnsweredWithoutIt) { EXPECT_FALSE(get("/metrics")); }

}  // namespace
}  // namespace prefixmem
