#include <CLI/CLI.hpp>

#include "client/commands/adapter_folder.h"
#include "client/commands/commands.h"
#include "client/commands/tool.h"

namespace prefixmem::client {
namespace {

struct ExportOptions {
  std::string target, model, out;
};

Result<int> export_model(const ExportOptions& options, Session& session) {
  PM_ASSIGN(const AdapterFolder adapter, find_adapter(options.target, session));
  std::vector<std::string> arguments = {"export", adapter.path, "--out", options.out};
  if (!options.model.empty()) arguments.insert(arguments.end(), {"--model", options.model});
  return run_tool(kAdapterTool, arguments);
}

}  // namespace

Command add_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "Merge an adapter into its base model");
  command
      ->add_option("target", options->target,
                   "Folder of the adapter or of a download, or job id or name")
      ->required();
  command->add_option("--out", options->out, "New Hugging Face folder")->required();
  command->add_option("--model", options->model, "Base model; default: the one trained on");
  return {command, [options](Session& session) { return export_model(*options, session); }};
}

}  // namespace prefixmem::client
