// Templates of prompts and completions, and the words that labels stand as in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::trainer {

// What a template's {text}, {label} and {labels} (all labels, joined by ", ") stand for. Other
// braces are left alone, and text that is filled in is not searched again.
struct TemplateValues {
  std::string_view text;
  std::string_view label;
  std::string_view labels;
};
std::string fill_template(std::string_view pattern, const TemplateValues& values);
std::string join_labels(const std::vector<std::string>& labels);

// What data.label_words says a label stands as; without an entry it stands for itself.
std::string words_of(const DataSpec& data, const std::string& label);

// INVALID_ARGUMENT where data.label_words names a label that is not among `labels`, or two labels
// stand as the same words.
Status check_label_words(const DataSpec& data, const std::vector<std::string>& labels);

}  // namespace prefixmem::trainer
