#include "client/render/diagnosis.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/commands/adapter_folder.h"
#include "client/commands/benchmark_options.h"
#include "client/commands/commands.h"
#include "client/commands/tool.h"
#include "client/content/fetch.h"
#include "client/exit_codes.h"
#include "client/submission/submission.h"
#include "common/files.h"
#include "common/spec/tree.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

struct DiagnoseOptions {
  std::string target, model, spec, plot;
  std::vector<std::string> texts;
  int64_t rows = 8;
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

Result<int> diagnose(const DiagnoseOptions& options, Session& session) {
  PM_ASSIGN(const AdapterFolder adapter, find_adapter(options.target, session));
  std::string job_spec = adapter.spec;
  if (!options.spec.empty()) {
    PM_ASSIGN(job_spec, read_spec(options.spec, session));
  }
  PM_ASSIGN(const TemporaryFolder temporary, TemporaryFolder::make());
  const fs::path spec = temporary.path() / "job.yaml", out = temporary.path() / "diagnosis.json";
  std::vector<std::string> arguments = {"diagnose", adapter.path, "--out",
                                        out,        "--rows",     std::to_string(options.rows)};
  if (!options.model.empty()) {
    arguments.insert(arguments.end(), {"--model", session.env.working_folder / options.model});
  }
  for (const std::string& text : options.texts) {
    arguments.insert(arguments.end(), {"--text", text});
  }
  if (options.texts.empty() && !job_spec.empty()) {
    PM_ASSIGN(Server * server, session.server());
    PM_ASSIGN(const std::string rows, fetch_rows(*server, job_spec, temporary.path() / "content"));
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
  command
      ->add_option("target", options->target,
                   "Folder of the adapter or of a download, or job id or name")
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
