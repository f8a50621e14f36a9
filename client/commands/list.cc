#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/exit_codes.h"
#include "client/render/job_text.h"
#include "client/render/json.h"
#include "client/render/numbers.h"
#include "client/render/table.h"
#include "common/proto/timestamps.h"

namespace prefixmem::client {
namespace {

struct ListOptions {
  std::vector<std::string> states;
  std::vector<std::string> labels;
  std::string name;
  std::string sweep;
  int64_t limit = 100;
  bool all = false;
};

Result<v1::ListJobsRequest> make_request(const ListOptions& options) {
  v1::ListJobsRequest request;
  for (const std::string& state : options.states) request.add_states(*state_from_name(state));
  for (const std::string& label : options.labels) {
    const size_t equals = label.find('=');
    if (equals == label.npos || equals == 0) {
      return invalid_argument("--label is \"" + label + "\"; allowed: KEY=VALUE");
    }
    (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  request.set_name(options.name);
  return request;
}

std::string step_text(const v1::JobProgress& progress) {
  if (progress.total_steps() == 0) return "";
  return std::to_string(progress.step()) + "/" + std::to_string(progress.total_steps());
}

std::string state_text(const v1::Job& job) {
  return state_name(job.state()) + (job.pinned() ? ", pinned" : "");
}

std::string age_text(const v1::Job& job, int64_t now) {
  if (!job.has_create_time()) return "";
  return short_seconds(
      static_cast<double>(now - to_unix_millis(from_timestamp(job.create_time()))) / 1000);
}

std::string table_of(const v1::ListJobsResponse& response, Session& session) {
  Table table({{"job"},
               {"name"},
               {"state"},
               {"method"},
               {"step", Align::kRight},
               {"loss", Align::kRight},
               {"run time", Align::kRight},
               {"age", Align::kRight},
               {"worker"},
               {"reason"}});
  const int64_t now = to_unix_millis(session.env.clock.wall());
  for (const v1::Job& job : response.jobs()) {
    const v1::JobProgress& progress = job.progress();
    table.add({job.id(), job.name(), state_text(job), method_text(job.spec().method()),
               step_text(progress), progress.step() > 0 ? figures(progress.loss()) : "",
               short_seconds(run_seconds(job, now)), age_text(job, now), job.worker_id(),
               job.reason()});
  }
  const auto terminal = session.env.terminal();
  return table.text(terminal ? terminal->columns : 0);
}

Result<int> list(const ListOptions& options, Session& session) {
  PM_ASSIGN(auto request, make_request(options));
  PM_ASSIGN(Server * server, session.server());
  if (!options.sweep.empty()) {
    PM_ASSIGN(const std::string sweep, find_sweep(*server, options.sweep));
    request.set_sweep_id(sweep);
  }
  PM_ASSIGN(const auto response, list_jobs(*server, request, options.all ? 0 : options.limit));
  if (session.json()) {
    PM_ASSIGN(const std::string text, json_document(response));
    PM_TRY(session.print(text));
    return kExitDone;
  }
  PM_TRY(session.print(table_of(response, session)));
  if (!response.next_page_token().empty()) {
    session.note("there are more than these " + std::to_string(response.jobs_size()) +
                 " jobs; --all lists them");
  }
  return kExitDone;
}

}  // namespace

Command add_list(CLI::App& app) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command = app.add_subcommand("list", "List jobs, the newest first");
  command->add_option("--state", options->states, "Only jobs in this state; may be repeated")
      ->check(CLI::IsMember(all_states()))
      ->allow_extra_args(false);
  command->add_option("--label", options->labels, "KEY=VALUE: only jobs with it; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--name", options->name, "Only jobs of this name; a prefix ends in *");
  command->add_option("--sweep", options->sweep, "Only the trials of this sweep");
  command->add_option("--limit", options->limit, "Most jobs to list")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--all", options->all, "List all, however many")->excludes("--limit");
  return {command, [options](Session& session) { return list(*options, session); }};
}

}  // namespace prefixmem::client
