#include "common/version.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"

namespace prefixmem::client {
namespace {

Result<int> print_version(Session& session, const std::string& program, const std::string& number) {
  PM_TRY(session.print(session.json() ? nlohmann::json{{"version", number}}.dump(2) + "\n"
                                      : program + " " + number + "\n"));
  return kExitDone;
}

Result<int> print_versions(Session& session, bool coordinator) {
  if (!coordinator) return print_version(session, "pmt", std::string(version()));
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto running, server->version());
  return print_version(session, "pmt-coordinator", running.version());
}

}  // namespace

Command add_version(CLI::App& app) {
  auto coordinator = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("version", "Print the version of this program");
  command->add_flag("--coordinator", *coordinator, "Of the coordinator that runs, instead");
  return {command,
          [coordinator](Session& session) { return print_versions(session, *coordinator); }};
}

}  // namespace prefixmem::client
