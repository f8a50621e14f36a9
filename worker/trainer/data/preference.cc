#include "worker/trainer/data/preference.h"

#include <algorithm>

namespace prefixmem::trainer {
namespace {

bool is_text(const Field& field) { return field.value && field.value->is_string(); }
bool is_list(const Field& field) { return field.value && field.value->is_array(); }

Status no_split(const Field& chosen, const std::string& why) {
  return invalid_argument(chosen.where + " has no prompt: " + why +
                          "; allowed: a prompt of its own, or answers that begin alike and differ "
                          "later");
}

// Bytes of the longest beginning in common that ends between two characters.
size_t common_bytes(const std::string& a, const std::string& b) {
  const size_t shorter = std::min(a.size(), b.size());
  size_t bytes = std::mismatch(a.begin(), a.begin() + shorter, b.begin()).first - a.begin();
  const auto inside = [&](size_t at) {
    return at < a.size() && (static_cast<unsigned char>(a[at]) & 0xc0U) == 0x80U;
  };
  while (bytes > 0 && inside(bytes)) --bytes;
  return bytes;
}

Status split_text(Row& row, const Field& chosen) {
  size_t bytes = common_bytes(row.label, row.rejected);
  if (bytes == std::min(row.label.size(), row.rejected.size())) {
    return no_split(chosen, "one answer is the beginning of the other");
  }
  if (bytes > 0 && row.label[bytes - 1] == ' ') --bytes;
  if (bytes == 0) return no_split(chosen, "the answers differ from the first character on");
  row.text = row.label.substr(0, bytes);
  row.label.erase(0, bytes);
  row.rejected.erase(0, bytes);
  return {};
}

// A text as the assistant's only message.
Json said(std::string text) {
  return Json::array({{{"role", "assistant"}, {"content", std::move(text)}}});
}

Status fill_text(Row& row, const Field& prompt, const Field& chosen, const Field& rejected) {
  PM_ASSIGN(row.label, text_of(chosen));
  PM_ASSIGN(row.rejected, text_of(rejected));
  if (prompt.missing()) return split_text(row, chosen);
  PM_ASSIGN(row.text, text_of(prompt));
  return {};
}

// Whatever the order of their keys.
bool same_message(const Json& a, const Json& b) {
  return a.size() == b.size() && std::all_of(a.items().begin(), a.items().end(), [&](auto&& entry) {
           const auto found = b.find(entry.key());
           return found != b.end() && *found == entry.value();
         });
}

Json slice(const Json& messages, size_t begin, size_t end) {
  Json part = Json::array();
  for (size_t i = begin; i < end; ++i) part.push_back(messages[i]);
  return part;
}

// Finds the prompt in the answers and takes it from them.
Result<Json> split_messages(Json& chosen, Json& rejected, const Field& field) {
  const size_t shorter = std::min(chosen.size(), rejected.size());
  size_t common = 0;
  while (common < shorter && same_message(chosen[common], rejected[common])) ++common;
  if (common == shorter) return no_split(field, "one answer is the beginning of the other");
  if (common == 0) return no_split(field, "the answers differ from the first message on");
  Json prompt = slice(chosen, 0, common);
  chosen = slice(chosen, common, chosen.size());
  rejected = slice(rejected, common, rejected.size());
  return prompt;
}

Status check_question(const Json& messages, const Field& field) {
  if (messages.back()["role"] != "assistant") return {};
  return invalid_argument(field.where +
                          ": the prompt's last message is the assistant's; allowed: one that the "
                          "answers reply to");
}

Result<Json> response_of(const Field& field) {
  if (is_list(field)) return messages_of(field);
  PM_ASSIGN(std::string text, text_of(field));
  return said(std::move(text));
}

Status fill_chat(Row& row, const Field& prompt, const Field& chosen, const Field& rejected) {
  PM_ASSIGN(Json good, response_of(chosen));
  PM_ASSIGN(Json bad, response_of(rejected));
  PM_TRY(check_answer(good, chosen));
  PM_TRY(check_answer(bad, rejected));
  Json question;
  if (is_list(prompt)) {
    PM_ASSIGN(question, messages_of(prompt));
  } else {
    PM_ASSIGN(question, split_messages(good, bad, chosen));
  }
  PM_TRY(check_question(question, prompt));
  row.chat = true;
  row.text = question.dump();
  row.label = good.dump();
  row.rejected = bad.dump();
  return {};
}

}  // namespace

Status fill_preference(Row& row, const Field& prompt, const Field& chosen, const Field& rejected) {
  const bool lists = is_list(chosen) && is_list(rejected);
  const bool texts = is_text(chosen) && is_text(rejected);
  if ((lists && (prompt.missing() || is_text(prompt))) || ((lists || texts) && is_list(prompt))) {
    return fill_chat(row, prompt, chosen, rejected);
  }
  return fill_text(row, prompt, chosen, rejected);
}

}  // namespace prefixmem::trainer
