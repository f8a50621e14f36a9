#include "common/version.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"

namespace prefixmem::client {
namespace {

Result<int> print_version(Session& session) {
  const std::string number(version());
  PM_TRY(session.print(session.json() ? nlohmann::json{{"version", number}}.dump(2) + "\n"
                                      : "pmt " + number + "\n"));
  return kExitDone;
}

}  // namespace

Command add_version(CLI::App& app) {
  return {app.add_subcommand("version", "Print the version of this program"), print_version};
}

}  // namespace prefixmem::client
