#include "coordinator/store/s3/xml.h"

#include <array>
#include <utility>

namespace prefixmem::store::s3 {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 9> kEntities = {{{"&lt;", '<'},
                                                                         {"&gt;", '>'},
                                                                         {"&quot;", '"'},
                                                                         {"&#34;", '"'},
                                                                         {"&apos;", '\''},
                                                                         {"&#39;", '\''},
                                                                         {"&#43;", '+'},
                                                                         {"&#x2B;", '+'},
                                                                         {"&amp;", '&'}}};

std::string unescaped(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    size_t length = 1;
    char c = text.front();
    for (const auto& [entity, meant] : kEntities) {
      if (!text.starts_with(entity)) continue;
      length = entity.size();
      c = meant;
      break;
    }
    plain += c;
    text.remove_prefix(length);
  }
  return plain;
}

// Where "<name>" or "<name …>" ends; npos where there is none.
size_t content_start(std::string_view xml, const std::string& open, size_t from) {
  for (size_t at = xml.find(open, from); at != xml.npos; at = xml.find(open, at + 1)) {
    const size_t next = at + open.size();
    if (next >= xml.size()) break;
    if (xml[next] == '>') return next + 1;
    if (xml[next] != ' ') continue;
    const size_t end = xml.find('>', next);
    return end == xml.npos ? end : end + 1;
  }
  return xml.npos;
}

}  // namespace

std::vector<std::string_view> elements(std::string_view xml, std::string_view name) {
  const std::string open = "<" + std::string(name);
  const std::string close = "</" + std::string(name) + ">";
  std::vector<std::string_view> found;
  for (size_t at = 0;;) {
    const size_t start = content_start(xml, open, at);
    if (start == xml.npos) return found;
    const size_t end = xml.find(close, start);
    if (end == xml.npos) return found;
    found.push_back(xml.substr(start, end - start));
    at = end + close.size();
  }
}

std::string text_of(std::string_view xml, std::string_view name) {
  const auto found = elements(xml, name);
  return found.empty() ? "" : unescaped(found.front());
}

}  // namespace prefixmem::store::s3
