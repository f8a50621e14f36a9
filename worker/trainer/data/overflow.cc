#include "worker/trainer/data/overflow.h"

#include <algorithm>

namespace prefixmem::trainer {
namespace {

int64_t size_of(const Example& example) { return static_cast<int64_t>(example.ids.size()); }

int64_t longest(std::span<const Example> row) {
  int64_t tokens = 0;
  for (const Example& example : row) tokens = std::max(tokens, size_of(example));
  return tokens;
}

Status does_not_fit(std::span<const Example> row, const RowLimit& limit, const std::string& where,
                    const std::string& why) {
  const auto& example = *std::max_element(
      row.begin(), row.end(),
      [](const Example& a, const Example& b) { return a.ids.size() < b.ids.size(); });
  const int64_t tokens = size_of(example);
  return invalid_argument(where +
                          " holds a completion that does not fit: prompt and completion are " +
                          std::to_string(example.prompt_tokens) + " + " +
                          std::to_string(tokens - example.prompt_tokens) + " = " +
                          std::to_string(tokens) + " tokens; allowed: at most " +
                          std::to_string(limit.tokens) + " (" + limit.source + ")" + why);
}

void cut_prompt(Example& example, int64_t kept, int64_t tokens) {
  const auto begin = example.ids.begin() + kept;
  example.ids.erase(begin, begin + tokens);
  example.prompt_tokens -= tokens;
}

}  // namespace

Result<Fit> fit_row(std::span<Example> row, const RowLimit& limit, int32_t bos,
                    const std::string& where) {
  const int64_t excess = longest(row) - limit.tokens;
  if (excess <= 0) return Fit::kWhole;
  switch (limit.overflow) {
    case Overflow::kError:
      break;
    case Overflow::kDrop:
      return Fit::kDropped;
    case Overflow::kTruncateLeft: {
      const Example& first = row.front();
      const int64_t kept = bos >= 0 && first.prompt_tokens > 0 && first.ids.front() == bos ? 1 : 0;
      if (first.prompt_tokens - kept < excess) {
        return does_not_fit(row, limit, where, "; data.overflow truncate_left cuts prompts only");
      }
      for (Example& example : row) cut_prompt(example, kept, excess);
      return Fit::kCut;
    }
    case Overflow::kTruncateRight: {
      if (limit.tokens <= row.front().first_label()) {
        return does_not_fit(row, limit, where,
                            "; data.overflow truncate_right would leave no label token");
      }
      for (Example& example : row) {
        example.ids.resize(std::min(size_of(example), limit.tokens));
      }
      return Fit::kCut;
    }
  }
  return does_not_fit(row, limit, where, ", unless data.overflow says what becomes of longer rows");
}

std::string overflow_note(std::string_view key, const RowCounts& counts, const RowLimit& limit) {
  if (counts.too_long == 0) return "";
  std::string done = "dropped";
  if (limit.overflow == Overflow::kTruncateLeft) done = "the beginning of their prompts was cut";
  if (limit.overflow == Overflow::kTruncateRight) done = "their end was cut";
  return std::string(key) + ": " + std::to_string(counts.too_long) + " of " +
         std::to_string(counts.rows) + " rows were longer than " + std::to_string(limit.tokens) +
         " tokens (" + limit.source + "): " + done;
}

}  // namespace prefixmem::trainer
