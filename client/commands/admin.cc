#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/numbers.h"
#include "client/render/table.h"
#include "client/render/text.h"
#include "common/proto/role.h"
#include "common/proto/timestamps.h"

namespace prefixmem::client {
namespace {

struct AdminOptions {
  std::string name;
  std::string role = "viewer";
  int days = 90;
  std::string tenant;
  std::string token;
};

// "revoked", "expired", or how long it still counts.
std::string state_text(const v1::Token& token, int64_t now) {
  if (token.has_revoke_time()) return "revoked";
  const int64_t left = to_unix_millis(from_timestamp(token.expire_time())) - now;
  if (left <= 0) return "expired";
  return "valid for " + short_seconds(static_cast<double>(left) / 1000);
}

Status print_tokens(const google::protobuf::RepeatedPtrField<v1::Token>& tokens, Session& session) {
  Table table({{"token"}, {"name"}, {"role"}, {"tenant"}, {"state"}});
  const int64_t now = to_unix_millis(session.env.clock.wall());
  for (const v1::Token& token : tokens) {
    table.add({token.id(), token.name(), role_name(token.role()), token.tenant(),
               state_text(token, now)});
  }
  return session.print(table.text());
}

// The secret alone goes to stdout, so that it can be put into a file.
Result<int> create(const AdminOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  v1::CreateTokenRequest request;
  request.set_name(options.name);
  request.set_role(*role_from_name(options.role));
  request.set_days(options.days);
  request.set_tenant(options.tenant);
  PM_ASSIGN(const auto made, server->create_token(request));
  if (session.json()) {
    PM_TRY(session.print_json(made));
    return kExitDone;
  }
  PM_TRY(session.print(printable(made.secret()) + "\n"));
  session.note("this is the only sight of token " + made.token().id() + " (" + made.token().name() +
               ", " + options.role + "); it expires in " + std::to_string(options.days) + " days");
  return kExitDone;
}

Result<int> list_tokens(Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto listed, server->tokens());
  PM_TRY(session.json() ? session.print_json(listed) : print_tokens(listed.tokens(), session));
  return kExitDone;
}

Result<int> revoke(const AdminOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto token, server->revoke_token(options.token));
  if (session.json()) PM_TRY(session.print_json(token));
  session.note("token " + token.id() + " (" + token.name() + ") is revoked");
  return kExitDone;
}

}  // namespace

Command add_admin(CLI::App& app) {
  auto options = std::make_shared<AdminOptions>();
  CLI::App* command = app.add_subcommand("admin", "Operate the coordinator");
  CLI::App* tokens = command->add_subcommand("tokens", "Make, list and revoke tokens of users");
  CLI::App* make = tokens->add_subcommand("create", "Make a token and print its secret");
  make->add_option("name", options->name, "Whose it is")->required();
  make->add_option("--role", options->role, "What it allows: viewer, submitter or admin")
      ->check(CLI::IsMember(role_names()))
      ->capture_default_str();
  make->add_option("--days", options->days, "When it expires")
      ->check(CLI::Range(1, kMostTokenDays))
      ->capture_default_str();
  make->add_option("--tenant", options->tenant, "Whose share of the slots its jobs take")
      ->default_str("default");
  CLI::App* show = tokens->add_subcommand("list", "List all tokens");
  CLI::App* take = tokens->add_subcommand("revoke", "Revoke a token at once");
  take->add_option("token", options->token, "Id of a token")->required();
  tokens->require_subcommand(1);
  for (CLI::App* one : {tokens, make, show, take}) one->fallthrough();
  const Command backup = add_backup(*command);
  const Command restore = add_restore(*command);
  command->require_subcommand(1);
  return {command, [=](Session& session) {
            if (backup.app->parsed()) return backup.run(session);
            if (restore.app->parsed()) return restore.run(session);
            if (make->parsed()) return create(*options, session);
            return show->parsed() ? list_tokens(session) : revoke(*options, session);
          }};
}

}  // namespace prefixmem::client
