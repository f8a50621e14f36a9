// The final answer in a text of mathematics, and when two of them are the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace prefixmem::trainer {

// The answer that a text ends in: what the last \boxed{} (or \fbox{}) holds; without one the rest
// of the line behind the last "####" (GSM8K); without one what follows the last "the answer is" up
// to the end of its sentence; without one the whole text.
std::string final_answer(std::string_view text);

// A number as people and LaTeX write it: 1,234.5, -3, 4.5e33, 4.5 \times 10^{33}, 10^{5}, 3/4,
// \frac{3}{4}, 50\%, each with or without $ and a unit in \text{} or \mathrm{}. Percent signs are
// left out, not divided by.
std::optional<double> number_in(std::string_view answer);

// Whether the final answers of both texts are numbers that differ by at most 1e-4 of the larger, or
// the same formula but for blanks, fonts, sizes of brackets, units and a name before "=".
bool same_math_answer(std::string_view text, std::string_view expected);

}  // namespace prefixmem::trainer
