#include "client/channel/download.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/numbers.h"
#include "client/render/table.h"
#include "common/proto/job_state.h"

namespace prefixmem::client {
namespace {

struct DownloadOptions {
  std::string job;
  std::vector<std::string> paths;
  std::string out;
};

struct Downloaded {
  v1::Artifact artifact;
  std::string file;
};

bool is_under(const std::string& path, std::string wanted) {
  while (wanted.ends_with('/')) wanted.pop_back();
  return path == wanted || path.starts_with(wanted + "/");
}

// Those at or under one of the paths; without paths all but the checkpoints. NOT_FOUND for a path
// that names none.
Result<std::vector<v1::Artifact>> choose(const v1::ListArtifactsResponse& all,
                                         const DownloadOptions& options) {
  std::vector<v1::Artifact> chosen;
  for (const std::string& path : options.paths) {
    const bool any = std::any_of(all.artifacts().begin(), all.artifacts().end(),
                                 [&](const auto& file) { return is_under(file.path(), path); });
    if (!any) return not_found("job " + options.job + " has no file " + path + " in the store");
  }
  for (const v1::Artifact& file : all.artifacts()) {
    const bool wanted = options.paths.empty()
                            ? file.kind() != "checkpoint"
                            : std::any_of(options.paths.begin(), options.paths.end(),
                                          [&](const auto& p) { return is_under(file.path(), p); });
    if (wanted) chosen.push_back(file);
  }
  return chosen;
}

std::string json_of(const std::string& job, const std::string& folder,
                    const std::vector<Downloaded>& files) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& [artifact, file] : files) {
    list.push_back({{"path", artifact.path()},
                    {"kind", artifact.kind()},
                    {"bytes", artifact.bytes()},
                    {"sha256", artifact.sha256()},
                    {"file", file}});
  }
  const nlohmann::ordered_json object = {{"job", job}, {"folder", folder}, {"files", list}};
  return object.dump(2) + "\n";
}

std::string table_of(const std::vector<Downloaded>& files) {
  Table table({{"file"}, {"size", Align::kRight}});
  for (const auto& [artifact, file] : files) table.add({file, short_bytes(artifact.bytes())});
  return table.text();
}

std::string lacks(const v1::Job& job, const std::string& what) {
  return "job " + job.id() + " is " + state_name(job.state()) + ": it has no " + what +
         (has_ended(job.state()) ? "" : " yet") + removed_text(job);
}

// Nobody is to look for an adapter that there is not.
void note_missing_adapter(const v1::Job& job, const std::vector<v1::Artifact>& files,
                          Session& session) {
  const bool trains = job.spec().method().type_case() != v1::MethodSpec::kNone;
  const bool any = std::any_of(files.begin(), files.end(),
                               [](const auto& file) { return file.kind() == "adapter"; });
  if (trains && !any) session.note(lacks(job, "adapter"));
}

Result<int> download_files(const DownloadOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const v1::Job job, server->job(options.job));
  PM_ASSIGN(const auto all, server->artifacts(job.id()));
  PM_ASSIGN(const auto chosen, choose(all, options));
  if (chosen.empty()) return not_found(lacks(job, "files"));
  if (options.paths.empty() && !session.json()) note_missing_adapter(job, chosen, session);
  const auto folder = session.env.working_folder / (options.out.empty() ? job.id() : options.out);
  std::vector<Downloaded> files;
  for (const v1::Artifact& artifact : chosen) {
    PM_ASSIGN(const auto file, download(*server, job.id(), artifact, folder));
    files.push_back({artifact, file.string()});
  }
  PM_TRY(
      session.print(session.json() ? json_of(job.id(), folder.string(), files) : table_of(files)));
  return kExitDone;
}

}  // namespace

Command add_download(CLI::App& app) {
  auto options = std::make_shared<DownloadOptions>();
  CLI::App* command = app.add_subcommand(
      "download", "Fetch a job's files: adapter, result and metrics, or those named");
  command->add_option("job", options->job, "Job id or name")->required();
  command
      ->add_option("--path", options->paths,
                   "A file or folder of the job, e.g. adapter or checkpoints; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--out", options->out, "Folder to put them in; default: one named by the id");
  return {command, [options](Session& session) { return download_files(*options, session); }};
}

}  // namespace prefixmem::client
