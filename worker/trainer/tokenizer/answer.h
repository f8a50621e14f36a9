// A buffer that the Rust library fills.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "worker/trainer/tokenizer/ffi.h"

namespace prefixmem::trainer {

inline PmText as_text(std::string_view text) { return {text.data(), text.size()}; }

// Freed with its last user.
class Answer {
 public:
  Answer() = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() { pm_buffer_free(buffer_); }

  PmBuffer* slot() { return &buffer_; }
  std::string text() const;
  std::vector<int32_t> ids() const;
  // What the call that filled it has said; its text is the sentence.
  Status status(PmOutcome outcome) const;

 private:
  PmBuffer buffer_{};
};

}  // namespace prefixmem::trainer
