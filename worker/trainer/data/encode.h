// From rows to token ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/rows.h"

namespace prefixmem::trainer {

// What encoding needs from a tokenizer; the Tokenizer of a model stands behind it (codec.h), tests
// put a small one of their own there.
class TextCodec {
 public:
  virtual ~TextCodec() = default;
  virtual Result<std::vector<int32_t>> encode(std::string_view text, bool add_special) const = 0;
  virtual Result<std::string> decode(
      const std::vector<int32_t>& ids) const = 0;  // without special tokens
  virtual Result<std::string> render_chat(const std::string& messages_json,
                                          bool add_generation_prompt) const = 0;
  virtual int32_t eos_id() const = 0;
};

// One row as the model sees it: prompt, completion, eos. The model reads all ids but the last; the
// loss is on every id behind the prompt (behind the first id where the prompt has none).
struct Example {
  std::vector<int32_t> ids;
  int64_t prompt_tokens = 0;
  int64_t line = 0;
  std::string completion;  // text
  int64_t label = -1;      // index among the label set; -1: none

  int64_t input_tokens() const { return static_cast<int64_t>(ids.size()) - 1; }
  int64_t first_label() const { return prompt_tokens > 0 ? prompt_tokens : 1; }
  int64_t label_tokens() const { return static_cast<int64_t>(ids.size()) - first_label(); }
};

// prompt_completion, text_label: ids = encode(prompt, special tokens) + encode(completion, none) +
// eos. messages: the chat template renders the prompt (all but the last message, with the
// generation prompt) and the whole; the completion is what the whole adds, eos is appended where it
// has none.
class RowEncoder {
 public:
  // `codec` must outlive the encoder. `limit`: most ids of a row.
  RowEncoder(const TextCodec& codec, const DataSpec& spec, std::vector<std::string> labels,
             int64_t limit);

  // INVALID_ARGUMENT naming file and line: a completion that does not fit, or no label token.
  Result<std::vector<Example>> encode_all(const std::vector<Row>& rows,
                                          const std::filesystem::path& file) const;

  // Completion ids + eos of each label of the set, for scoring them against one another.
  // INVALID_ARGUMENT where completions depend on more than the label.
  Result<std::vector<std::vector<int32_t>>> encode_labels() const;

  const std::vector<std::string>& labels() const { return labels_; }

 private:
  struct Parts {
    std::vector<int32_t> prompt, completion;  // the latter with eos
    std::string text;                         // of the completion
    bool empty = false;                       // the completion has no token of its own
  };
  Result<Example> encode_row(const Row& row, const std::string& where) const;
  Result<Parts> split(const Row& row) const;
  Result<Parts> split_messages(const Row& row) const;
  Result<Parts> split_text(std::string_view prompt, std::string completion) const;
  int64_t label_index(const Row& row) const;

  const TextCodec& codec_;
  const DataSpec spec_;
  const std::vector<std::string> labels_;
  const std::string joined_labels_;
  const int64_t limit_;
};

}  // namespace prefixmem::trainer
