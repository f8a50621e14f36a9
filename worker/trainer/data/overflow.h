// Rows that are longer than allowed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/example.h"

namespace prefixmem::trainer {

struct RowLimit {
  int64_t tokens = 0;  // most ids of an example
  Overflow overflow = Overflow::kError;
  std::string source = {};  // where the number comes from, for messages: data.max_tokens
};

// How many rows there were and how many of them were too long.
struct RowCounts {
  int64_t rows = 0;
  int64_t too_long = 0;
};

enum class Fit { kWhole, kCut, kDropped };

// Makes the examples of one row fit; `where` names it. A row is too long where one of its examples
// is. data.overflow says what becomes of it:
// - truncate_left: the prompt loses its beginning, as much as the longest example needs, so that
//   the examples go on sharing it; its first id stays where that is `bos` (below 0: none).
//   Completions stay whole.
// - truncate_right: each example that is too long loses its end, eos with it, as in TRL; the prompt
//   stays whole.
// INVALID_ARGUMENT: too long under error; a completion that does not fit without any prompt
// (truncate_left); a prompt that leaves no room for a label token (truncate_right).
Result<Fit> fit_row(std::span<Example> row, const RowLimit& limit, int32_t bos,
                    const std::string& where);

// "data.train: 12 of 300 rows were longer than 512 tokens: dropped". Empty where none was.
std::string overflow_note(std::string_view key, const RowCounts& counts, const RowLimit& limit);

}  // namespace prefixmem::trainer
