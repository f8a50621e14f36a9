// Who may do what over HTTP, and the trace that a change leaves.
//
// Where users are asked who they are, a program shows its token with each request
// (`Authorization: Bearer`). A browser shows it once and has a session for it, which a cookie names
// (HttpOnly, SameSite=Strict). Browsers send cookies with requests that pages of others make, so a
// change in a session also needs the session's X-CSRF-Token, which only a page of this server can
// read.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/http/http_server.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/auth/token_book.h"
#include "coordinator/web/sessions.h"

namespace prefixmem::web {

class Door {
 public:
  // All of it outlives the door. With `tokens` null, nobody is asked who he is. `tls`: its port
  // speaks TLS, so browsers are to show their cookies over nothing else.
  Door(const Clock& clock, const auth::TokenBook* tokens, AuditLog& audit, bool tls)
      : clock_(clock), tokens_(tokens), audit_(audit), tls_(tls), sessions_(clock) {}

  // The same route for those who may take it: a GET for viewers, a POST, of which the audit log has
  // a line, for submitters. Others are answered 401 or 403 with one sentence. A stream breaks off
  // once its user's token no longer counts. The door outlives the route.
  HttpServer::Route behind(HttpServer::Route route);
  // A page: who has not signed in is sent to /login.
  HttpServer::Route page(HttpServer::Route route);

  // GET /api/session        who is signed in, as {"asked", "name", "role", "tenant", "csrf"}
  // POST /api/session       signs in who shows a token as a bearer
  // POST /api/session/end   signs out
  HttpServer::Routes routes();

  // Of what the sender of the request submits. FAILED_PRECONDITION where nobody's token or session
  // is shown.
  Result<std::string> tenant_of(const HttpRequest& request) const;
  // Whether the sender may change `what`, which is of that tenant (auth::may_change); where nobody
  // is asked who he is, everybody may.
  Status may_change(const HttpRequest& request, std::string_view what,
                    const std::string& tenant) const;

 private:
  using Answer = Result<HttpServer::Answer>;
  struct User {
    v1::Token token;
    std::string digest;  // of its secret
    std::string csrf;    // of the session; empty: the request itself shows the token
  };

  // FAILED_PRECONDITION: nobody's token or session.
  Result<User> user_of(const HttpRequest& request) const;
  Answer enter(const HttpServer::Route& route, const HttpRequest& request);
  Answer enter_as(const User& user, const HttpServer::Route& route, const HttpRequest& request);
  Answer refuse(const User& user, const HttpServer::Route& route, const HttpRequest& request,
                const std::string& sentence);
  void write(const User* user, const HttpRequest& request, std::string_view code,
             const std::string& message);
  Answer session(const HttpRequest& request) const;
  Answer sign_in(const HttpRequest& request);
  Answer sign_out(const HttpRequest& request);
  HttpServer::Answer with_cookie(const std::string& secret, Millis life) const;

  const Clock& clock_;
  const auth::TokenBook* const tokens_;
  AuditLog& audit_;
  const bool tls_;
  Sessions sessions_;
};

}  // namespace prefixmem::web
