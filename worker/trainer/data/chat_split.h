// A chat cut in two: what the model is given and what it is to say.
#pragma once

#include <string>

#include "common/status.h"
#include "worker/trainer/data/encode.h"
#include "worker/trainer/data/jsonl.h"

namespace prefixmem::trainer {

// `history` in the model's chat template, with the generation prompt; empty where there is none.
Result<std::string> render_prompt(const TextCodec& codec, const Json& history);

// What `answer` (messages) adds to that text. INVALID_ARGUMENT where the template renders the
// history differently once the answer follows.
Result<std::string> render_answer(const TextCodec& codec, const Json& history, const Json& answer,
                                  const std::string& prompt);

}  // namespace prefixmem::trainer
