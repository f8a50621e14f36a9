// pmt-adapter verify|export|diagnose: what is done with a trained adapter's folder, without a job.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "common/files.h"
#include "common/version.h"
#include "worker/trainer/diagnosis/diagnose.h"
#include "worker/trainer/diagnosis/diagnosis_json.h"
#include "worker/trainer/export/export.h"
#include "worker/trainer/proof/verify.h"
#include "worker/trainer/train/guard.h"

namespace prefixmem::trainer {
namespace {

struct Arguments {
  std::string folder, model, out, spec;
  DiagnoseOptions diagnose;
};

constexpr int kNotApplied = 1;

// 0: applied; kNotApplied: not, or nobody can tell.
Result<int> verify(const Arguments& arguments) {
  PM_ASSIGN(const Verdict verdict, verify_folder(arguments.folder, arguments.model));
  constexpr const char* kNames[] = {"APPLIED", "NOT_APPLIED", "INCONCLUSIVE"};
  std::printf("%s: %s\n", kNames[static_cast<size_t>(verdict.kind)], verdict.sentence.c_str());
  return verdict.kind == Verdict::Kind::kApplied ? 0 : kNotApplied;
}

Result<int> export_model(const Arguments& arguments) {
  PM_TRY(export_folder(arguments.folder, arguments.model, arguments.out));
  std::printf("%s\n", arguments.out.c_str());
  return 0;
}

Result<int> diagnose(const Arguments& arguments) {
  DiagnoseOptions options = arguments.diagnose;
  options.base_model = arguments.model;
  options.spec = arguments.spec;
  PM_ASSIGN(const Diagnosis diagnosis, diagnose_folder(arguments.folder, options));
  const std::string json = diagnosis_json(diagnosis);
  if (arguments.out.empty()) {
    std::fputs(json.c_str(), stdout);
  } else {
    PM_TRY(write_file_atomic(std::filesystem::absolute(arguments.out), json));
  }
  return 0;
}

int report(const Result<int>& result) {
  if (result.ok()) return *result;
  std::fprintf(stderr, "pmt-adapter: %s\n", result.status().message().c_str());
  return exit_code(result.status());
}

int run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Works with a trained adapter's folder.");
  app.set_version_flag("--version", "pmt-adapter " + std::string(version()));
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* what) {
    CLI::App* command = app.add_subcommand(name, what);
    command->add_option("folder", arguments.folder, "The adapter's folder")->required();
    command->add_option("--model", arguments.model, "Base model; default: the one it names");
    return command;
  };
  CLI::App* const verifying = add("verify", "Say whether the adapter is really applied");
  CLI::App* const exporting = add("export", "Merge the adapter into its base model");
  exporting->add_option("--out", arguments.out, "New Hugging Face folder")->required();
  CLI::App* const diagnosing = add("diagnose", "Compare the attention with and without it");
  diagnosing->add_option("--spec", arguments.spec, "Job spec whose held-out rows to look at");
  diagnosing->add_option("--rows", arguments.diagnose.rows, "At most so many of them")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  diagnosing
      ->add_option("--text", arguments.diagnose.texts, "A row of its own instead; may be repeated")
      ->allow_extra_args(false);
  diagnosing->add_option("--out", arguments.out, "JSON file to write; default: stdout");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  int code = 0;
  const Status status = torch_guarded([&]() -> Status {
    code = report(verifying->parsed()   ? verify(arguments)
                  : exporting->parsed() ? export_model(arguments)
                                        : diagnose(arguments));
    return {};
  });
  return status.ok() ? code : report(status);
}

}  // namespace
}  // namespace prefixmem::trainer

int main(int argc, char** argv) { return prefixmem::trainer::run(argc, argv); }
