// The tokenizer and chat template of a Hugging Face model folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

struct PmTokenizer;

namespace prefixmem::trainer {

// Token ids and chats as transformers makes them from the same folder. Unchangeable once loaded;
// any number of threads may use one.
class Tokenizer {
 public:
  // Reads tokenizer.json, tokenizer_config.json and, where there is one, chat_template.jinja.
  // NOT_FOUND: the folder or one of the first two is missing. DATA_LOSS: a file is damaged.
  // INVALID_ARGUMENT: no eos_token, or one that tokenizer.json does not know.
  static Result<std::unique_ptr<Tokenizer>> load(const std::filesystem::path& model_folder);

  // `add_special`: with the tokens that tokenizer.json puts around a text, such as bos. Special
  // tokens written in the text become themselves. INVALID_ARGUMENT: the text is not UTF-8.
  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special) const;

  // Ids without a token give no text (models may have spare rows). INVALID_ARGUMENT: an id below 0.
  Result<std::string> decode(std::span<const int32_t> ids, bool skip_special) const;

  // `messages_json`: a list of objects with role and content. strftime_now gives one fixed date, so
  // that a prompt is the same on every day. DATA_LOSS: the template does not compile.
  // INVALID_ARGUMENT: the model has no template, or its template refuses the messages.
  Result<std::string> render_chat(std::string_view messages_json, bool add_generation_prompt) const;

  // The eos_token of tokenizer_config.json.
  int32_t eos_id() const;

 private:
  struct Free {
    void operator()(PmTokenizer* tokenizer) const;
  };
  using Handle = std::unique_ptr<PmTokenizer, Free>;
  explicit Tokenizer(Handle handle) : handle_(std::move(handle)) {}

  const Handle handle_;
};

}  // namespace prefixmem::trainer
