#include "worker/trainer/data/codec.h"

#include "worker/trainer/model/model_path.h"
#include "worker/trainer/tokenizer/tokenizer.h"

namespace prefixmem::trainer {
namespace {

class TokenizerCodec final : public TextCodec {
 public:
  explicit TokenizerCodec(std::unique_ptr<Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special) const override {
    return tokenizer_->encode(text, add_special);
  }
  Result<std::string> decode(const std::vector<int32_t>& ids) const override {
    return tokenizer_->decode(ids, true);
  }
  Result<std::string> render_chat(const std::string& messages_json,
                                  bool add_generation_prompt) const override {
    return tokenizer_->render_chat(messages_json, add_generation_prompt);
  }
  int32_t eos_id() const override { return tokenizer_->eos_id(); }

 private:
  const std::unique_ptr<Tokenizer> tokenizer_;
};

}  // namespace

Result<std::unique_ptr<TextCodec>> load_codec(const std::filesystem::path& model) {
  PM_ASSIGN(const ModelPath path, find_model(model));
  if (!path.gguf.empty() && !std::filesystem::exists(path.folder / "tokenizer.json")) {
    return not_found(path.gguf.string() +
                     " has no tokenizer.json beside it; allowed: a GGUF file in a folder with "
                     "tokenizer.json and tokenizer_config.json, which the tokenizer comes from");
  }
  PM_ASSIGN(auto tokenizer, Tokenizer::load(path.folder));
  return std::unique_ptr<TextCodec>(std::make_unique<TokenizerCodec>(std::move(tokenizer)));
}

}  // namespace prefixmem::trainer
