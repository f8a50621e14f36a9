#include "common/content/hub_name.h"

#include <algorithm>
#include <cctype>

#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

// What the Hub allows, so that it needs no escape in a URL and is a name of a folder.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace

bool is_commit_name(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool HubName::is_commit() const { return is_commit_name(revision); }

bool names_hub(std::string_view text) { return text.starts_with(kHubScheme); }

Result<HubName> parse_hub_name(std::string_view text) {
  std::string_view rest = names_hub(text) ? text.substr(kHubScheme.size()) : "";
  const size_t at = rest.find('@');
  HubName name;
  if (at != rest.npos) name.revision = rest.substr(at + 1);
  name.repository = rest.substr(0, at);
  const bool two = name.repository.find('/') != std::string::npos;
  if (two && is_word(name.organisation()) && is_word(name.name()) && is_word(name.revision)) {
    return name;
  }
  return invalid_argument("\"" + spec::shortened(text, 200) +
                          "\" names no model of the Hub; allowed: hf://ORG/NAME or "
                          "hf://ORG/NAME@REVISION, a branch, tag or commit");
}

Result<HubName> parse_pinned_hub_name(std::string_view text) {
  PM_ASSIGN(HubName name, parse_hub_name(text));
  if (name.is_commit()) return name;
  return invalid_argument("\"" + std::string(text) +
                          "\" may mean other weights tomorrow; allowed: hf://ORG/NAME@COMMIT with "
                          "the 40 digits of a commit, which `pmt submit` puts there");
}

}  // namespace prefixmem
