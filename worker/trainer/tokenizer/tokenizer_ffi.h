// The Rust library as C++ sees it; tokenizer.cc is its only caller.
//
// Functions that return a PmOutcome never panic or throw. They always write their buffer: the
// result under kPmOk, otherwise one sentence in UTF-8 that says why there is none. The caller hands
// each buffer back to pm_buffer_free once.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {

enum PmOutcome : int {
  kPmOk = 0,
  kPmInvalid = 1,  // the text, the messages or the model's choice of tokens is wrong
  kPmDamaged = 2,  // a file of the model is damaged
  kPmFault = 3,    // the library failed
};

// Borrowed for the time of the call. `data` may be null where `size` is 0.
struct PmText {
  const char* data;
  size_t size;
};

struct PmBuffer {
  uint8_t* data;
  size_t size;
};

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

void pm_buffer_free(PmBuffer buffer);

}  // extern "C"
