// Names that a spec may have for content: those of models and jobs.
#include <fmt/format.h>

#include <filesystem>

#include "common/content/job_name.h"
#include "common/content/model_name.h"
#include "common/proto/job_state.h"
#include "common/sha256.h"
#include "common/spec/paths.h"
#include "common/spec/spec_tree.h"
#include "common/spec/utf8.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/find_job.h"

namespace prefixmem {
namespace {

constexpr std::string_view kMade = "adapter/";  // where jobs put what they have trained

FolderList made_by(const std::vector<v1::Artifact>& artifacts) {
  FolderList files;
  for (const v1::Artifact& artifact : artifacts) {
    if (!artifact.path().starts_with(kMade)) continue;
    files.push_back({artifact.path().substr(kMade.size()), artifact.bytes(), artifact.sha256()});
  }
  return files;
}

// Of the step whose files have all come, which lie in best_adapter/step-STEP.
FolderList best_of(const v1::Job& job, const std::vector<v1::Artifact>& artifacts) {
  FolderList files;
  for (const v1::Artifact& artifact : artifacts) {
    if (artifact.kind() != store::kBestAdapter) continue;
    if (artifact.step() != job.progress().best_adapter_step()) continue;
    const std::string& path = artifact.path();
    const size_t inside = path.find('/', path.find('/') + 1);
    if (inside == std::string::npos) continue;
    files.push_back({path.substr(inside + 1), artifact.bytes(), artifact.sha256()});
  }
  return files;
}

Status check_not_removed(const v1::Job& job) {
  if (!job.has_files_remove_time()) return {};
  return failed_precondition("job " + name_of(job) + " has no files" + removed_text(job));
}

// Whether the key takes what was made: `model` a whole model, a method's init an adapter.
Status check_use(std::string_view key, const v1::Job& job, bool best, const FolderList& files) {
  const std::string name = "job " + name_of(job);
  if (job.state() != v1::JOB_STATE_SUCCEEDED) {
    return failed_precondition(
        fmt::format("{} is {}; allowed: a job that has succeeded", name, state_name(job.state())));
  }
  if (files.empty()) {
    PM_TRY(check_not_removed(job));
    return failed_precondition(
        name + (best ? " has kept no best adapter; allowed: a job with train.keep_best"
                     : " has trained nothing; allowed: a job whose method trains"));
  }
  const bool whole = check_model_folder({{}, job.name(), true}, files).ok();
  if (key == (whole ? "model" : "method.init")) return {};
  return invalid_argument(
      fmt::format("{} has trained {}; allowed: jobs that have trained a whole model as model, "
                  "others as a method's init",
                  name, whole ? "a whole model" : "an adapter"));
}

}  // namespace

Result<JobSpec> Coordinator::with_content_of_names(const JobSpec& spec, NamedInputs& inputs) {
  spec::Tree tree = spec::write_tree(spec);
  bool named = false;
  PM_TRY(spec::each_path(tree, [&](std::string_view key, spec::Tree& value) -> Status {
    if (names_model(value.scalar) || names_job(value.scalar)) {
      const auto content = names_model(value.scalar) ? content_of_model(value.scalar)
                                                     : content_of_job(key, value.scalar);
      if (!content.ok()) return content.status().with_context(key);
      value = spec::Tree::text(*content);
      named = true;
    }
    inputs.emplace_back(key, value.scalar);
    return {};
  }));
  return named ? spec::read_valid(tree) : spec;
}

Result<std::string> Coordinator::content_of_model(const std::string& text) {
  PM_ASSIGN(const std::string name, parse_model_name(text));
  PM_ASSIGN(const auto model, named_model(name));
  return model.content();
}

Result<v1::Artifact> Coordinator::checkpoint_of(const std::string& job_id) {
  PM_ASSIGN(const auto checkpoint, reader().newest_checkpoint(job_id));
  if (checkpoint) return *checkpoint;
  PM_ASSIGN(const v1::Job job, find_job(reader(), job_id));
  PM_TRY(check_not_removed(job));
  return failed_precondition("job " + job_id +
                             " has no checkpoint in the store; allowed: jobs that have, which "
                             "train.output all keeps");
}

Result<Coordinator::Holds> Coordinator::hold(const v1::Job& job, const FolderList& files) {
  Holds holds;
  for (const FolderFile& file : files) {
    holds.push_back(blobs().pin(file.sha256));
    PM_ASSIGN(const auto listed, reader().artifact_by_digest(job.id(), file.sha256));
    if (!listed) return not_found("files of job " + name_of(job) + " are being removed");
  }
  return holds;
}

// One that a newer one has replaced meanwhile is not taken.
Result<v1::Artifact> Coordinator::counted_checkpoint(const v1::Job& job) {
  while (true) {
    PM_ASSIGN(v1::Artifact checkpoint, checkpoint_of(job.id()));
    const FolderList file = {{{}, checkpoint.bytes(), checkpoint.sha256()}};
    const auto holds = hold(job, file);
    if (holds.status().code() == Code::kNotFound) continue;
    PM_TRY(holds.status());
    PM_TRY(add_content(file));
    return checkpoint;
  }
}

std::string Coordinator::content_of(const v1::Artifact& file) {
  return to_string(ContentName{file.sha256(), std::filesystem::path(file.path()).filename()});
}

// Its files are in the store; what makes a folder of them is their list.
Result<std::string> Coordinator::content_of_job(std::string_view key, const std::string& text) {
  PM_ASSIGN(const JobName name, parse_job_name(text));
  PM_ASSIGN(const v1::Job job, find_job(reader(), name.job));
  if (key == "train.continue_from") {
    if (name.best) {
      return invalid_argument("it is \"" + text +
                              "\", an adapter; allowed: job://JOB, whose newest "
                              "checkpoint training goes on from");
    }
    PM_ASSIGN(const v1::Artifact checkpoint, counted_checkpoint(job));
    return content_of(checkpoint);
  }
  PM_ASSIGN(const auto artifacts, reader().artifacts(job.id()));
  FolderList files = name.best ? best_of(job, artifacts) : made_by(artifacts);
  PM_TRY(check_use(key, job, name.best, files));
  PM_ASSIGN(const Holds holds, hold(job, files));
  const std::string list = print_folder_list(files);
  const std::string sha256 = sha256_hex(list);
  PM_ASSIGN(const auto blob, blobs().begin());
  PM_TRY(blob->write(list));
  PM_TRY(blob->finish(sha256));
  files.push_back({{}, blob->bytes(), sha256});
  PM_TRY(add_content(files));
  return to_string(ContentName{sha256, job.name(), true});
}

}  // namespace prefixmem
