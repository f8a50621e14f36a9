#include "client/commands/results.h"

#include <CLI/CLI.hpp>
#include <set>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/exit_codes.h"
#include "client/render/json.h"
#include "client/render/results.h"
#include "client/render/sweep_answer.h"
#include "client/render/sweep_results.h"

namespace prefixmem::client {
namespace {

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

Result<std::string> text_of(const v1::SweepResults& results, bool by_method, Form form) {
  switch (form) {
    case Form::kJson:
      return json_document(results);
    case Form::kMarkdown:
      return by_method ? answer_markdown(results) : setting_table(results).markdown();
    case Form::kCsv:
      return by_method ? answer_csv(results.answer()) : setting_csv(results);
    case Form::kTable:
      break;
  }
  if (by_method) return answer_text(results);
  return setting_table(results).text() + "\n" + sweep_summary(results);
}

Result<int> of_sweep(const std::string& id, const ResultsOptions& options, Server& server,
                     Session& session) {
  v1::GetSweepResultsRequest request;
  request.set_sweep(id);
  request.set_baseline(options.baseline);
  PM_ASSIGN(const auto results, server.sweep_results(request));
  const bool by_method = options.by_method || (has_answer(results) && !options.by_setting);
  PM_ASSIGN(const std::string text, text_of(results, by_method, session.form));
  PM_TRY(session.print(text));
  return kExitDone;
}

Result<int> by_job(const ResultsOptions& options, Server& server, Session& session) {
  PM_TRY(check_form_by_job(session));
  PM_ASSIGN(const NamedJobs named, find_jobs(server, options.jobs));
  std::vector<ResultRow> rows;
  for (const v1::Job& job : named.jobs) {
    PM_ASSIGN(const auto artifacts, server.artifacts(job.id()));
    rows.push_back(result_row(job, adapter_place(job.id(), artifacts)));
  }
  const Table table = result_table(rows);
  PM_TRY(session.print(session.json()                    ? result_json(rows)
                       : session.form == Form::kMarkdown ? table.markdown()
                                                         : table.text()));
  return kExitDone;
}

}  // namespace

Status check_form_by_job(const Session& session) {
  if (session.form != Form::kCsv) return {};
  return invalid_argument("--output is csv; allowed by job: table, json, markdown");
}

Result<int> print_results(const ResultsOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  if (options.jobs.size() == 1 && !options.by_job) {
    PM_ASSIGN(const Named named, find_named(*server, options.jobs.front()));
    if (!named.job) return of_sweep(named.sweep_id, options, *server, session);
  }
  if (options.by_method || options.by_setting || !options.baseline.empty()) {
    return invalid_argument(
        "--by-method, --by-setting and --baseline are given with jobs; allowed: with one sweep");
  }
  return by_job(options, *server, session);
}

Command add_results(CLI::App& app) {
  auto options = std::make_shared<ResultsOptions>();
  CLI::App* command =
      app.add_subcommand("results",
                         "Of a sweep: methods by benchmarks, or mean, deviation and cost of each "
                         "setting. Of jobs: scores before and after, loss, "
                         "speed, size, time, and adapters as `pmt download JOB` places them");
  command->add_option("jobs", options->jobs, "Ids or names of jobs or sweeps")->required();
  auto* by_job =
      command->add_flag("--by-job", options->by_job, "Of a sweep: a row for each of its jobs");
  auto* by_setting =
      command->add_flag("--by-setting", options->by_setting, "Of a sweep: a row for each setting");
  auto* by_method = command->add_flag(
      "--by-method", options->by_method,
      "Of a sweep: a row for each method; the default where there are several benchmarks or tests");
  by_job->excludes(by_setting)->excludes(by_method);
  by_setting->excludes(by_method);
  command->add_option("--baseline", options->baseline,
                      "Of a sweep: method that the others are compared with; default: the first");
  return {command, [options](Session& session) { return print_results(*options, session); }};
}

}  // namespace prefixmem::client
