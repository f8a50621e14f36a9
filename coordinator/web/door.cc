#include "coordinator/web/door.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "common/proto/role.h"
#include "common/sha256.h"
#include "coordinator/auth/policy.h"
#include "coordinator/auth/token.h"

namespace prefixmem::web {
namespace {

using Method = HttpServer::Method;

constexpr std::string_view kCookie = "pmt_session=";

HttpServer::Answer answer(int status, const std::string& sentence) {
  return Page{sentence + "\n", kPlainText, status};
}

// Of the Cookie header, "a=1; pmt_session=…; b=2"; empty: none.
std::string session_secret_of(const HttpRequest& request) {
  const std::string cookies = "; " + request.header("cookie");
  const std::string wanted = fmt::format("; {}", kCookie);
  const size_t begin = cookies.find(wanted);
  if (begin == cookies.npos) return {};
  const size_t value = begin + wanted.size();
  return cookies.substr(value, cookies.find(';', value) - value);
}

// As a part of an address.
std::string encoded(const std::string& path) {
  std::string text;
  for (const unsigned char c : path) {
    const bool plain = std::isalnum(c) != 0 || std::string_view("/-._~").find(
                                                   static_cast<char>(c)) != std::string_view::npos;
    text += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return text;
}

}  // namespace

Result<Door::User> Door::user_of(const HttpRequest& request) const {
  if (const std::string secret = auth::bearer_of(request.header("authorization"));
      !secret.empty()) {
    PM_ASSIGN(v1::Token token, tokens_->owner(secret));
    return User{std::move(token), sha256_hex(secret), ""};
  }
  const auto session = sessions_.find(session_secret_of(request));
  if (!session) {
    return failed_precondition(
        "this needs a token: sign in at /login, or send Authorization: Bearer TOKEN");
  }
  PM_ASSIGN(v1::Token token, tokens_->owner_of(session->token_digest));
  return User{std::move(token), session->token_digest, session->csrf};
}

HttpServer::Route Door::behind(HttpServer::Route route) {
  HttpServer::Route guarded = route;
  guarded.handler = [this, route = std::move(route)](const HttpRequest& request) {
    return enter(route, request);
  };
  return guarded;
}

HttpServer::Route Door::page(HttpServer::Route route) {
  route.handler = [this, show = std::move(route.handler)](const HttpRequest& request) -> Answer {
    if (tokens_ == nullptr || user_of(request).ok()) return show(request);
    return HttpServer::Answer(
        Page{"", kPlainText, 303, {{"Location", "/login?to=" + encoded(request.path)}}});
  };
  return route;
}

Door::Answer Door::enter(const HttpServer::Route& route, const HttpRequest& request) {
  if (tokens_ == nullptr) {
    Answer made = route.handler(request);
    if (route.method == Method::kPost) {
      write(nullptr, request, code_name(made.status().code()), made.status().message());
    }
    return made;
  }
  const auto user = user_of(request);
  if (!user.ok()) return answer(401, user.status().message());
  return enter_as(*user, route, request);
}

Door::Answer Door::enter_as(const User& user, const HttpServer::Route& route,
                            const HttpRequest& request) {
  const bool changes = route.method == Method::kPost;
  const auth::Access access = changes ? auth::Access::kSubmitter : auth::Access::kViewer;
  if (!auth::allows(user.token.role(), access)) {
    return refuse(user, route, request, auth::refusal(user.token, "this", access));
  }
  if (changes && !user.csrf.empty() && request.header("x-csrf-token") != user.csrf) {
    return refuse(user, route, request,
                  "a change in a session needs the session's X-CSRF-Token, which its pages send");
  }
  Answer made = route.handler(request);
  if (changes) write(&user, request, code_name(made.status().code()), made.status().message());
  auto* stream = made.ok() ? std::get_if<HttpStream>(&*made) : nullptr;
  if (stream != nullptr) {
    stream->next = [this, digest = user.digest,
                    next = std::move(stream->next)]() -> Result<std::optional<std::string>> {
      PM_TRY(tokens_->check(digest));
      return next();
    };
  }
  return made;
}

Door::Answer Door::refuse(const User& user, const HttpServer::Route& route,
                          const HttpRequest& request, const std::string& sentence) {
  if (route.method == Method::kPost) write(&user, request, "PERMISSION_DENIED", sentence);
  return answer(403, sentence);
}

void Door::write(const User* user, const HttpRequest& request, std::string_view code,
                 const std::string& message) {
  AuditEntry entry{.time = clock_.wall(),
                   .who = nlohmann::ordered_json::object(),
                   .method = "HTTP POST",
                   .what = {{"path", request.path}},
                   .code = std::string(code),
                   .message = message};
  if (user != nullptr) entry.who = {{"token", user->token.id()}, {"name", user->token.name()}};
  entry.who["peer"] = request.peer;
  audit_.append(entry);
}

Result<std::string> Door::tenant_of(const HttpRequest& request) const {
  if (tokens_ == nullptr) return std::string(auth::kDefaultTenant);
  PM_ASSIGN(const User user, user_of(request));
  return auth::tenant_of(user.token);
}

Status Door::may_change(const HttpRequest& request, std::string_view what,
                        const std::string& tenant) const {
  if (tokens_ == nullptr) return {};
  PM_ASSIGN(const User user, user_of(request));
  return auth::may_change(user.token, what, tenant);
}

HttpServer::Routes Door::routes() {
  return {{"/api/session", [this](const HttpRequest& request) { return session(request); }},
          {"/api/session", [this](const HttpRequest& request) { return sign_in(request); },
           Method::kPost},
          {"/api/session/end", [this](const HttpRequest& request) { return sign_out(request); },
           Method::kPost}};
}

Door::Answer Door::session(const HttpRequest& request) const {
  nlohmann::ordered_json shown = {
      {"asked", tokens_ != nullptr}, {"name", ""}, {"role", ""}, {"tenant", ""}, {"csrf", ""}};
  if (tokens_ != nullptr) {
    if (const auto user = user_of(request); user.ok()) {
      shown["name"] = user->token.name();
      shown["role"] = role_name(user->token.role());
      shown["tenant"] = auth::tenant_of(user->token);
      shown["csrf"] = user->csrf;
    }
  }
  return HttpServer::Answer(Page{shown.dump() + "\n", "application/json"});
}

HttpServer::Answer Door::with_cookie(const std::string& secret, Millis life) const {
  return Page{
      "{}\n",
      "application/json",
      200,
      {{"Set-Cookie", fmt::format("{}{}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", kCookie,
                                  secret, life.count() / 1000, tls_ ? "; Secure" : "")}}};
}

Door::Answer Door::sign_in(const HttpRequest& request) {
  if (tokens_ == nullptr) return failed_precondition("this coordinator asks nobody who he is");
  const std::string secret = auth::bearer_of(request.header("authorization"));
  const auto owner = tokens_->owner(secret);
  if (!owner.ok()) return answer(401, owner.status().message());
  const User user{*owner, sha256_hex(secret), ""};
  const auto made = sessions_.begin(user.digest);
  write(&user, request, code_name(made.status().code()), made.status().message());
  if (!made.ok()) return made.status();
  return with_cookie(*made, Sessions::kLife);
}

Door::Answer Door::sign_out(const HttpRequest& request) {
  sessions_.end(session_secret_of(request));
  return with_cookie("", Millis(0));
}

}  // namespace prefixmem::web
