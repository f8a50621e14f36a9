// tokenizer.json, tokenizer_config.json and a text, a byte 0 between them.
#include "tests/fuzz/loaded_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace prefixmem;
  const auto parts = fuzz::parts_of(fuzz::text_of(data, size), 3);
  const std::string_view config = parts[1].empty() ? R"({"eos_token": "</s>"})" : parts[1];
  const auto tokenizer = fuzz::load_tokenizer(parts[0], config);
  if (tokenizer == nullptr) return 0;
  for (const std::string_view text : {parts[2], std::string_view("Ho, wörld! 12\n\t of  </s>")}) {
    trainer::Answer ids, back;
    const Status encoded =
        ids.status(pm_tokenizer_encode(tokenizer.get(), trainer::as_text(text), true, ids.slot()));
    fuzz::require_clear(encoded);
    if (!encoded.ok()) continue;
    const auto list = ids.ids();
    fuzz::require_clear(back.status(
        pm_tokenizer_decode(tokenizer.get(), list.data(), list.size(), false, back.slot())));
  }
  return 0;
}
