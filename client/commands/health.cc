#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"

namespace prefixmem::client {
namespace {

Result<int> check_health(Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_TRY(server->check_health());
  PM_TRY(session.print(session.json() ? nlohmann::json{{"serving", true}}.dump(2) + "\n"
                                      : server->address() + " takes calls\n"));
  return kExitDone;
}

}  // namespace

Command add_health(CLI::App& app) {
  return {app.add_subcommand("health", "Say whether the coordinator takes calls"), check_health};
}

}  // namespace prefixmem::client
