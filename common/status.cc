#include "common/status.h"

#include <cerrno>
#include <system_error>

namespace prefixmem {
namespace {

constexpr int kExitBase = 10;

Code code_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Code::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EEXIST:
    case EROFS:
      return Code::kFailedPrecondition;
    case EIO:
      return Code::kDataLoss;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EAGAIN:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}

}  // namespace

std::string_view code_name(Code code) { return kCodeNames[static_cast<size_t>(code)]; }

std::optional<Code> code_from_name(std::string_view name) {
  for (size_t i = 0; i < kCodeNames.size(); ++i) {
    if (kCodeNames[i] == name) return static_cast<Code>(i);
  }
  return std::nullopt;
}

std::string Status::to_string() const {
  if (ok()) return "OK";
  return std::string(code_name(code_)) + ": " + message_;
}

Status Status::with_context(std::string_view context) const {
  if (ok()) return *this;
  return {code_, std::string(context) + ": " + message_};
}

Status invalid_argument(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}
Status not_found(std::string message) { return {Code::kNotFound, std::move(message)}; }
Status failed_precondition(std::string message) {
  return {Code::kFailedPrecondition, std::move(message)};
}
Status data_loss(std::string message) { return {Code::kDataLoss, std::move(message)}; }
Status resource_exhausted(std::string message) {
  return {Code::kResourceExhausted, std::move(message)};
}
Status unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }
Status cancelled(std::string message) { return {Code::kCancelled, std::move(message)}; }
Status internal_error(std::string message) { return {Code::kInternal, std::move(message)}; }

Status from_errno(std::string_view what, int error_number) {
  return {code_of_errno(error_number),
          std::string(what) + ": " + std::generic_category().message(error_number)};
}

bool is_of_full_disk(const Status& status) {
  if (status.code() != Code::kResourceExhausted) return false;
  const auto says = [&](int error_number) {
    return status.message().ends_with(std::generic_category().message(error_number));
  };
  return says(ENOSPC) || says(EDQUOT);
}

int exit_code(const Status& status) {
  return status.ok() ? 0 : kExitBase + static_cast<int>(status.code());
}

std::optional<Code> code_from_exit(int exit_code) {
  if (exit_code == 0) return Code::kOk;
  const int index = exit_code - kExitBase;
  if (index <= 0 || index >= static_cast<int>(kCodeNames.size())) return std::nullopt;
  return static_cast<Code>(index);
}

}  // namespace prefixmem
