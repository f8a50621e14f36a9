#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/commands/refusals.h"
#include "client/exit_codes.h"
#include "client/render/numbers.h"

namespace prefixmem::client {
namespace {

struct RemoveOptions {
  std::vector<std::string> jobs;
  bool files_only = false;
};

// Removes jobs and counts what went.
class Remover {
 public:
  Remover(Server& server, Session& session, bool files_only)
      : server_(server), refusals_(session), files_only_(files_only) {}

  void remove(const std::string& wanted) {
    const auto named = find_named(server_, wanted);
    if (!named.ok()) return refusals_.add(named.status());
    if (named->job) return count(server_.remove_job(named->job->id(), files_only_));
    const auto removed = server_.remove_sweep(named->sweep_id, files_only_);
    if (removed.status().code() != Code::kNotFound) return count(removed);
    remove_jobs_of(*named);
  }

  const v1::Removed& removed() const { return removed_; }
  const Status& refusal() const { return refusals_.first(); }

 private:
  // Of a store from before sweeps were kept: there are only its jobs.
  void remove_jobs_of(const Named& named) {
    const auto jobs = jobs_of(server_, named);
    if (!jobs.ok()) return refusals_.add(jobs.status());
    for (const v1::Job& job : *jobs) count(server_.remove_job(job.id(), files_only_));
  }

  void count(const Result<v1::Removed>& more) {
    if (!more.ok()) return refusals_.add(more.status());
    removed_.set_jobs(removed_.jobs() + more->jobs());
    removed_.set_files(removed_.files() + more->files());
    removed_.set_bytes(removed_.bytes() + more->bytes());
  }

  Server& server_;
  Refusals refusals_;
  const bool files_only_;
  v1::Removed removed_;
};

std::string counted(int count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

Result<int> remove(const RemoveOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  Remover remover(*server, session, options.files_only);
  for (const std::string& wanted : options.jobs) remover.remove(wanted);
  const v1::Removed& removed = remover.removed();
  if (session.json()) {
    PM_TRY(session.print_json(removed));
  } else {
    PM_TRY(session.print(fmt::format(
        "removed {}{} of {}\n", options.files_only ? "" : counted(removed.jobs(), "job") + " and ",
        counted(removed.files(), "file"), short_bytes(removed.bytes()))));
  }
  PM_TRY(remover.refusal());
  return kExitDone;
}

}  // namespace

Command add_remove(CLI::App& app) {
  auto options = std::make_shared<RemoveOptions>();
  CLI::App* command =
      app.add_subcommand("rm", "Remove jobs that have ended, with their events, logs and files");
  command->add_option("jobs", options->jobs, "Job ids, job names, sweep ids or sweep names")
      ->required();
  command->add_flag("--files", options->files_only,
                    "Only the files that they have in the store; results stay");
  return {command, [options](Session& session) { return remove(*options, session); }};
}

}  // namespace prefixmem::client
