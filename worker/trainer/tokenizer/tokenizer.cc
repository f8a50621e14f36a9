#include "worker/trainer/tokenizer/tokenizer.h"

#include <optional>

#include "common/files.h"
#include "worker/trainer/tokenizer/answer.h"
#include "worker/trainer/tokenizer/tokenizer_ffi.h"

namespace prefixmem::trainer {
namespace {

Result<std::string> read_member(const std::filesystem::path& folder, const std::string& name) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder / name, ignored)) {
    return not_found("model folder " + folder.string() + " holds no " + name);
  }
  return read_file(folder / name);
}

Result<std::optional<std::string>> read_chat_template(const std::filesystem::path& folder) {
  const std::string name = "chat_template.jinja";
  std::error_code ignored;
  if (!std::filesystem::exists(folder / name, ignored)) return std::optional<std::string>();
  PM_ASSIGN(std::string text, read_member(folder, name));
  return std::optional<std::string>(std::move(text));
}

}  // namespace

void Tokenizer::Free::operator()(PmTokenizer* tokenizer) const { pm_tokenizer_free(tokenizer); }

Result<std::unique_ptr<Tokenizer>> Tokenizer::load(const std::filesystem::path& model_folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(model_folder, ignored)) {
    return not_found("model folder " + model_folder.string() + " does not exist");
  }
  PM_ASSIGN(const std::string json, read_member(model_folder, "tokenizer.json"));
  PM_ASSIGN(const std::string config, read_member(model_folder, "tokenizer_config.json"));
  PM_ASSIGN(const auto chat_template, read_chat_template(model_folder));
  const PmText chat_text = chat_template ? as_text(*chat_template) : PmText{};

  PmTokenizer* raw = nullptr;
  Answer answer;
  const PmOutcome outcome = pm_tokenizer_load(
      as_text(json), as_text(config), chat_template ? &chat_text : nullptr, &raw, answer.slot());
  PM_TRY(answer.status(outcome).with_context("model folder " + model_folder.string()));
  return std::unique_ptr<Tokenizer>(new Tokenizer(Handle(raw)));
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, bool add_special) const {
  Answer answer;
  PM_TRY(
      answer.status(pm_tokenizer_encode(handle_.get(), as_text(text), add_special, answer.slot())));
  return answer.ids();
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  Answer answer;
  PM_TRY(answer.status(
      pm_tokenizer_decode(handle_.get(), ids.data(), ids.size(), skip_special, answer.slot())));
  return answer.text();
}

Result<std::string> Tokenizer::render_chat(std::string_view messages_json,
                                           bool add_generation_prompt) const {
  Answer answer;
  PM_TRY(answer.status(pm_tokenizer_render_chat(handle_.get(), as_text(messages_json),
                                                add_generation_prompt, answer.slot())));
  return answer.text();
}

int32_t Tokenizer::eos_id() const { return pm_tokenizer_eos_id(handle_.get()); }

}  // namespace prefixmem::trainer
