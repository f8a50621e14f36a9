// Pairs of a chosen and a rejected answer.
#pragma once

#include "common/status.h"
#include "worker/trainer/data/messages.h"
#include "worker/trainer/data/rows.h"

namespace prefixmem::trainer {

// Sets a row's prompt and answers as read_rows says (rows.h). INVALID_ARGUMENT naming row and
// column: an answer that is missing, or text beside messages; no prompt in common; answers of which
// one begins with the other where the prompt is to be found in them.
Status fill_preference(Row& row, const Field& prompt, const Field& chosen, const Field& rejected);

}  // namespace prefixmem::trainer
