#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/commands/commands.h"
#include "client/commands/estimate.h"
#include "client/exit_codes.h"
#include "common/spec/keys.h"
#include "common/spec/spec_io.h"

namespace prefixmem::client {
namespace {

struct ExplainOptions {
  std::string path;
  bool markdown = false;
  SpecFile estimated;
};

bool is_at_or_below(const std::string& key, const std::string& path) {
  return path.empty() || key == path || key.starts_with(path + ".");
}

std::string json_of(const std::string& path) {
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  for (const spec::KeyInfo& key : spec::schema_keys()) {
    if (!is_at_or_below(key.path, path)) continue;
    keys.push_back({{"path", key.path},
                    {"type", key.union_type},
                    {"allowed", key.allowed},
                    {"default", key.fallback},
                    {"optional", key.optional},
                    {"required", key.required},
                    {"meaning", key.doc}});
  }
  return nlohmann::ordered_json{{"keys", keys}}.dump(2) + "\n";
}

Result<int> explain_keys(const ExplainOptions& options, Session& session) {
  PM_ASSIGN(std::string text, explain(options.path));  // refuses what is no key
  if (options.markdown) text = job_spec_markdown();
  if (session.json()) text = json_of(options.path);
  PM_TRY(session.print(text));
  return kExitDone;
}

}  // namespace

Command add_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", "Explain the keys of a job spec");
  auto* path = command->add_option("key", options->path, "e.g. train.schedule; default: all");
  auto* markdown =
      command->add_flag("--markdown", options->markdown, "Print the whole page docs/job-spec.md")
          ->excludes(path);
  auto* estimate =
      command
          ->add_option("--estimate", options->estimated.file,
                       "FILE: print what memory the jobs of this spec need, - for standard input")
          ->excludes(path)
          ->excludes(markdown);
  add_spec_options(*command, options->estimated);
  for (const char* with : {"--set", "--registry", "--benchmark-data"}) {
    command->get_option(with)->needs(estimate);
  }
  return {command, [options](Session& session) {
            return options->estimated.file.empty() ? explain_keys(*options, session)
                                                   : explain_memory(options->estimated, session);
          }};
}

}  // namespace prefixmem::client
