#include "client/render/text.h"

#include <algorithm>

namespace prefixmem::client {
namespace {

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

// Length of the control character that `text` begins with: those of ASCII, and U+0080 to U+009F,
// which some terminals obey as well. 0: none.
size_t control_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x20 || byte(0) == 0x7F) return 1;
  return byte(0) == 0xC2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) < 0xA0 ? 2 : 0;
}

}  // namespace

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string padded(std::string_view text, size_t columns, Align align) {
  const size_t present = columns_of(text);
  const std::string space(columns > present ? columns - present : 0, ' ');
  return align == Align::kLeft ? std::string(text) + space : space + std::string(text);
}

std::string cut(std::string_view text, size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    if (starts_character(text[end]) && seen++ == columns - 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string printable(std::string_view text, bool multiline) {
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool kept = multiline && text[i] == '\n';
    const size_t control = kept ? 0 : control_bytes(text.substr(i));
    clean += control > 0 ? ' ' : text[i];
    if (control == 2) ++i;
  }
  clean.erase(clean.find_last_not_of(" \n") + 1);
  return clean;
}

}  // namespace prefixmem::client
