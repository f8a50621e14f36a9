#include "worker/trainer/data/chat_split.h"

namespace prefixmem::trainer {

Result<std::string> render_prompt(const TextCodec& codec, const Json& history) {
  if (history.empty()) return std::string();
  return codec.render_chat(history.dump(), true);
}

Result<std::string> render_answer(const TextCodec& codec, const Json& history, const Json& answer,
                                  const std::string& prompt) {
  Json chat = history;
  chat.insert(chat.end(), answer.begin(), answer.end());
  PM_ASSIGN(const std::string whole, codec.render_chat(chat.dump(), false));
  if (whole.starts_with(prompt)) return whole.substr(prompt.size());
  return invalid_argument(
      "the model's chat template renders the earlier messages differently once the answer follows, "
      "so where the answer begins is not defined");
}

}  // namespace prefixmem::trainer
