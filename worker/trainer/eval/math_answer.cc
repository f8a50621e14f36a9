#include "worker/trainer/eval/math_answer.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace prefixmem::trainer {
namespace {

constexpr double kTolerance = 1e-4;  // of the larger number

std::string trimmed(std::string_view text) {
  const char* blanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(blanks) - begin + 1));
}

// What the braces that open at `begin` hold; none where they do not close.
std::optional<std::string> in_braces(std::string_view text, size_t begin) {
  int depth = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) {
      return trimmed(text.substr(begin + 1, at - begin - 1));
    }
  }
  return std::nullopt;
}

std::optional<std::string> last_boxed(std::string_view text) {
  for (const std::string_view command : {"\\boxed", "\\fbox"}) {
    const size_t found = text.rfind(command);
    if (found == text.npos) continue;
    const size_t brace = text.find_first_not_of(' ', found + command.size());
    if (brace == text.npos || text[brace] != '{') continue;
    if (auto inside = in_braces(text, brace)) return inside;
  }
  return std::nullopt;
}

std::optional<std::string> behind_hashes(std::string_view text) {
  constexpr std::string_view kHashes = "####";
  const size_t found = text.rfind(kHashes);
  if (found == text.npos) return std::nullopt;
  const std::string_view rest = text.substr(found + kHashes.size());
  return trimmed(rest.substr(0, rest.find('\n')));
}

std::optional<std::string> behind_words(std::string_view text) {
  static const RE2 kWords(R"((?is).*\banswer is:?\s*(.*))");
  static const RE2 kSentenceEnd(R"((?s)(.*?)(?:\.\s.*|\n.*|\.)?)");
  std::string rest, sentence;
  if (!RE2::FullMatch(text, kWords, &rest)) return std::nullopt;
  RE2::FullMatch(rest, kSentenceEnd, &sentence);
  return trimmed(sentence);
}

// Applied in this order, each to the end.
std::string normalized(std::string answer) {
  static const std::pair<RE2, const char*> kSteps[] = {
      {R"(\\[()\[\]]|\$|\\\$)", ""},                             // delimiters of mathematics
      {R"((\d)(?:,|\{,\}|\\,)(\d{3}\b))", "\\1\\2"},             // 1,234
      {R"((\d)(?:,|\{,\}|\\,)(\d{3}\d*\b))", "\\1\\2"},          // and what is left of 1,234,567
      {R"(^([+-]?[\d.,/]+)\s+[A-Za-z]{2,}[A-Za-z ]*$)", "\\1"},  // "72 apples"
      {R"(\\[!,;: ]|~|\\q?quad\b)", " "},                        // spaces
      {R"(\\(?:left|right)([^A-Za-z]|$))", "\\1"},
      {R"(\\[dtc]frac)", R"(\\frac)"},
      {R"(([^\s=])\s*\\(?:text|mathrm|mbox)\s*\{[^{}]*\}\s*$)", "\\1"},  // a unit
      {R"(\\(?:text|mathrm|mbox|textbf|mathbf|textit|mathit|operatorname)\s*\{([^{}]*)\})", "\\1"},
      {R"(\^\s*\{?\s*\\circ\s*\}?|\\degree\b|\\?%)", ""},
      {R"((\d)\s+(\d))", R"(\1~\2)"},  // two numbers stay two
      {R"(\s)", ""},
      {R"(\\frac(\d)(\d))", R"(\\frac{\1}{\2})"},
      {R"(\\frac(\d)\{)", R"(\\frac{\1}{)"},
      {R"(([\^_])\{(\w)\})", "\\1\\2"},
      {R"(^[A-Za-z](?:_\w|_\{\w+\})?=)", ""},
      {R"(\.$)", ""}};
  for (const auto& [pattern, replacement] : kSteps)
    RE2::GlobalReplace(&answer, pattern, replacement);
  return answer;
}

double value_of(std::string_view digits) {
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = std::nan("");  // also of what no double can hold
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::optional<double> number_of(const std::string& answer) {
  static const std::string kNumber = R"(([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))";
  static const std::string kPowerOfTen = R"(10\^(?:\{([+-]?\d+)\}|([+-]?\d+)))";
  static const RE2 kDecimal(kNumber);
  static const RE2 kScientific(kNumber + R"((?:\\times|\\cdot|\*|×|x))" + kPowerOfTen);
  static const RE2 kPower("([+-]?)" + kPowerOfTen);
  static const RE2 kQuotient(kNumber + "/" + kNumber);
  static const RE2 kFraction(R"(([+-]?)\\frac\{)" + kNumber + R"(\}\{)" + kNumber + R"(\})");
  std::string first, second, third;
  if (RE2::FullMatch(answer, kDecimal, &first)) return value_of(first);
  if (RE2::FullMatch(answer, kScientific, &first, &second, &third)) {
    return value_of(first) * std::pow(10, value_of(second + third));
  }
  if (RE2::FullMatch(answer, kPower, &first, &second, &third)) {
    return (first == "-" ? -1 : 1) * std::pow(10, value_of(second + third));
  }
  if (RE2::FullMatch(answer, kQuotient, &first, &second)) return value_of(first) / value_of(second);
  if (RE2::FullMatch(answer, kFraction, &first, &second, &third)) {
    return (first == "-" ? -1 : 1) * value_of(second) / value_of(third);
  }
  return std::nullopt;
}

}  // namespace

std::string final_answer(std::string_view text) {
  if (auto answer = last_boxed(text)) return *answer;
  if (auto answer = behind_hashes(text)) return *answer;
  if (auto answer = behind_words(text)) return *answer;
  return trimmed(text);
}

std::optional<double> number_in(std::string_view answer) {
  return number_of(normalized(std::string(answer)));
}

bool same_math_answer(std::string_view text, std::string_view expected) {
  const std::string found = normalized(final_answer(text));
  const std::string wanted = normalized(final_answer(expected));
  const auto a = number_of(found), b = number_of(wanted);
  if (!a || !b) return !found.empty() && found == wanted;
  return std::abs(*a - *b) <= kTolerance * std::max(std::abs(*a), std::abs(*b));
}

}  // namespace prefixmem::trainer
