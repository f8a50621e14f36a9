#include "worker/trainer/data/encode.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "worker/trainer/data/jsonl.h"

namespace prefixmem::trainer {

RowEncoder::RowEncoder(const TextCodec& codec, const DataSpec& spec,
                       std::vector<std::string> labels, int64_t limit)
    : codec_(codec),
      spec_(spec),
      labels_(std::move(labels)),
      joined_labels_(join_labels(labels_)),
      limit_(limit) {}

Result<std::vector<Example>> RowEncoder::encode_all(const std::vector<Row>& rows,
                                                    const std::filesystem::path& file) const {
  std::vector<Example> examples;
  examples.reserve(rows.size());
  for (const Row& row : rows) {
    PM_ASSIGN(auto example, encode_row(row, row_name(file, row.line)));
    examples.push_back(std::move(example));
  }
  return examples;
}

Result<std::vector<std::vector<int32_t>>> RowEncoder::encode_labels() const {
  if (spec_.format == DataFormat::kMessages) {
    return invalid_argument(
        "eval.mode is label_likelihood and data.format is messages; allowed: a format with labels "
        "(text_label, prompt_completion)");
  }
  if (spec_.format == DataFormat::kTextLabel &&
      spec_.completion_template.find("{text}") != std::string::npos) {
    return invalid_argument("data.completion is \"" + spec_.completion_template +
                            "\"; allowed with eval.mode label_likelihood: no {text} in it");
  }
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& label : labels_) {
    Row row;
    row.label = label;
    auto parts = split(row);
    if (!parts.ok()) return parts.status().with_context("label \"" + label + "\"");
    ids.push_back(std::move(parts->completion));
  }
  return ids;
}

Result<Example> RowEncoder::encode_row(const Row& row, const std::string& where) const {
  auto parts = split(row);
  if (!parts.ok()) return parts.status().with_context(where);
  Example example;
  example.line = row.line;
  example.label = label_index(row);
  example.prompt_tokens = static_cast<int64_t>(parts->prompt.size());
  example.ids = std::move(parts->prompt);
  example.ids.insert(example.ids.end(), parts->completion.begin(), parts->completion.end());
  example.completion = std::move(parts->text);
  if (parts->empty || example.label_tokens() < 1) {
    return invalid_argument(where + " has no label token: its completion is empty");
  }
  if (const auto tokens = static_cast<int64_t>(example.ids.size()); tokens > limit_) {
    return invalid_argument(
        where + " holds a completion that does not fit: prompt and completion are " +
        std::to_string(example.prompt_tokens) + " + " +
        std::to_string(tokens - example.prompt_tokens) + " = " + std::to_string(tokens) +
        " tokens; allowed: at most " + std::to_string(limit_) +
        (spec_.max_tokens > 0 ? " (data.max_tokens)" : " (the model's max_position_embeddings)"));
  }
  return example;
}

Result<RowEncoder::Parts> RowEncoder::split(const Row& row) const {
  if (spec_.format == DataFormat::kMessages) return split_messages(row);
  if (spec_.format == DataFormat::kPromptCompletion) return split_text(row.text, row.label);
  const TemplateValues values{row.text, row.label, joined_labels_};
  return split_text(fill_template(spec_.prompt_template, values),
                    fill_template(spec_.completion_template, values));
}

Result<RowEncoder::Parts> RowEncoder::split_text(std::string_view prompt,
                                                 std::string completion) const {
  Parts parts;
  PM_ASSIGN(parts.prompt, codec_.encode(prompt, true));
  PM_ASSIGN(parts.completion, codec_.encode(completion, false));
  parts.empty = parts.completion.empty();
  parts.completion.push_back(codec_.eos_id());
  parts.text = std::move(completion);
  return parts;
}

Result<RowEncoder::Parts> RowEncoder::split_messages(const Row& row) const {
  auto history = nlohmann::json::parse(row.messages);
  const std::string answer = history.back()["content"];
  history.erase(history.size() - 1);
  PM_ASSIGN(const std::string whole, codec_.render_chat(row.messages, false));
  std::string prompt;
  if (!history.empty()) {
    PM_ASSIGN(prompt, codec_.render_chat(history.dump(), true));
  }
  if (!whole.starts_with(prompt)) {
    return invalid_argument(
        "the model's chat template renders the earlier messages differently once the answer "
        "follows, so where the answer begins is not defined");
  }
  Parts parts;
  PM_ASSIGN(parts.prompt, codec_.encode(prompt, false));
  PM_ASSIGN(parts.completion, codec_.encode(whole.substr(prompt.size()), false));
  parts.empty = answer.empty();
  const auto& ids = parts.completion;
  if (std::find(ids.begin(), ids.end(), codec_.eos_id()) == ids.end()) {
    parts.completion.push_back(codec_.eos_id());
  }
  parts.text = answer;
  return parts;
}

int64_t RowEncoder::label_index(const Row& row) const {
  const auto found = std::find(labels_.begin(), labels_.end(), row.label);
  return found == labels_.end() ? -1 : found - labels_.begin();
}

}  // namespace prefixmem::trainer
