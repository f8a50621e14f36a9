#include "client/hub/hub_name.h"

#include <algorithm>
#include <cctype>

#include "common/spec/utf8.h"

namespace prefixmem::client {
namespace {

// What the Hub allows, so that it needs no escape in a URL and is a name of a folder.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace

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

}  // namespace prefixmem::client
