#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/commands/refusals.h"
#include "client/exit_codes.h"
#include "client/render/job_text.h"
#include "client/render/table.h"
#include "common/proto/sweep_state.h"

namespace prefixmem::client {
namespace {

struct PinOptions {
  std::vector<std::string> jobs;
};

Result<int> pin(const PinOptions& options, bool pinned, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  Refusals refusals(session);
  v1::ListJobsResponse changed;
  const auto change = [&](const std::string& wanted) -> Status {
    PM_ASSIGN(const Named named, find_only_named(*server, wanted));
    PM_ASSIGN(const auto jobs, jobs_of(*server, named));
    for (const v1::Job& job : jobs) {
      PM_ASSIGN(*changed.add_jobs(), server->pin(job.id(), pinned));
    }
    if (named.job) return {};
    const auto sweep = server->sweep(named.sweep_id);
    if (sweep.ok() && !has_ended(sweep->state())) {
      session.note("sweep " + named.sweep_id + " goes on: trials that it begins later are not " +
                   (pinned ? "pinned" : "looked at"));
    }
    return {};
  };
  for (const std::string& wanted : options.jobs) refusals.add(change(wanted));
  if (session.json()) {
    PM_TRY(session.print_json(changed));
  } else {
    Table table({{"job"}, {"name"}, {"state"}, {"pinned"}});
    for (const v1::Job& job : changed.jobs()) {
      table.add({job.id(), job.name(), state_name(job.state()), job.pinned() ? "yes" : "no"});
    }
    PM_TRY(session.print(table.empty() ? "" : table.text()));
  }
  PM_TRY(refusals.first());
  return kExitDone;
}

Command add(CLI::App& app, bool pinned, const char* name, const char* about) {
  auto options = std::make_shared<PinOptions>();
  CLI::App* command = app.add_subcommand(name, about);
  command->add_option("jobs", options->jobs, "Job ids, job names, sweep ids or sweep names")
      ->required();
  return {command, [=](Session& session) { return pin(*options, pinned, session); }};
}

}  // namespace

Command add_pin(CLI::App& app) {
  return add(app, true, "pin", "Keep jobs and their files: they are neither removed nor grow old");
}

Command add_unpin(CLI::App& app) { return add(app, false, "unpin", "Take a pin back"); }

}  // namespace prefixmem::client
