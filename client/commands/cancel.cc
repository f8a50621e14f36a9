#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/commands/refusals.h"
#include "client/exit_codes.h"
#include "client/render/job_text.h"
#include "client/render/json.h"
#include "client/render/table.h"

namespace prefixmem::client {
namespace {

struct CancelOptions {
  std::vector<std::string> jobs;
};

// Asks jobs to stop and keeps the answers.
class Canceller {
 public:
  Canceller(Server& server, Session& session) : server_(server), refusals_(session) {}

  // A job; or a sweep, which then begins no further trial, and its trials that have not ended.
  void cancel(const std::string& wanted) {
    const auto named = find_only_named(server_, wanted);
    if (!named.ok()) return refusals_.add(named.status());
    if (named->job) return ask(*named->job);
    const auto jobs = jobs_of(server_, *named);
    if (!jobs.ok()) return refusals_.add(jobs.status());
    const Status sweep = server_.cancel_sweep(named->sweep_id).status();
    if (sweep.ok()) return tell(*jobs);
    const bool ended = sweep.code() == Code::kFailedPrecondition;
    if (!ended && sweep.code() != Code::kNotFound) return refusals_.add(sweep);
    // It ended before its trials, or is of an older store: they are asked one by one.
    bool any = false;
    for (const v1::Job& job : *jobs) {
      if (has_ended(job.state())) continue;
      ask(job);
      any = true;
    }
    if (!any) refusals_.add(failed_precondition("all jobs of " + wanted + " have already ended"));
  }

  const v1::ListJobsResponse& asked() const { return asked_; }
  const Status& refusal() const { return refusals_.first(); }

 private:
  // As they are now that their sweep is cancelled.
  void tell(const std::vector<v1::Job>& jobs) {
    for (const v1::Job& job : jobs) {
      if (has_ended(job.state())) continue;
      auto now = server_.job(job.id());
      if (!now.ok()) return refusals_.add(now.status());
      *asked_.add_jobs() = *std::move(now);
    }
  }

  void ask(const v1::Job& job) {
    auto answer = server_.cancel(job.id());
    if (!answer.ok()) return refusals_.add(answer.status());
    *asked_.add_jobs() = *std::move(answer);
  }

  Server& server_;
  v1::ListJobsResponse asked_;
  Refusals refusals_;
};

Result<std::string> text_of(const v1::ListJobsResponse& asked, bool json) {
  if (json) return json_document(asked);
  Table table({{"job"}, {"name"}, {"state"}, {"reason"}});
  for (const v1::Job& job : asked.jobs()) {
    table.add({job.id(), job.name(), state_name(job.state()), job.reason()});
  }
  return table.empty() ? "" : table.text();
}

Result<int> cancel(const CancelOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  Canceller canceller(*server, session);
  for (const std::string& wanted : options.jobs) canceller.cancel(wanted);
  PM_ASSIGN(const std::string text, text_of(canceller.asked(), session.json()));
  PM_TRY(session.print(text));
  PM_TRY(canceller.refusal());
  return kExitDone;
}

}  // namespace

Command add_cancel(CLI::App& app) {
  auto options = std::make_shared<CancelOptions>();
  CLI::App* command = app.add_subcommand("cancel", "Ask jobs to stop");
  command->add_option("jobs", options->jobs, "Job ids, job names or sweep ids")->required();
  return {command, [options](Session& session) { return cancel(*options, session); }};
}

}  // namespace prefixmem::client
