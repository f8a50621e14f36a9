#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/commands/refusals.h"
#include "client/exit_codes.h"
#include "client/render/json.h"
#include "client/render/numbers.h"
#include "client/render/table.h"

namespace prefixmem::client {
namespace {

struct RemoveOptions {
  std::vector<std::string> jobs;
  bool files_only = false;
};

// Removes jobs and keeps what was said of each.
class Remover {
 public:
  Remover(Server& server, Session& session, bool files_only)
      : server_(server), refusals_(session), files_only_(files_only) {}

  void remove(const std::string& wanted) {
    const auto named = find_only_named(server_, wanted);
    if (!named.ok()) return refusals_.add(named.status());
    if (named->job) return keep(server_.remove_job(named->job->id(), files_only_));
    auto removed = server_.remove_sweep(named->sweep_id, files_only_);
    if (removed.status().code() != Code::kNotFound) return keep(std::move(removed));
    remove_jobs_of(*named);
  }

  const std::vector<v1::Removed>& removed() const { return removed_; }
  const Status& refusal() const { return refusals_.first(); }

 private:
  // Of a store from before sweeps were kept: there are only its jobs.
  void remove_jobs_of(const Named& named) {
    const auto jobs = jobs_of(server_, named);
    if (!jobs.ok()) return refusals_.add(jobs.status());
    for (const v1::Job& job : *jobs) keep(server_.remove_job(job.id(), files_only_));
  }

  void keep(Result<v1::Removed> more) {
    if (!more.ok()) return refusals_.add(more.status());
    removed_.push_back(*std::move(more));
  }

  Server& server_;
  Refusals refusals_;
  const bool files_only_;
  std::vector<v1::Removed> removed_;
};

Result<std::string> json_of(const std::vector<v1::Removed>& all) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::Removed& removed : all) {
    PM_ASSIGN(const std::string line, json_line(removed));
    list.push_back(nlohmann::ordered_json::parse(line));
  }
  return nlohmann::ordered_json{{"removed", list}}.dump(2) + "\n";
}

std::string table_of(const std::vector<v1::Removed>& all) {
  Table table({{"removed"},
               {"jobs", Align::kRight},
               {"files", Align::kRight},
               {"size", Align::kRight},
               {"pinned", Align::kRight}});
  for (const v1::Removed& removed : all) {
    const bool sweep = !removed.sweep_id().empty();
    table.add({sweep ? removed.sweep_id() : removed.job_id(), std::to_string(removed.jobs()),
               std::to_string(removed.files()), short_bytes(removed.bytes()),
               std::to_string(removed.pinned_jobs())});
  }
  return table.empty() ? "" : table.text();
}

Result<int> remove(const RemoveOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  Remover remover(*server, session, options.files_only);
  for (const std::string& wanted : options.jobs) remover.remove(wanted);
  std::string text = table_of(remover.removed());
  if (session.json()) {
    PM_ASSIGN(text, json_of(remover.removed()));
  }
  PM_TRY(session.print(text));
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
