// Values of a row: text, and lists of messages.
#pragma once

#include <optional>
#include <string>

#include "common/status.h"
#include "worker/trainer/data/jsonl.h"

namespace prefixmem::trainer {

// A value with what messages about it need. Refers to what must outlive it.
struct Field {
  const std::string& column;
  const std::optional<Json>& value;  // none: the row has no such key
  const std::string& where;          // the row's name

  bool missing() const { return !value || value->is_null(); }
};

// INVALID_ARGUMENT where it is missing or no string.
Result<std::string> text_of(const Field& field);

// A list of at least one message, each an object with the strings role and content; also the JSON
// text of such a list. INVALID_ARGUMENT otherwise.
Result<Json> messages_of(const Field& field);

// INVALID_ARGUMENT where the last message is not the assistant's.
Status check_answer(const Json& messages, const Field& field);

}  // namespace prefixmem::trainer
