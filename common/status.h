// Status and Result: how every function of this project that can fail says so.
//
// A Status is a code and one sentence that names the thing, its value and what is allowed.
// There are nine codes; docs/errors.md says for each whether the work is retried, the job ends or
// the process ends, and `grpc_status` / `exit_code` are the only places that map them outwards.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace prefixmem {

enum class Code {
  kOk = 0,
  kInvalidArgument,     // the user's input is wrong; never retried
  kNotFound,            // a named thing is not there; never retried
  kFailedPrecondition,  // right input at the wrong time or in the wrong state; never retried as is
  kDataLoss,            // a file or message is damaged; never retried with the same bytes
  kResourceExhausted,   // memory, disk or quota; never retried unchanged
  kUnavailable,         // a peer or host is away; retried
  kCancelled,           // somebody asked for it to stop
  kInternal,            // a fault of ours
};

// In the order of the codes.
inline constexpr std::array<std::string_view, 9> kCodeNames = {
    "OK",        "INVALID_ARGUMENT",   "NOT_FOUND",   "FAILED_PRECONDITION",
    "DATA_LOSS", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "CANCELLED",
    "INTERNAL"};
std::string_view code_name(Code code);                      // "INVALID_ARGUMENT"
std::optional<Code> code_from_name(std::string_view name);  // the inverse

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  std::string to_string() const;  // "NOT_FOUND: model folder /m does not exist"

  // The same failure seen from further out: "reading spec job.yaml: " + message. OK stays OK.
  Status with_context(std::string_view context) const;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

Status invalid_argument(std::string message);
Status not_found(std::string message);
Status failed_precondition(std::string message);
Status data_loss(std::string message);
Status resource_exhausted(std::string message);
Status unavailable(std::string message);
Status cancelled(std::string message);
Status internal_error(std::string message);

// A failing system call: "<what>: <strerror(error_number)>", code chosen from errno.
Status from_errno(std::string_view what, int error_number);
// Whether from_errno() made it of a disk that is full, or of a quota of one. Its last words tell,
// which it keeps from one process to the next.
bool is_of_full_disk(const Status& status);

// A value or the reason why there is none. Reading the value of a failed Result is a bug (throws
// std::bad_variant_access).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  Status status() const { return ok() ? Status() : std::get<Status>(state_); }

  const T& value() const& { return std::get<T>(state_); }
  T& value() & { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::variant<T, Status> state_;
};

// For programs: 0 for OK, otherwise 10 + code. Never 1 or 2, which shells and CLI parsers use.
int exit_code(const Status& status);
std::optional<Code> code_from_exit(int exit_code);

}  // namespace prefixmem

#define PM_CONCAT_INNER(a, b) a##b
#define PM_CONCAT(a, b) PM_CONCAT_INNER(a, b)

// NOLINTBEGIN(bugprone-macro-parentheses): a target may be a declaration.
// Returns from the enclosing function with the failure of `expr` (a Status), if it failed.
#define PM_TRY(expr)                                                               \
  do {                                                                             \
    if (::prefixmem::Status pm_status = (expr); !pm_status.ok()) return pm_status; \
  } while (false)

// PM_ASSIGN(auto x, f()): declares or assigns x from a Result, or returns its failure.
#define PM_ASSIGN(target, expr) PM_ASSIGN_INNER(PM_CONCAT(pm_result_, __LINE__), target, expr)
#define PM_ASSIGN_INNER(result, target, expr) \
  auto result = (expr);                       \
  if (!result.ok()) return result.status();   \
  target = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)
