#include "common/content/content_name.h"

#include <algorithm>

#include "common/sha256.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

constexpr size_t kDigits = 64;
constexpr size_t kLongestName = 255;  // of a file, in bytes

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
         spec::is_utf8(name) && std::none_of(name.begin(), name.end(), [](unsigned char c) {
           return c == '/' || c < 0x20 || c == 0x7f;
         });
}

}  // namespace

bool names_content(std::string_view text) { return text.starts_with(kContentScheme); }

Result<ContentName> parse_content_name(std::string_view text) {
  const Status refusal = invalid_argument(
      "\"" + spec::shortened(text, 400) +
      "\" names no content; allowed: content://SHA256/NAME, with a slash at the end of a folder");
  if (!names_content(text)) return refusal;
  std::string_view rest = text.substr(kContentScheme.size());
  ContentName name{.sha256 = std::string(rest.substr(0, kDigits)), .name = {}};
  rest.remove_prefix(std::min(rest.size(), kDigits));
  if (!is_sha256(name.sha256) || !rest.starts_with('/')) return refusal;
  rest.remove_prefix(1);
  name.folder = rest.ends_with('/');
  if (name.folder) rest.remove_suffix(1);
  if (!is_file_name(rest)) return refusal;
  name.name = rest;
  return name;
}

std::string to_string(const ContentName& name) {
  return std::string(kContentScheme) + name.sha256 + "/" + name.name + (name.folder ? "/" : "");
}

}  // namespace prefixmem
