// What the headers of the Rust library share.
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
  kPmInvalid = 1,  // the text, the messages, the table's rows or the model's tokens are wrong
  kPmDamaged = 2,  // a file is damaged
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

void pm_buffer_free(PmBuffer buffer);

}  // extern "C"
