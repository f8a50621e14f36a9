#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/job_text.h"
#include "client/render/json.h"
#include "client/render/numbers.h"
#include "client/render/table.h"
#include "common/proto/ranks.h"
#include "common/proto/spec_proto.h"
#include "common/proto/timestamps.h"
#include "common/spec/spec_io.h"

namespace prefixmem::client {
namespace {

struct ShowOptions {
  std::string job;
};

std::string time_text(bool present, const google::protobuf::Timestamp& time) {
  return present ? date_and_time(from_timestamp(time)) + " UTC" : "";
}

std::string label_text(const v1::JobSpec& spec) {
  std::map<std::string, std::string> sorted(spec.labels().begin(), spec.labels().end());
  std::string text;
  for (const auto& [key, value] : sorted) text += (text.empty() ? "" : ", ") + key + "=" + value;
  return text;
}

std::string progress_text(const v1::Job& job) {
  const v1::JobProgress& progress = job.progress();
  if (progress.step() == 0) return has_ended(job.state()) ? "" : progress.phase();
  std::string text =
      fmt::format("step {} of {}, loss {}, {} tok/s", progress.step(), progress.total_steps(),
                  figures(progress.loss()), short_count(progress.tokens_per_second()));
  if (progress.has_eta_seconds() && !has_ended(job.state())) {
    text += ", ETA " + short_seconds(progress.eta_seconds());
  }
  return text;
}

std::string state_text(const v1::JobProgress& progress) {
  if (progress.state_digest().empty()) return "";
  return fmt::format("step {}, sha256 {}", progress.state_step(), progress.state_digest());
}

std::string best_text(const v1::JobProgress& progress) {
  if (progress.best_adapter_step() == 0) return "";
  return fmt::format("step {}", progress.best_adapter_step());
}

// Only where the ranks are on several workers.
std::string hosts_text(const v1::Job& job) {
  std::string text;
  for (const v1::GangHost& host : job.hosts()) {
    text += fmt::format("{}{} on {} ({})", text.empty() ? "" : ", ", host.ranks(), host.worker_id(),
                        host.host());
  }
  return text;
}

// With those that it may have, where it runs on fewer too.
std::string ranks_text(const v1::Job& job) {
  const v1::ResourcesSpec& resources = job.spec().resources();
  const int64_t fewest = fewest_ranks(resources);
  if (fewest == resources.ranks()) return std::to_string(job.ranks());
  return fmt::format("{}, of {} to {}", job.ranks(), fewest, resources.ranks());
}

// Only of a bank: a gang of its own says nothing more.
std::string gang_text(const v1::Job& job) {
  if (job.gang_jobs() < 2) return "";
  return fmt::format("{}, shared by {} jobs", job.gang(), job.gang_jobs());
}

std::string summary(const v1::Job& job, int64_t now) {
  const int64_t parameters = job.progress().trainable_parameters();
  const double seconds = run_seconds(job, now);
  return fields({{"job", job.id()},
                 {"name", job.name()},
                 {"sweep", job.sweep_id()},
                 {"tenant", job.tenant()},
                 {"state", state_name(job.state())},
                 {"reason", job.reason()},
                 {"failure code", job.failure_code()},
                 {"attempt", job.attempt() > 0 ? std::to_string(job.attempt()) : ""},
                 {"worker", job.worker_id()},
                 {"gang", gang_text(job)},
                 {"workers", hosts_text(job)},
                 {"ranks", ranks_text(job)},
                 {"labels", label_text(job.spec())},
                 {"created", time_text(job.has_create_time(), job.create_time())},
                 {"started", time_text(job.has_start_time(), job.start_time())},
                 {"ended", time_text(job.has_end_time(), job.end_time())},
                 {"time", seconds < 0 ? "" : short_seconds(seconds)},
                 {"progress", progress_text(job)},
                 {"checkpoint", state_text(job.progress())},
                 {"best adapter", best_text(job.progress())},
                 {"pinned", job.pinned() ? "yes" : ""},
                 {"files removed", time_text(job.has_files_remove_time(), job.files_remove_time())},
                 {"trainable", parameters > 0 ? whole(parameters) : ""}});
}

std::string evals(const v1::JobProgress& progress) {
  Table table({{"after step", Align::kRight},
               {"metric"},
               {"value", Align::kRight},
               {"rows", Align::kRight},
               {"time", Align::kRight}});
  for (const v1::EvalEvent& eval : progress.evals()) {
    table.add({std::to_string(eval.step()), eval.metric(), score(eval.metric(), eval.value()),
               std::to_string(eval.rows()), short_seconds(eval.seconds())});
  }
  return table.empty() ? "" : "\nEvaluations\n" + table.text();
}

std::string files(const v1::ListArtifactsResponse& artifacts) {
  Table table({{"path"}, {"kind"}, {"size", Align::kRight}, {"step", Align::kRight}});
  for (const v1::Artifact& file : artifacts.artifacts()) {
    table.add({file.path(), file.kind(), short_bytes(file.bytes()), std::to_string(file.step())});
  }
  return table.empty() ? "" : "\nFiles in the store\n" + table.text();
}

std::string spec_text(const v1::JobSpec& message) {
  const auto spec = job_spec_from_proto(message);
  return "\nSpec\n" + printable(spec.ok() ? to_yaml(*spec) : spec.status().message(), true) + "\n";
}

std::string stderr_text(const v1::Job& job) {
  if (job.stderr_tail().empty()) return "";
  return "\nLast lines of the trainer's stderr\n" + printable(job.stderr_tail(), true) + "\n";
}

Result<int> show(const ShowOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const v1::Job job, server->job(options.job));
  std::string text;
  if (session.json()) {
    PM_ASSIGN(text, json_document(job));
  } else {
    PM_ASSIGN(const auto artifacts, server->artifacts(job.id()));
    text = summary(job, to_unix_millis(session.env.clock.wall())) + evals(job.progress()) +
           files(artifacts) + spec_text(job.spec()) + stderr_text(job);
  }
  PM_TRY(session.print(text));
  return kExitDone;
}

}  // namespace

Command add_show(CLI::App& app) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command = app.add_subcommand("show", "Show all that is known of a job");
  command->add_option("job", options->job, "Job id or name")->required();
  return {command, [options](Session& session) { return show(*options, session); }};
}

}  // namespace prefixmem::client
