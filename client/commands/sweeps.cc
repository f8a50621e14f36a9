#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/json.h"
#include "client/render/numbers.h"
#include "client/render/table.h"
#include "common/proto/sweep_state.h"
#include "common/proto/timestamps.h"

namespace prefixmem::client {
namespace {

struct SweepsOptions {
  int limit = 100;
};

// "asha"; of a sweep without a space "grid".
std::string search_text(const v1::SweepSpec& sweep) {
  if (sweep.space().empty()) return "grid";
  switch (sweep.search().type_case()) {
    case v1::SearchSpec::kGrid:
      return "grid";
    case v1::SearchSpec::kTpe:
      return "tpe";
    case v1::SearchSpec::kAsha:
      return "asha";
    case v1::SearchSpec::kHyperband:
      return "hyperband";
    case v1::SearchSpec::kPbt:
      return "pbt";
    default:
      return "random";
  }
}

std::string age_text(const v1::Sweep& sweep, const Session& session) {
  const int64_t now = to_unix_millis(session.env.clock.wall());
  const int64_t then = to_unix_millis(from_timestamp(sweep.create_time()));
  return short_seconds(static_cast<double>(now - then) / 1000);
}

Table table_of(const v1::ListSweepsResponse& response, const Session& session) {
  Table table({{"sweep"},
               {"name"},
               {"state"},
               {"search"},
               {"waiting", Align::kRight},
               {"running", Align::kRight},
               {"finished", Align::kRight},
               {"stopped", Align::kRight},
               {"failed", Align::kRight},
               {"age", Align::kRight},
               {"reason"}});
  for (const v1::Sweep& sweep : response.sweeps()) {
    const v1::TrialCounts& trials = sweep.trials();
    table.add({sweep.id(), sweep.name(), state_name(sweep.state()),
               search_text(sweep.spec().sweep()), std::to_string(trials.waiting()),
               std::to_string(trials.running()), std::to_string(trials.succeeded()),
               std::to_string(trials.cancelled()), std::to_string(trials.failed()),
               age_text(sweep, session), sweep.reason()});
  }
  return table;
}

Result<int> sweeps(const SweepsOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  v1::ListSweepsRequest request;
  request.set_page_size(options.limit);
  PM_ASSIGN(const auto response, server->sweeps(request));
  if (session.json()) {
    PM_ASSIGN(const std::string text, json_document(response));
    PM_TRY(session.print(text));
  } else {
    PM_TRY(session.print(table_of(response, session).text()));
    if (!response.next_page_token().empty()) {
      session.note("there are more than these " + std::to_string(response.sweeps_size()) +
                   " sweeps; --limit asks for more");
    }
  }
  return kExitDone;
}

}  // namespace

Command add_sweeps(CLI::App& app) {
  auto options = std::make_shared<SweepsOptions>();
  CLI::App* command = app.add_subcommand("sweeps", "List sweeps, the newest first");
  command->add_option("--limit", options->limit, "Most sweeps to list")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  return {command, [options](Session& session) { return sweeps(*options, session); }};
}

}  // namespace prefixmem::client
