#include "worker/agent/inputs/inputs.h"

#include <utility>

#include "common/content/hub_name.h"
#include "common/content/root_name.h"
#include "common/spec/paths.h"
#include "common/spec/utf8.h"
#include "worker/agent/inputs/content_origin.h"
#include "worker/agent/inputs/hub_origin.h"

namespace prefixmem::agent {

using spec::Tree;

namespace {

std::string name_for_people(const std::string& named) {
  const auto content = parse_content_name(named);
  return content.ok() ? content->name : named;
}

}  // namespace

Status LocalInputs::in_words_of_spec(const Status& failure) const {
  std::string sentence = failure.message();
  for (const auto& [path, name] : names) {
    if (path == name) continue;
    for (size_t at = sentence.find(path); at != std::string::npos; at = sentence.find(path, at)) {
      sentence.replace(at, path.size(), name);
      at += name.size();
    }
  }
  return {failure.code(), std::move(sentence)};
}

Result<LocalInputs> Inputs::localize(const std::string& spec_yaml,
                                     const std::stop_token& stop) const {
  PM_ASSIGN(Tree spec, spec::parse_tree(spec_yaml));
  LocalInputs local;
  PM_TRY(spec::each_path(spec, [&](std::string_view key, Tree& value) -> Status {
    const auto path = find(value.scalar, stop, local.leases);
    if (!path.ok()) return path.status().with_context(key);
    local.names.emplace_back(path->string(), name_for_people(value.scalar));
    value = Tree::text(path->string());
    return {};
  }));
  local.spec_yaml = spec::print_tree(spec);
  return local;
}

Result<std::unique_ptr<Origin>> Inputs::origin_of(const std::string& named) const {
  if (names_content(named)) {
    PM_ASSIGN(ContentName name, parse_content_name(named));
    return std::unique_ptr<Origin>(new ContentOrigin(std::move(name), source_, options_.backoff));
  }
  if (!names_hub(named)) return std::unique_ptr<Origin>();
  PM_ASSIGN(HubName name, parse_pinned_hub_name(named));
  if (options_.hub) {
    PM_TRY(options_.allowed.check(name));
    return std::unique_ptr<Origin>(new HubOrigin(std::move(name), *options_.hub));
  }
  return invalid_argument("\"" + named +
                          "\" is of the Hub, from which this worker does not fetch; allowed: "
                          "models://NAME after `pmt models add " +
                          named + "`, or pmt-worker --hub on every worker");
}

Result<std::filesystem::path> Inputs::find(const std::string& named, const std::stop_token& stop,
                                           std::vector<ContentLease>& leases) const {
  PM_ASSIGN(const auto origin, origin_of(named));
  if (origin != nullptr) {
    PM_ASSIGN(CachedContent content, cache_.get(*origin, stop));
    leases.push_back(std::move(content.lease));
    return std::move(content.path);
  }
  const Roots& roots = options_.roots;
  if (names_root(named)) return roots.resolve(named);
  if (roots.empty()) return std::filesystem::path(named);
  return invalid_argument(
      "\"" + spec::shortened(named, 400) +
      "\" is a path, which this worker does not open; allowed: " + roots.names() + ", content://…");
}

// What cannot be read is at hand: localize() has only to refuse it.
bool Inputs::at_hand(const std::string& spec_yaml) const {
  auto spec = spec::parse_tree(spec_yaml);
  if (!spec.ok()) return true;
  const Status absent = spec::each_path(*spec, [&](std::string_view, Tree& value) {
    const auto origin = origin_of(value.scalar);
    const bool here = !origin.ok() || *origin == nullptr || cache_.has((*origin)->key());
    return here ? Status() : not_found(value.scalar);
  });
  return absent.ok();
}

}  // namespace prefixmem::agent
