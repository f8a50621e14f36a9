// Rows as their file holds them, before any token: reading, labels, few-shot selection, templates.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::trainer {

struct Row {
  int64_t line = 0;      // in its file, from 1
  std::string text;      // prompt_completion: the prompt; text_label: the text
  std::string label;     // prompt_completion: the completion; text_label: the label
  std::string messages;  // messages: the JSON array
};

// Reads a JSONL file: {"prompt", "completion"}, {"text", "label"} or {"messages"}; other keys are
// ignored. A missing key or a value of another type is INVALID_ARGUMENT naming file, line and key.
Result<std::vector<Row>> read_rows(const std::filesystem::path& file, DataFormat format);

// Distinct labels in the order in which the rows first show them.
std::vector<std::string> distinct_labels(const std::vector<Row>& rows);

// `per_class` rows of each label, chosen by (seed, label, index of the row in `rows`), in file
// order. INVALID_ARGUMENT where a label has fewer. `file` is for messages.
Result<std::vector<Row>> select_few_shot(const std::vector<Row>& rows, const FewShotSpec& spec,
                                         const std::filesystem::path& file);

// What a template's {text}, {label} and {labels} (all labels, joined by ", ") stand for. Other
// braces are left alone, and text that is filled in is not searched again.
struct TemplateValues {
  std::string_view text;
  std::string_view label;
  std::string_view labels;
};
std::string fill_template(std::string_view pattern, const TemplateValues& values);
std::string join_labels(const std::vector<std::string>& labels);

}  // namespace prefixmem::trainer
