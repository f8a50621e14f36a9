#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/tool.h"

namespace prefixmem::client {
namespace {

struct ExportOptions {
  std::string folder, model, out;
};

Result<int> export_model(const ExportOptions& options) {
  std::vector<std::string> arguments = {"export", options.folder, "--out", options.out};
  if (!options.model.empty()) arguments.insert(arguments.end(), {"--model", options.model});
  return run_tool(kAdapterTool, arguments);
}

}  // namespace

Command add_export(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "Merge an adapter into its base model");
  command->add_option("folder", options->folder, "Folder of the adapter")->required();
  command->add_option("--out", options->out, "New Hugging Face folder")->required();
  command->add_option("--model", options->model, "Base model; default: the one trained on");
  return {command, [options](Session&) { return export_model(*options); }};
}

}  // namespace prefixmem::client
