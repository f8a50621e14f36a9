#include <CLI/CLI.hpp>
#include <filesystem>
#include <system_error>

#include "client/commands/commands.h"
#include "client/content/local_model.h"
#include "client/content/upload.h"
#include "client/exit_codes.h"
#include "client/render/numbers.h"
#include "client/render/table.h"
#include "common/content/model_name.h"
#include "common/hub/hub.h"
#include "common/proto/timestamps.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

struct ModelsOptions {
  std::string path;
  std::string name;  // empty: that of the folder or file
};

// With a name of its own, for "." too; links stay, since their names say more than their targets'.
Result<fs::path> whole_path(const std::string& given, const Session& session) {
  std::error_code error;
  const fs::path path = (session.env.working_folder / given).lexically_normal();
  if (fs::exists(path, error)) return path.has_filename() ? path : path.parent_path();
  if (error) return from_errno("opening " + given, error.value());
  return not_found(given + " is not there" + hub_hint(given));
}

// What is to be sent, and what it is called unless it is given a name.
struct Source {
  fs::path path;
  std::string name;
};

Result<Source> source_of(const std::string& given, Session& session) {
  if (!names_hub(given)) {
    PM_ASSIGN(const fs::path path, whole_path(given, session));
    return Source{path, path.filename().string()};
  }
  PM_ASSIGN(const HubName name, parse_hub_name(given));
  HubFetch fetch{.folder = session.env.cache_folder / "hub"};
  fetch.note = [&](const HubFile& file) {
    session.note("fetching " + file.path + " of " + name.text() + ", " + short_bytes(file.bytes));
  };
  const auto folder = fetch_model(session.env.hub, name, fetch);
  if (!folder.ok()) return folder.status().with_context(name.text());
  return Source{*folder, name.name()};
}

Result<int> add_model(const ModelsOptions& options, Session& session) {
  if (!options.name.empty()) PM_TRY(check_model_name(options.name));
  PM_ASSIGN(const auto source, source_of(options.path, session));
  const fs::path& path = source.path;
  v1::AddModelRequest request;
  request.set_name(options.name.empty() ? source.name : options.name);
  PM_TRY(check_model_name(request.name()));
  PM_TRY(check_model_at(path));
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const NamedContent content, content_of(path));
  PM_ASSIGN(const Sent sent, upload(*server, content.contents));
  if (sent.files > 0) session.note(sent_text(sent));
  request.set_content(to_string(content.name));
  PM_ASSIGN(const v1::Model model, server->add_model(request));
  if (session.json()) {
    PM_TRY(session.print_json(model));
  } else {
    PM_TRY(session.print(std::string(kModelScheme) + model.name() + "\n"));
  }
  return kExitDone;
}

Result<int> list_models(Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto listed, server->models());
  if (session.json()) {
    PM_TRY(session.print_json(listed));
    return kExitDone;
  }
  const int64_t now = to_unix_millis(session.env.clock.wall());
  Table table(
      {{"model"}, {"files", Align::kRight}, {"size", Align::kRight}, {"age", Align::kRight}});
  for (const v1::Model& model : listed.models()) {
    const int64_t age = now - to_unix_millis(from_timestamp(model.create_time()));
    table.add({model.name(), std::to_string(model.files()), short_bytes(model.bytes()),
               short_seconds(static_cast<double>(age) / 1000)});
  }
  PM_TRY(session.print(table.text()));
  return kExitDone;
}

Result<int> show_model(const ModelsOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto model, server->model(options.name));
  if (session.json()) {
    PM_TRY(session.print_json(model));
    return kExitDone;
  }
  Table table({{"file"}, {"size", Align::kRight}, {"sha256"}});
  for (const v1::ModelFile& file : model.file()) {
    table.add({file.path(), short_bytes(file.bytes()), file.sha256()});
  }
  PM_TRY(session.print(model.content() + "\n" + table.text()));
  return kExitDone;
}

Result<int> remove_model(const ModelsOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto model, server->remove_model(options.name));
  if (session.json()) PM_TRY(session.print_json(model));
  session.note("model " + model.name() + " is removed; jobs that were submitted with it keep it");
  return kExitDone;
}

}  // namespace

Command add_models(CLI::App& app) {
  auto options = std::make_shared<ModelsOptions>();
  CLI::App* command = app.add_subcommand("models", "Models that the coordinator keeps");
  CLI::App* bring = command->add_subcommand("add", "Send a model, unless it is there");
  bring
      ->add_option("path", options->path,
                   "A Hugging Face folder, a .gguf file, or hf://ORG/NAME@REVISION")
      ->required();
  bring->add_option("--name", options->name, "What specs call it: models://NAME; default: its own");
  CLI::App* all = command->add_subcommand("list", "List all models");
  CLI::App* one = command->add_subcommand("show", "Show the files of a model");
  one->add_option("name", options->name, "Name of a model")->required();
  CLI::App* take = command->add_subcommand("rm", "Take a model's name away");
  take->add_option("name", options->name, "Name of a model")->required();
  command->require_subcommand(1);
  for (CLI::App* each : {bring, all, one, take}) each->fallthrough();
  return {command, [=](Session& session) {
            if (bring->parsed()) return add_model(*options, session);
            if (all->parsed()) return list_models(session);
            return one->parsed() ? show_model(*options, session) : remove_model(*options, session);
          }};
}

}  // namespace prefixmem::client
