// A template and the JSON of messages, a byte 0 between them.
#include "tests/fuzz/loaded_tokenizer.h"

namespace {

constexpr std::string_view kTokenizer =
    R"({"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"</s>": 0},)"
    R"( "unk_token": "</s>"}})";
constexpr std::string_view kConfig = R"({"eos_token": "</s>", "bos_token": "</s>"})";
constexpr std::string_view kMessages =
    R"([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi <b>"},)"
    R"( {"role": "assistant", "content": "Ho", "n": [1, 2.5, {"k": null}]}])";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace prefixmem;
  const auto parts = fuzz::parts_of(fuzz::text_of(data, size), 2);
  const auto tokenizer = fuzz::load_tokenizer(kTokenizer, kConfig, parts[0]);
  if (tokenizer == nullptr) return 0;
  const std::string_view messages = parts[1].empty() ? kMessages : parts[1];
  trainer::Answer answer;
  fuzz::require_clear(answer.status(
      pm_tokenizer_render_chat(tokenizer.get(), trainer::as_text(messages), true, answer.slot())));
  return 0;
}
