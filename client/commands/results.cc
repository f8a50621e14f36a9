#include "client/render/results.h"

#include <CLI/CLI.hpp>
#include <set>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/exit_codes.h"
#include "client/render/json.h"
#include "client/render/sweep_results.h"

namespace prefixmem::client {
namespace {

struct Options {
  std::vector<std::string> jobs;
  bool by_job = false;
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

Result<std::string> text_of(const v1::SweepResults& results, Form form) {
  switch (form) {
    case Form::kJson:
      return json_document(results);
    case Form::kMarkdown:
      return setting_table(results).markdown();
    case Form::kCsv:
      return setting_csv(results);
    case Form::kTable:
      break;
  }
  return setting_table(results).text() + "\n" + sweep_summary(results);
}

Result<int> by_setting(const std::string& sweep, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto results, server->sweep_results(sweep));
  PM_ASSIGN(const std::string text, text_of(results, session.form));
  PM_TRY(session.print(text));
  return kExitDone;
}

Result<int> by_job(const Options& options, Session& session) {
  if (session.form == Form::kCsv) {
    return invalid_argument("--output is csv; allowed by job: table, json, markdown");
  }
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto jobs, find_jobs(*server, options.jobs));
  std::vector<ResultRow> rows;
  for (const v1::Job& job : jobs) {
    PM_ASSIGN(const auto artifacts, server->artifacts(job.id()));
    rows.push_back(result_row(job, adapter_place(job.id(), artifacts)));
  }
  const Table table = result_table(rows);
  PM_TRY(session.print(session.json()                    ? result_json(rows)
                       : session.form == Form::kMarkdown ? table.markdown()
                                                         : table.text()));
  return kExitDone;
}

Result<int> results(const Options& options, Session& session) {
  const bool one_sweep = options.jobs.size() == 1 && is_sweep_id(options.jobs.front());
  if (one_sweep && !options.by_job) return by_setting(options.jobs.front(), session);
  return by_job(options, session);
}

}  // namespace

Command add_results(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("results",
                         "Of a sweep: mean, deviation and cost of each setting. Of jobs: scores "
                         "before and after, loss, "
                         "speed, size, time, and adapters as `pmt download JOB` places them");
  command->add_option("jobs", options->jobs, "Job ids, job names or sweep ids")->required();
  command->add_flag("--by-job", options->by_job, "Of a sweep: a row for each of its jobs");
  return {command, [options](Session& session) { return results(*options, session); }};
}

}  // namespace prefixmem::client
