#include "client/app.h"

#include <CLI/CLI.hpp>
#include <exception>
#include <map>
#include <ostream>
#include <vector>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/text.h"
#include "common/spec/suggest.h"
#include "common/version.h"

namespace prefixmem::client {
namespace {

const std::map<std::string, Form> kForms = {{"table", Form::kTable},
                                            {"json", Form::kJson},
                                            {"markdown", Form::kMarkdown},
                                            {"csv", Form::kCsv}};

void add_common_options(CLI::App& app, Session& session) {
  app.add_option("--server", session.address, "HOST:PORT of the coordinator")
      ->envname("PREFIXMEM_SERVER")
      ->capture_default_str();
  app.add_option(
         "--tls-ca", session.tls.ca,
         "PEM file of the authority that signed the coordinator's certificate: dial with TLS")
      ->envname("PREFIXMEM_TLS_CA");
  app.add_option("--token-file", session.token_file,
                 "File with the token to show; without it PREFIXMEM_TOKEN in the environment")
      ->envname("PREFIXMEM_TOKEN_FILE");
  app.add_option("--timeout", session.timeout_seconds, "Seconds that a call may take")
      ->check(CLI::Range(0.001, 86400.0))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "-o,--output", [&](const std::string& form) { session.form = kForms.at(form); },
         "table or json; of results also markdown or csv")
      ->check(CLI::IsMember({"table", "json", "markdown", "csv"}))
      ->default_str("table");
}

std::vector<Command> add_commands(CLI::App& app) {
  return {add_submit(app),   add_list(app),       add_show(app),    add_watch(app),
          add_logs(app),     add_trace(app),      add_cancel(app),  add_remove(app),
          add_pin(app),      add_unpin(app),      add_results(app), add_download(app),
          add_workers(app),  add_tenants(app),    add_verify(app),  add_export(app),
          add_diagnose(app), add_benchmarks(app), add_explain(app), add_sweeps(app),
          add_admin(app),    add_models(app),     add_health(app),  add_version(app)};
}

// A wrong command line in one sentence.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  const auto given = app->get_subcommands();
  const auto unknown = app->remaining();
  if (given.empty() && !unknown.empty() && !unknown[0].starts_with('-')) {
    std::vector<std::string_view> names;
    for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(command->get_name());
    }
    return "pmt: \"" + printable(unknown[0]) + "\" is no command; " +
           spec::suggestion(unknown[0], names) + "\n";
  }
  const std::string command = given.empty() ? "" : " " + given[0]->get_name();
  return "pmt: " + printable(error.what()) + " (see pmt" + command + " --help)\n";
}

// Those may be wanted as Markdown and CSV.
bool prints_results(const CLI::App& command) {
  const CLI::Option* results = command.get_option_no_throw("--results");
  return command.get_name() == "results" || (results != nullptr && results->count() > 0);
}

Result<int> run_command(const std::vector<Command>& commands, Session& session) {
  try {
    for (const Command& command : commands) {
      if (!command.app->parsed()) continue;
      const bool plain = session.form == Form::kTable || session.json();
      if (plain || prints_results(*command.app)) return command.run(session);
      return invalid_argument("--output of pmt " + command.app->get_name() +
                              " is neither table nor json; allowed: table, json");
    }
  } catch (const std::exception& error) {
    return internal_error(error.what());
  }
  return internal_error("no command was given");
}

int report(const Result<int>& result, Session& session) {
  if (result.ok()) return *result;
  session.note(result.status().message());
  return exit_code(result.status());
}

}  // namespace

int run_pmt(int argc, const char* const* argv, Environment& environment) {
  Session session(environment);
  CLI::App app("Submits, follows and fetches training jobs of a prefixmem coordinator.", "pmt");
  app.fallthrough();
  app.require_subcommand(1);
  app.set_version_flag("--version", "pmt " + std::string(version()));
  app.failure_message(usage_error);
  add_common_options(app, session);
  const auto commands = add_commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, environment.out, environment.err) == 0 ? kExitDone : kExitUsage;
  }
  return report(run_command(commands, session), session);
}

}  // namespace prefixmem::client
