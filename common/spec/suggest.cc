#include "common/spec/suggest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace prefixmem::spec {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string suggestion(std::string_view word, const std::vector<std::string_view>& keys) {
  constexpr size_t kLongestWord = 64;  // no key is nearly as long
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view key : keys) {
    if (word.size() < 2 || word.size() > kLongestWord) break;
    const size_t distance = edit_distance(word, key);
    if (distance >= best_distance) continue;
    best = key;
    best_distance = distance;
  }
  if (!best.empty()) return "did you mean " + std::string(best) + "?";
  std::string all;
  for (const std::string_view key : keys) all += (all.empty() ? "" : ", ") + std::string(key);
  return "allowed: " + (all.empty() ? "none" : all);
}

}  // namespace prefixmem::spec
