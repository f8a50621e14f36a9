#include "worker/trainer/data/encode.h"

#include <algorithm>

#include "worker/trainer/data/chat_split.h"
#include "worker/trainer/data/templates.h"

namespace prefixmem::trainer {
namespace {

std::string joined_words(const DataSpec& spec, const std::vector<std::string>& labels) {
  std::vector<std::string> words;
  for (const std::string& label : labels) words.push_back(words_of(spec, label));
  return join_labels(words);
}

std::unordered_map<std::string, int64_t> indices_of(const std::vector<std::string>& labels) {
  std::unordered_map<std::string, int64_t> indices;
  for (const std::string& label : labels) indices.emplace(label, indices.size());
  return indices;
}

// The id that the tokenizer puts before every text; below 0: none.
Result<int32_t> bos_of(const TextCodec& codec) {
  PM_ASSIGN(const auto ids, codec.encode("", true));
  return ids.empty() ? -1 : ids.front();
}

// The messages of a chat and of each answer to it.
struct Chat {
  Json history;
  std::vector<Json> answers;
};

Chat chat_of(const Row& row) {
  if (row.chat) {
    return {Json::parse(row.text), {Json::parse(row.label), Json::parse(row.rejected)}};
  }
  Chat chat{Json::parse(row.messages), {Json::array()}};
  chat.answers.front().push_back(chat.history.back());
  chat.history.erase(chat.history.size() - 1);
  return chat;
}

}  // namespace

RowEncoder::RowEncoder(const TextCodec& codec, const DataSpec& spec,
                       std::vector<std::string> labels, RowLimit limit)
    : codec_(codec),
      spec_(spec),
      labels_(std::move(labels)),
      indices_(indices_of(labels_)),
      joined_labels_(joined_words(spec_, labels_)),
      limit_(std::move(limit)) {}

Result<EncodedRows> RowEncoder::encode_all(std::vector<Row> rows,
                                           const std::filesystem::path& file) const {
  PM_ASSIGN(const int32_t bos, bos_of(codec_));
  EncodedRows out;
  out.counts.rows = static_cast<int64_t>(rows.size());
  out.examples.reserve(rows.size() * examples_per_row(spec_.format));
  for (Row& row : rows) {
    const std::string where = row_name(file, row.line);
    PM_ASSIGN(auto examples, encode_row(row, where));
    PM_ASSIGN(const Fit fit, fit_row(examples, limit_, bos, where));
    out.counts.too_long += fit == Fit::kWhole ? 0 : 1;
    if (fit != Fit::kDropped)
      std::move(examples.begin(), examples.end(), back_inserter(out.examples));
    row = {};
  }
  if (!rows.empty() && out.examples.empty()) {
    return invalid_argument("every row of " + file.string() + " is longer than " +
                            std::to_string(limit_.tokens) + " tokens (" + limit_.source +
                            ") and dropped; allowed: at least one that fits");
  }
  return out;
}

Result<std::vector<std::vector<int32_t>>> RowEncoder::encode_labels() const {
  if (spec_.completion_template.find("{text}") != std::string::npos) {
    return invalid_argument("data.completion is \"" + spec_.completion_template +
                            "\"; allowed with eval.mode label_likelihood: no {text} in it");
  }
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& label : labels_) {
    const std::string words = words_of(spec_, label);
    auto answer =
        plain_answer(fill_template(spec_.completion_template, {"", words, joined_labels_}));
    if (!answer.ok()) return answer.status().with_context("label \"" + label + "\"");
    ids.push_back(std::move(answer->ids));
  }
  return ids;
}

Result<std::vector<Example>> RowEncoder::encode_row(const Row& row,
                                                    const std::string& where) const {
  std::vector<Answer> answers;
  auto prompt = split(row, answers);
  if (!prompt.ok()) return prompt.status().with_context(where);
  std::vector<Example> examples;
  for (Answer& answer : answers) {
    Example& example = examples.emplace_back();
    example.line = row.line;
    example.label = label_index(row.label);
    example.prompt_tokens = static_cast<int64_t>(prompt->size());
    example.ids = *prompt;
    example.ids.insert(example.ids.end(), answer.ids.begin(), answer.ids.end());
    example.answer = row.answer;
    if (row.answer.empty()) example.answer = std::move(answer.text);
    if (!answer.empty && example.label_tokens() >= 1) continue;
    return invalid_argument(where + " has no label token: its completion is empty");
  }
  return examples;
}

Result<std::vector<int32_t>> RowEncoder::split(const Row& row, std::vector<Answer>& answers) const {
  if (spec_.format == DataFormat::kMessages || row.chat) return split_chat(row, answers);
  if (spec_.format == DataFormat::kTextLabel) {
    const std::string words = words_of(spec_, row.label);
    const TemplateValues values{row.text, words, joined_labels_};
    PM_ASSIGN(Answer answer, plain_answer(fill_template(spec_.completion_template, values)));
    answers.push_back(std::move(answer));
    return codec_.encode(fill_template(prompt_pattern(spec_), values), true);
  }
  PM_ASSIGN(Answer answer, plain_answer(row.label));
  answers.push_back(std::move(answer));
  if (spec_.format == DataFormat::kPreference) {
    PM_ASSIGN(Answer rejected, plain_answer(row.rejected));
    answers.push_back(std::move(rejected));
  }
  return codec_.encode(fill_template(prompt_pattern(spec_), {row.text, {}, {}}), true);
}

Result<std::vector<int32_t>> RowEncoder::split_chat(const Row& row,
                                                    std::vector<Answer>& answers) const {
  const Chat chat = chat_of(row);
  PM_ASSIGN(const std::string prompt, render_prompt(codec_, chat.history));
  for (const Json& messages : chat.answers) {
    PM_ASSIGN(const std::string text, render_answer(codec_, chat.history, messages, prompt));
    Answer answer;
    PM_ASSIGN(answer.ids, codec_.encode(text, false));
    answer.text = messages.back()["content"];
    answer.empty = answer.text.empty();
    const auto& ids = answer.ids;
    if (std::find(ids.begin(), ids.end(), codec_.eos_id()) == ids.end()) {
      answer.ids.push_back(codec_.eos_id());
    }
    answers.push_back(std::move(answer));
  }
  return codec_.encode(prompt, false);
}

Result<RowEncoder::Answer> RowEncoder::plain_answer(std::string text) const {
  Answer answer;
  PM_ASSIGN(answer.ids, codec_.encode(text, false));
  answer.empty = answer.ids.empty();
  answer.ids.push_back(codec_.eos_id());
  answer.text = std::move(text);
  return answer;
}

int64_t RowEncoder::label_index(const std::string& label) const {
  const auto found = indices_.find(label);
  return found == indices_.end() ? -1 : found->second;
}

}  // namespace prefixmem::trainer
