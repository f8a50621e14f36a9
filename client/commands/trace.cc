#include "client/render/trace.h"

#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/lookup.h"
#include "client/exit_codes.h"
#include "common/files.h"

namespace prefixmem::client {
namespace {

struct TraceOptions {
  std::vector<std::string> jobs;
  std::string out;
};

Result<JobTrace> trace_of(Server& server, const v1::Job& job, int64_t now_unix_millis) {
  v1::WatchJobRequest request;
  request.set_job(job.id());
  request.set_past_only(true);
  std::vector<v1::JobEvent> events;
  PM_TRY(server.events(request, server.timeout(), [&](const v1::JobEvent& event) {
    events.push_back(event);
    return Status();
  }));
  return JobTrace{job, spans_of(job, events, now_unix_millis)};
}

Result<int> trace(const TraceOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const NamedJobs named, find_jobs(*server, options.jobs));
  const int64_t now = to_unix_millis(session.env.clock.wall());
  std::vector<JobTrace> traces;
  for (const v1::Job& job : named.jobs) {
    PM_ASSIGN(JobTrace one, trace_of(*server, job, now));
    traces.push_back(std::move(one));
  }
  const std::string text = trace_json(traces);
  if (options.out.empty()) {
    PM_TRY(session.print(text));
  } else {
    PM_TRY(write_file_atomic(session.env.working_folder / options.out, text));
  }
  return kExitDone;
}

}  // namespace

Command add_trace(CLI::App& app) {
  auto options = std::make_shared<TraceOptions>();
  CLI::App* command =
      app.add_subcommand("trace", "Write the life of jobs as a trace for https://ui.perfetto.dev");
  command->add_option("jobs", options->jobs, "Ids or names of jobs or sweeps")->required();
  command->add_option("--out", options->out, "File to write; default: stdout");
  return {command, [options](Session& session) { return trace(*options, session); }};
}

}  // namespace prefixmem::client
