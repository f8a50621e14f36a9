// From rows to token ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/example.h"
#include "worker/trainer/data/overflow.h"
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

struct EncodedRows {
  std::vector<Example> examples;  // examples_per_row(format) of each row that is kept
  RowCounts counts;
};

// prompt_completion, text_label: ids = encode(prompt, special tokens) + encode(completion, none) +
// eos. messages: the chat template renders the prompt (all but the last message, with the
// generation prompt) and the whole; the completion is what the whole adds, eos is appended where it
// has none. preference: both answers to one prompt, in the one way or the other.
class RowEncoder {
 public:
  // `codec` must outlive the encoder. `labels`: the label set of text_label, empty otherwise.
  RowEncoder(const TextCodec& codec, const DataSpec& spec, std::vector<std::string> labels,
             RowLimit limit);

  // Frees the rows as it goes on. INVALID_ARGUMENT naming file and row: a completion without a
  // token, a chat that the template refuses, and what fit_row refuses; all rows dropped.
  Result<EncodedRows> encode_all(std::vector<Row> rows, const std::filesystem::path& file) const;

  // Completion ids + eos of each label of the set, for scoring them against one another.
  // INVALID_ARGUMENT where completions depend on more than the label.
  Result<std::vector<std::vector<int32_t>>> encode_labels() const;

  // -1: not in the label set.
  int64_t label_index(const std::string& label) const;
  const RowLimit& limit() const { return limit_; }

 private:
  struct Answer {
    std::vector<int32_t> ids;  // with eos
    std::string text;
    bool empty = false;  // it has no token of its own
  };
  Result<std::vector<Example>> encode_row(const Row& row, const std::string& where) const;
  // The ids of the prompt, and for each answer what follows them.
  Result<std::vector<int32_t>> split(const Row& row, std::vector<Answer>& answers) const;
  Result<std::vector<int32_t>> split_chat(const Row& row, std::vector<Answer>& answers) const;
  Result<Answer> plain_answer(std::string text) const;

  const TextCodec& codec_;
  const DataSpec spec_;
  const std::vector<std::string> labels_;
  const std::unordered_map<std::string, int64_t> indices_;
  const std::string joined_labels_;  // their words
  const RowLimit limit_;
};

}  // namespace prefixmem::trainer
