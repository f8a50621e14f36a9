// A tokenizer from the contents of its files.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "tests/fuzz/outcome.h"
#include "worker/trainer/tokenizer/answer.h"
#include "worker/trainer/tokenizer/tokenizer_ffi.h"

namespace prefixmem::fuzz {

using LoadedTokenizer = std::unique_ptr<PmTokenizer, void (*)(PmTokenizer*)>;

// Null where they are refused.
inline LoadedTokenizer load_tokenizer(std::string_view json, std::string_view config,
                                      std::optional<std::string_view> chat_template = {}) {
  PmTokenizer* loaded = nullptr;
  trainer::Answer answer;
  const PmText source = trainer::as_text(chat_template.value_or(""));
  require_clear(
      answer.status(pm_tokenizer_load(trainer::as_text(json), trainer::as_text(config),
                                      chat_template ? &source : nullptr, &loaded, answer.slot())));
  return {loaded, pm_tokenizer_free};
}

}  // namespace prefixmem::fuzz
