// One row as the model sees it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/spec/job_spec.h"

namespace prefixmem::trainer {

// Prompt, completion, eos. The model reads all ids but the last; the loss is on every id behind the
// prompt (behind the first id where the prompt has none).
struct Example {
  std::vector<int32_t> ids;
  int64_t prompt_tokens = 0;
  int64_t line = 0;    // number of its row in its file
  std::string answer;  // what a generated text is compared with: the row's answer, or completion
  int64_t label = -1;  // index among the label set; -1: none

  int64_t input_tokens() const { return static_cast<int64_t>(ids.size()) - 1; }
  std::span<const int32_t> inputs() const { return {ids.data(), ids.size() - 1}; }
  std::span<const int32_t> prompt() const { return std::span(ids).first(prompt_tokens); }
  int64_t first_label() const { return prompt_tokens > 0 ? prompt_tokens : 1; }
  int64_t label_tokens() const { return static_cast<int64_t>(ids.size()) - first_label(); }
};

// Row r of a list of examples is example r; of preference rows it is the pair of example 2r, the
// chosen answer, and example 2r + 1, the rejected one, whose prompt_tokens first ids are equal.
constexpr int64_t examples_per_row(DataFormat format) {
  return format == DataFormat::kPreference ? 2 : 1;
}

}  // namespace prefixmem::trainer
