#include "client/render/diagnosis.h"

#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "client/channel/download.h"
#include "client/commands/benchmark_options.h"
#include "client/commands/commands.h"
#include "client/commands/tool.h"
#include "client/content/fetch.h"
#include "client/exit_codes.h"
#include "client/submission/submission.h"
#include "common/files.h"
#include "common/proto/job_state.h"
#include "common/proto/spec_proto.h"
#include "common/spec/spec_io.h"
#include "common/spec/tree.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

struct DiagnoseOptions {
  std::string target, model, spec, plot;
  std::vector<std::string> texts;
  int64_t rows = 8;
};

// Removed with its content.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make() {
    std::string path = (fs::temp_directory_path() / "pmt-diagnose-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) return from_errno("creating " + path, errno);
    return TemporaryFolder(path);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~TemporaryFolder() {
    std::error_code ignored;  // the system clears what is left
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  const fs::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

// The user's spec, with its paths absolute.
Result<std::string> read_spec(const std::string& name, Session& session) {
  const fs::path& here = session.env.working_folder;
  const fs::path file = here / name;
  PM_ASSIGN(const std::string text, read_file(file, spec::kMaxBytes));
  auto spec =
      prepare_submission(text, file.parent_path(), {}, here, BenchmarkOptions().finder(session));
  return spec.ok() ? spec : spec.status().with_context(name);
}

struct Subject {
  fs::path folder;   // of the adapter
  std::string spec;  // YAML that says which rows; may be empty
};

Result<Subject> fetch(const std::string& name, const fs::path& folder, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const v1::Job job, server->job(name));
  PM_ASSIGN(const auto all, server->artifacts(job.id()));
  bool any = false;
  for (const v1::Artifact& file : all.artifacts()) {
    if (!file.path().starts_with("adapter/")) continue;
    PM_TRY(download(*server, job.id(), file, folder).status());
    any = true;
  }
  if (!any) {
    return not_found("job " + job.id() + " has no adapter in the store; it is " +
                     state_name(job.state()));
  }
  PM_ASSIGN(const JobSpec spec, job_spec_from_proto(job.spec()));
  return Subject{folder / "adapter", to_yaml(spec)};
}

Result<Subject> find_subject(const DiagnoseOptions& options, const fs::path& temporary,
                             Session& session) {
  Subject subject{session.env.working_folder / options.target, ""};
  if (!fs::is_directory(subject.folder)) {
    PM_ASSIGN(subject, fetch(options.target, temporary, session));
  }
  if (!options.spec.empty()) {
    PM_ASSIGN(subject.spec, read_spec(options.spec, session));
  }
  return subject;
}

Result<int> diagnose(const DiagnoseOptions& options, Session& session) {
  PM_ASSIGN(const TemporaryFolder temporary, TemporaryFolder::make());
  PM_ASSIGN(const Subject subject, find_subject(options, temporary.path(), session));
  const fs::path spec = temporary.path() / "job.yaml", out = temporary.path() / "diagnosis.json";
  std::vector<std::string> arguments = {"diagnose", subject.folder, "--out",
                                        out,        "--rows",       std::to_string(options.rows)};
  if (!options.model.empty()) {
    arguments.insert(arguments.end(), {"--model", session.env.working_folder / options.model});
  }
  for (const std::string& text : options.texts) {
    arguments.insert(arguments.end(), {"--text", text});
  }
  if (options.texts.empty() && !subject.spec.empty()) {
    PM_ASSIGN(Server * server, session.server());
    PM_ASSIGN(const std::string rows,
              fetch_rows(*server, subject.spec, temporary.path() / "content"));
    PM_TRY(write_file_atomic(spec, rows));
    arguments.insert(arguments.end(), {"--spec", spec});
  }
  PM_ASSIGN(const int code, run_tool(kAdapterTool, arguments));
  if (code != kExitDone) return code;
  PM_ASSIGN(const std::string written, read_file(out));
  const auto diagnosis = nlohmann::json::parse(written);
  if (!options.plot.empty()) {
    PM_TRY(write_file_atomic(session.env.working_folder / options.plot,
                             svg_of(diagnosis_plots(diagnosis))));
  }
  PM_TRY(session.print(session.json() ? written : diagnosis_text(diagnosis)));
  return kExitDone;
}

}  // namespace

Command add_diagnose(CLI::App& app) {
  auto options = std::make_shared<DiagnoseOptions>();
  CLI::App* command = app.add_subcommand(
      "diagnose", "Say what an adapter does to attention: maps, outputs, spectra, prefix mass");
  command->add_option("target", options->target, "Folder of the adapter, or job id or name")
      ->required();
  command->add_option("--rows", options->rows, "Held-out rows to look at, at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  auto* const spec = command->add_option(
      "--spec", options->spec, "Job spec whose held-out rows to look at; default: the job's");
  command->add_option("--text", options->texts, "A row of its own instead; may be repeated")
      ->allow_extra_args(false)
      ->excludes(spec);
  command->add_option("--model", options->model, "Base model; default: the one trained on");
  command->add_option("--plot", options->plot, "SVG file to draw");
  return {command, [options](Session& session) { return diagnose(*options, session); }};
}

}  // namespace prefixmem::client
