// pmt-adapter verify|export: what is done with a trained adapter's folder, without a job.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "common/version.h"
#include "worker/trainer/export/export.h"
#include "worker/trainer/proof/verify.h"
#include "worker/trainer/train/guard.h"

namespace prefixmem::trainer {
namespace {

struct Arguments {
  std::string folder, model, out;
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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  int code = 0;
  const Status status = torch_guarded([&]() -> Status {
    code = report(verifying->parsed() ? verify(arguments) : export_model(arguments));
    return {};
  });
  return status.ok() ? code : report(status);
}

}  // namespace
}  // namespace prefixmem::trainer

int main(int argc, char** argv) { return prefixmem::trainer::run(argc, argv); }
