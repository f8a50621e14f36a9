#include "client/submission/uploads.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "client/content/local_model.h"
#include "client/content/upload.h"
#include "common/spec/paths.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using spec::Tree;

constexpr std::string_view kModel = "model";
constexpr std::string_view kAdapter = "method.init";  // a folder

// What is on no worker either, as far as this host knows, fails only when the job starts.
Status check_path(std::string_view key, const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    const std::string sent =
        key == kModel
            ? "models://NAME after `pmt models add PATH` or `pmt models add hf://ORG/NAME`, "
            : "";
    return not_found(std::string(key) + ": " + path.string() +
                     " is not on this host; allowed: a path that is, " + sent +
                     "root://NAME/PATH of what the workers have, or any path with --no-upload");
  }
  if (key == kModel) return check_model_at(path).with_context(key);
  if (fs::is_directory(path, error) && key != kAdapter) {
    return invalid_argument(std::string(key) + ": it is \"" + path.string() +
                            "\", a folder; allowed: a file");
  }
  return {};
}

}  // namespace

Result<std::string> upload_named_files(const v1::SubmitJobRequest& submitted, Server& server,
                                       const std::function<void(const std::string&)>& note) {
  const std::string& yaml = submitted.yaml();
  PM_ASSIGN(Tree spec, spec::parse_tree(yaml));
  std::map<std::string, std::string> names;  // of what is sent: path → content://…
  PM_TRY(spec::each_path(spec, [&](std::string_view key, const Tree& value) -> Status {
    if (spec::has_scheme(value.scalar)) return {};
    PM_TRY(check_path(key, value.scalar));
    if (key != kModel) names.try_emplace(value.scalar);
    return {};
  }));
  if (names.empty()) return yaml;
  v1::CheckJobRequest request;
  request.set_yaml(yaml);
  request.set_idempotency_key(submitted.idempotency_key());
  *request.mutable_model_configs() = submitted.model_configs();
  PM_TRY(server.check(request).status());  // before anything is read and sent, which takes a while
  std::vector<LocalContent> contents;
  for (auto& [path, name] : names) {
    PM_ASSIGN(NamedContent content, content_of(path));
    name = to_string(content.name);
    for (LocalContent& one : content.contents) contents.push_back(std::move(one));
  }
  PM_ASSIGN(const Sent sent, upload(server, contents));
  if (sent.files > 0) note(sent_text(sent));
  PM_TRY(spec::each_path(spec, [&](std::string_view key, Tree& value) -> Status {
    const auto name = names.find(value.scalar);
    if (key != kModel && name != names.end()) value = Tree::text(name->second);
    return {};
  }));
  return spec::print_tree(spec);
}

}  // namespace prefixmem::client
