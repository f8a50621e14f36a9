#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/results.h"
#include "client/commands/spec_file.h"
#include "client/commands/watch.h"
#include "client/exit_codes.h"
#include "client/render/job_text.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/render/text.h"
#include "client/submission/hub_models.h"
#include "client/submission/model_configs.h"
#include "client/submission/uploads.h"
#include "common/id.h"

namespace prefixmem::client {
namespace {

struct SubmitOptions {
  SpecFile spec;
  std::string idempotency_key;
  bool no_upload = false;
  bool watch = false;
  bool results = false;
};

Result<v1::SubmitJobRequest> make_request(const SubmitOptions& options, Session& session) {
  v1::SubmitJobRequest request;
  PM_ASSIGN(*request.mutable_yaml(), read_spec(options.spec, session));
  request.set_idempotency_key(options.idempotency_key.empty() ? new_id("submit")
                                                              : options.idempotency_key);
  return request;
}

Result<std::string> text_of(const v1::SubmitJobResponse& response, bool json, bool watch) {
  if (json) return watch ? json_line(response) : json_document(response);
  Table table({{"job"}, {"name"}, {"state"}, {"reason"}});
  for (const v1::Job& job : response.jobs()) {
    table.add({job.id(), job.name(), state_name(job.state()), job.reason()});
  }
  const std::string& sweep = response.sweep_id();
  return (sweep.empty() ? "" : "sweep " + sweep + "\n") + table.text();
}

// Commands that take a name refuse one that several have. The jobs are stored whatever this learns.
void note_shared_name(const v1::SubmitJobResponse& response, Server& server, Session& session) {
  if (session.json() || response.jobs_size() != 1 || response.jobs(0).name().empty()) return;
  v1::ListJobsRequest request;
  request.set_name(response.jobs(0).name());
  request.set_page_size(2);
  const auto same = server.list(request);
  if (!same.ok() || same->jobs_size() < 2) return;
  session.note("another job is named \"" + printable(response.jobs(0).name()) +
               "\" too: call this one by its id");
}

NamedJobs watched_of(const v1::SubmitJobResponse& response) {
  NamedJobs watched{{response.jobs().begin(), response.jobs().end()}, {}};
  if (!response.sweep_id().empty()) watched.sweeps.push_back(response.sweep_id());
  return watched;
}

// Only results go to the output.
Result<int> wait_for_results(const v1::SubmitJobResponse& response, Session& session) {
  const std::string& sweep = response.sweep_id();
  const std::string id = sweep.empty() ? response.jobs(0).id() : sweep;
  session.note("submitted " + id);
  PM_ASSIGN(const int code, watch_jobs(watched_of(response), session, *make_note_display(session)));
  const auto printed = print_results({.jobs = {id}}, session);
  if (!printed.ok()) return printed.status().with_context("pmt results " + id);
  return code;
}

// What a form is refused for is better said before anything has trained.
Status check_form(const SubmitOptions& options, const std::string& yaml, const Session& session) {
  if (!options.results) return {};
  PM_ASSIGN(const spec::Tree spec, spec::parse_tree(yaml));
  return spec.find("sweep") == nullptr ? check_form_by_job(session) : Status();
}

Result<int> submit(const SubmitOptions& options, Session& session) {
  PM_ASSIGN(v1::SubmitJobRequest request, make_request(options, session));
  PM_TRY(check_form(options, request.yaml(), session));
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(HubModels models, pin_hub_models(request.yaml(), session.env.hub));
  request.set_yaml(std::move(models.yaml));
  if (!options.no_upload) PM_TRY(add_model_configs(request.yaml(), models.configs));
  *request.mutable_model_configs() = {models.configs.begin(), models.configs.end()};
  if (!options.no_upload) {
    const auto note = [&](const std::string& sentence) { session.note(sentence); };
    PM_ASSIGN(*request.mutable_yaml(), upload_named_files(request, *server, note));
  }
  const auto response = server->submit(request);
  if (response.status().code() == Code::kUnavailable) {
    return response.status().with_context(
        "whether the job was stored is not known; submit it "
        "again with --idempotency-key " +
        request.idempotency_key());
  }
  PM_TRY(response.status());
  if (options.results) return wait_for_results(*response, session);
  PM_ASSIGN(const auto text, text_of(*response, session.json(), options.watch));
  PM_TRY(session.print(text));
  note_shared_name(*response, *server, session);
  if (!options.watch) return kExitDone;
  return watch_jobs(watched_of(*response), session, *make_display(session));
}

}  // namespace

Command add_submit(CLI::App& app) {
  auto options = std::make_shared<SubmitOptions>();
  CLI::App* command = app.add_subcommand("submit", "Submit a job or a sweep");
  command->add_option("file", options->spec.file, "Job spec as YAML or JSON; - for standard input")
      ->required();
  add_spec_options(*command, options->spec);
  command
      ->add_option("--idempotency-key", options->idempotency_key,
                   "Submitting again with the same key makes no second job; default: a new one")
      ->check(CLI::Validator(
          [](std::string& key) {
            return key.size() <= 128 ? "" : std::string("a key has at most 128 bytes");
          },
          ""));
  command->add_flag("--no-upload", options->no_upload,
                    "Send no files: the workers are to have them at the same paths");
  auto* const watch = command->add_flag("--watch", options->watch, "Then do as `pmt watch` does");
  command
      ->add_flag(
          "--results", options->results,
          "Then wait for the end, which stderr tells of each job, and do as `pmt results` does")
      ->excludes(watch);
  command->add_flag("--prepare", options->spec.places.fetch,
                    "Fetch the benchmarks that it names where they are not prepared");
  add_mirror_option(*command, options->spec.places);
  return {command, [options](Session& session) { return submit(*options, session); }};
}

}  // namespace prefixmem::client
