#include "worker/trainer/tokenizer/answer.h"

#include <cstring>

namespace prefixmem::trainer {

std::string Answer::text() const {
  return {reinterpret_cast<const char*>(buffer_.data), buffer_.size};
}

std::vector<int32_t> Answer::ids() const {
  std::vector<int32_t> ids(buffer_.size / sizeof(int32_t));
  if (!ids.empty()) std::memcpy(ids.data(), buffer_.data, buffer_.size);
  return ids;
}

Status Answer::status(PmOutcome outcome) const {
  switch (outcome) {
    case kPmOk:
      return {};
    case kPmInvalid:
      return invalid_argument(text());
    case kPmDamaged:
      return data_loss(text());
    case kPmFault:
      break;
  }
  return internal_error(text());
}

}  // namespace prefixmem::trainer
