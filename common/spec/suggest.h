// What somebody who misspelt a key may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace prefixmem::spec {

// "did you mean learning_rate?" where a key differs by at most a third of the letters (at least
// one), otherwise "allowed: " and all of them.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& keys);
// Also where it is the only one with these initials (lr) or words (batch_size).
// That key; empty: none is so near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& keys);

// Fewest insertions, deletions, replacements and swaps of neighbouring bytes (optimal string
// alignment).
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace prefixmem::spec
