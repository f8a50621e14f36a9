#include "common/spec/layer_list.h"

#include <charconv>
#include <numeric>
#include <set>

#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

using Range = std::pair<int64_t, int64_t>;

bool parse_layer(std::string_view text, int64_t& layer) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto result = std::from_chars(begin, end, layer);
  return result.ec == std::errc() && result.ptr == end && layer >= 0;
}

bool parse_range(std::string_view text, Range& range) {
  const size_t dash = text.find('-');
  if (dash == text.npos) return parse_layer(text, range.first) && parse_layer(text, range.second);
  return parse_layer(text.substr(0, dash), range.first) &&
         parse_layer(text.substr(dash + 1), range.second) && range.first <= range.second;
}

}  // namespace

Result<std::vector<Range>> parse_layer_list(const std::vector<std::string>& entries) {
  if (entries == std::vector<std::string>{"all"}) return std::vector<Range>();
  const std::string allowed = "; allowed: all alone, or numbers from 0 and ranges such as 0-11";
  if (entries.empty()) return invalid_argument("the list is empty" + allowed);
  std::vector<Range> ranges(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (parse_range(entries[i], ranges[i])) continue;
    return invalid_argument('"' + shortened(entries[i], 80) + "\" is no layer" + allowed);
  }
  return ranges;
}

Result<std::vector<int64_t>> select_layers(const std::vector<std::string>& entries, int64_t count) {
  PM_ASSIGN(const auto ranges, parse_layer_list(entries));
  std::vector<int64_t> all(count);
  std::iota(all.begin(), all.end(), 0);
  if (ranges.empty()) return all;
  std::set<int64_t> chosen;
  for (const auto& [first, last] : ranges) {
    if (last >= count) {
      return invalid_argument("it names layer " + std::to_string(last) + "; allowed: up to " +
                              std::to_string(count - 1) + ", the model's last");
    }
    for (int64_t layer = first; layer <= last; ++layer) chosen.insert(layer);
  }
  return std::vector<int64_t>(chosen.begin(), chosen.end());
}

}  // namespace prefixmem::spec
