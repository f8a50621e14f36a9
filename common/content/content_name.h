// How a spec names content that the coordinator keeps: content://SHA256/NAME, a folder with a slash
// at the end.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

inline constexpr std::string_view kContentScheme = "content://";

struct ContentName {
  std::string sha256;  // of the file, or of the list of the folder's files (folder_list.h)
  std::string name;    // what it was called, whose ending tells the format of rows
  bool folder = false;

  bool operator==(const ContentName&) const = default;
};

// Whether `text` is meant as one.
bool names_content(std::string_view text);
// INVALID_ARGUMENT with the text and what is allowed.
Result<ContentName> parse_content_name(std::string_view text);
std::string to_string(const ContentName& name);

}  // namespace prefixmem
