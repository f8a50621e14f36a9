#include <CLI/CLI.hpp>

#include "client/commands/adapter_folder.h"
#include "client/commands/commands.h"
#include "client/commands/tool.h"

namespace prefixmem::client {
namespace {

struct VerifyOptions {
  std::string target, model;
};

Result<int> verify(const VerifyOptions& options, Session& session) {
  PM_ASSIGN(const AdapterFolder adapter, find_adapter(options.target, session));
  std::vector<std::string> arguments = {"verify", adapter.path};
  if (!options.model.empty()) arguments.insert(arguments.end(), {"--model", options.model});
  return run_tool(kAdapterTool, arguments);
}

}  // namespace

Command add_verify(CLI::App& app) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand("verify", "Say whether an adapter is really applied");
  command
      ->add_option("target", options->target,
                   "Folder of an adapter, an exported model or a download, or job id or name")
      ->required();
  command->add_option("--model", options->model, "Base model; default: the one trained on");
  return {command, [options](Session& session) { return verify(*options, session); }};
}

}  // namespace prefixmem::client
