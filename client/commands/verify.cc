#include <CLI/CLI.hpp>

#include "client/commands/commands.h"
#include "client/commands/tool.h"

namespace prefixmem::client {
namespace {

struct VerifyOptions {
  std::string folder, model;
};

Result<int> verify(const VerifyOptions& options) {
  std::vector<std::string> arguments = {"verify", options.folder};
  if (!options.model.empty()) arguments.insert(arguments.end(), {"--model", options.model});
  return run_tool(kAdapterTool, arguments);
}

}  // namespace

Command add_verify(CLI::App& app) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand("verify", "Say whether an adapter is really applied");
  command->add_option("folder", options->folder, "Adapter or exported model")->required();
  command->add_option("--model", options->model, "Base model; default: the one trained on");
  return {command, [options](Session&) { return verify(*options); }};
}

}  // namespace prefixmem::client
