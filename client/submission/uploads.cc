#include "client/submission/uploads.h"

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "client/content/upload.h"
#include "common/spec/paths.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using spec::Tree;

Result<NamedContent> read(std::string_view key, const fs::path& path) {
  if (fs::is_directory(path) && key != "method.init") {
    return invalid_argument("it is \"" + path.string() + "\", a folder; allowed: a file");
  }
  return content_of(path);
}

// What a spec names, each file read once.
class Collector {
 public:
  Status visit(std::string_view key, Tree& value) {
    if (key == "model" || spec::has_scheme(value.scalar)) return {};
    std::error_code error;
    if (!fs::exists(value.scalar, error)) {
      absent_.try_emplace(value.scalar, key);
      return {};
    }
    auto known = names_.find(value.scalar);
    if (known == names_.end()) {
      auto upload = read(key, value.scalar);
      if (!upload.ok()) return upload.status().with_context(key);
      known = names_.emplace(value.scalar, to_string(upload->name)).first;
      for (LocalContent& content : upload->contents) contents.push_back(std::move(content));
    }
    value = Tree::text(known->second);
    return {};
  }

  const std::map<std::string, std::string>& absent() const { return absent_; }
  std::vector<LocalContent> contents;

 private:
  std::map<std::string, std::string> names_;   // path → content://…
  std::map<std::string, std::string> absent_;  // path → a key that names it
};

}  // namespace

Result<std::string> upload_named_files(const std::string& yaml, Server& server,
                                       const std::function<void(const std::string&)>& note) {
  PM_ASSIGN(Tree spec, spec::parse_tree(yaml));
  Collector found;
  PM_TRY(spec::each_path(
      spec, [&](std::string_view key, Tree& value) { return found.visit(key, value); }));
  for (const auto& [path, key] : found.absent()) {
    note(key + ": " + path + " is not on this host, so the workers are to have it");
  }
  if (found.contents.empty()) return yaml;
  PM_ASSIGN(const Sent sent, upload(server, found.contents));
  if (sent.files > 0) note(sent_text(sent));
  return spec::print_tree(spec);
}

}  // namespace prefixmem::client
