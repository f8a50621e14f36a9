// Rows as their file holds them, before any token: reading, labels, few-shot selection.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/row_source.h"

namespace prefixmem::trainer {

struct Row {
  int64_t line = 0;   // in its file, from 1; Parquet: its place
  std::string text;   // prompt_completion, preference: the prompt; text_label: the text
  std::string label;  // prompt_completion: the completion; text_label: the label; preference: the
                      // chosen answer
  std::string messages;       // messages: the JSON array
  std::string rejected = {};  // preference: the rejected answer
  std::string answer = {};    // prompt_completion: the answer alone; may be empty
  bool chat = false;  // preference: prompt and answers are JSON arrays of messages, not plain text
};

// Reads a file of rows (row_source.h), one at a time. Fields by format: prompt, completion,
// answer; text, label; messages; prompt, chosen, rejected. data.columns names them otherwise, other
// columns are ignored. A label may be a whole number and an answer any number, which stand for
// their decimal text. An answer without a completion is the completion. Messages are a list of
// objects with role and content (or, as in CSV, the JSON text of one) and end with the assistant's.
//
// preference: prompt, chosen and rejected are text or lists of messages. Where the prompt is
// missing, or is text beside lists, it is what chosen and rejected begin with in common, as in TRL:
// the longest run of equal messages, or of equal characters without a blank at the end. Texts that
// answer a list of messages are the assistant's.
//
// INVALID_ARGUMENT naming file, line or row, column and value: what is missing, of another type or
// without a prompt; a file without rows.
Result<std::vector<Row>> read_rows(const std::filesystem::path& file, const DataSpec& data);
// The same of a file's content; `name` stands for it.
Result<std::vector<Row>> read_rows(std::string_view content, const std::filesystem::path& name,
                                   const DataSpec& data);

// Distinct labels in the order in which the rows first show them.
std::vector<std::string> distinct_labels(const std::vector<Row>& rows);

// Takes out of `rows` those of data.holdout, chosen by (seed, index), and gives them back, both in
// file order: as many as it asks for, but of each label data.few_shot.per_class rows stay (without
// few_shot one of text_label), and one row at all. INVALID_ARGUMENT where there is none to take.
Result<std::vector<Row>> take_holdout(std::vector<Row>& rows, const DataSpec& data);

// `per_class` rows of each label, chosen by (seed, label, index of the row in `rows`), in file
// order. INVALID_ARGUMENT where a label has fewer. `file` is for messages.
Result<std::vector<Row>> select_few_shot(std::vector<Row> rows, const FewShotSpec& spec,
                                         const std::filesystem::path& file);

}  // namespace prefixmem::trainer
