// Tokenizers of the Rust library as C++ sees them; tokenizer.cc is their only caller. Outcomes and
// buffers as ffi.h says.
#pragma once

#include "worker/trainer/tokenizer/ffi.h"

extern "C" {

// Unchangeable once loaded; any number of threads may use one.
struct PmTokenizer;

// Contents of tokenizer.json and tokenizer_config.json, and of chat_template.jinja or null. Writes
// `*tokenizer`, to be freed once, only under kPmOk.
PmOutcome pm_tokenizer_load(PmText json, PmText config, const PmText* chat_template,
                            PmTokenizer** tokenizer, PmBuffer* error);
void pm_tokenizer_free(PmTokenizer* tokenizer);

// The result is int32_t in this machine's byte order.
PmOutcome pm_tokenizer_encode(const PmTokenizer* tokenizer, PmText text, bool add_special,
                              PmBuffer* out);

PmOutcome pm_tokenizer_decode(const PmTokenizer* tokenizer, const int32_t* ids, size_t count,
                              bool skip_special, PmBuffer* out);

// `messages`: a JSON list of objects.
PmOutcome pm_tokenizer_render_chat(const PmTokenizer* tokenizer, PmText messages,
                                   bool add_generation_prompt, PmBuffer* out);

int32_t pm_tokenizer_eos_id(const PmTokenizer* tokenizer);

}  // extern "C"
