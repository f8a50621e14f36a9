#include "client/render/results.h"

#include <CLI/CLI.hpp>
#include <set>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/exit_codes.h"

namespace prefixmem::client {
namespace {

struct Options {
  std::vector<std::string> jobs;
};

// "<job>/adapter": the folders of the store that hold the job's adapter files.
std::string adapter_place(const std::string& job, const v1::ListArtifactsResponse& artifacts) {
  std::set<std::string> folders;
  for (const v1::Artifact& file : artifacts.artifacts()) {
    if (file.kind() != "adapter") continue;
    folders.insert((std::filesystem::path(job) / file.path()).parent_path().string());
  }
  std::string text;
  for (const std::string& folder : folders) text += (text.empty() ? "" : ", ") + folder;
  return text;
}

Result<int> results(const Options& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto jobs, find_jobs(*server, options.jobs));
  std::vector<ResultRow> rows;
  for (const v1::Job& job : jobs) {
    PM_ASSIGN(const auto artifacts, server->artifacts(job.id()));
    rows.push_back(result_row(job, adapter_place(job.id(), artifacts)));
  }
  PM_TRY(session.print(session.json ? result_json(rows) : result_table(rows).text()));
  return kExitDone;
}

}  // namespace

Command add_results(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "results",
      "Compare jobs: scores before and after, loss, speed, size, time. Adapters are "
      "named as `pmt download JOB` places them");
  command->add_option("jobs", options->jobs, "Job ids, job names or sweep ids")->required();
  return {command, [options](Session& session) { return results(*options, session); }};
}

}  // namespace prefixmem::client
