#include "common/spec/suggest.h"

#include <algorithm>

namespace prefixmem::spec {

size_t edit_distance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> cells((a.size() + 1) * width);
  const auto at = [&](size_t i, size_t j) -> size_t& { return cells[i * width + j]; };
  for (size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    at(i, 0) = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({replaced, at(i - 1, j) + 1, at(i, j - 1) + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return cells.back();
}

namespace {

// "lr" of learning_rate.
std::string initials(std::string_view key) {
  std::string letters;
  for (size_t i = 0; i < key.size(); ++i) {
    if (i == 0 || key[i - 1] == '_') letters += key[i];
  }
  return letters;
}

// Whether the words of one are words of the other that stand side by side: batch_size of
// global_batch_size.
bool is_part(std::string_view words, std::string_view key) {
  return ("_" + std::string(key) + "_").find("_" + std::string(words) + "_") != std::string::npos;
}

// The only one that is meant by a short form.
std::string_view of_short_form(std::string_view word, const std::vector<std::string_view>& keys) {
  std::string_view meant;
  for (const std::string_view key : keys) {
    if (word.size() < 2 || (initials(key) != word && !is_part(word, key))) continue;
    if (!meant.empty()) return {};
    meant = key;
  }
  return meant;
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& keys) {
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
  return best.empty() ? of_short_form(word, keys) : best;
}

std::string suggestion(std::string_view word, const std::vector<std::string_view>& keys) {
  const std::string_view best = nearest(word, keys);
  if (!best.empty()) return "did you mean " + std::string(best) + "?";
  std::string all;
  for (const std::string_view key : keys) all += (all.empty() ? "" : ", ") + std::string(key);
  return "allowed: " + (all.empty() ? "none" : all);
}

}  // namespace prefixmem::spec
