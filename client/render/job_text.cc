#include "client/render/job_text.h"

#include <algorithm>

#include "common/proto/timestamps.h"

namespace prefixmem::client {

std::optional<v1::JobState> state_from_name(std::string_view state) {
  for (int i = v1::JOB_STATE_QUEUED; i <= v1::JobState_MAX; ++i) {
    const auto candidate = static_cast<v1::JobState>(i);
    if (state_name(candidate) == state) return candidate;
  }
  return std::nullopt;
}

std::vector<std::string> all_states() {
  std::vector<std::string> names;
  for (int i = v1::JOB_STATE_QUEUED; i <= v1::JobState_MAX; ++i) {
    names.push_back(state_name(static_cast<v1::JobState>(i)));
  }
  return names;
}

std::string method_text(const v1::MethodSpec& method) {
  if (method.has_lora()) return "lora r=" + std::to_string(method.lora().r());
  if (method.has_combined()) {
    std::string text;
    for (const v1::MethodSpec& part : method.combined().methods()) {
      text += (text.empty() ? "" : " + ") + method_text(part);
    }
    return text;
  }
  const auto* field = v1::MethodSpec::descriptor()->FindFieldByNumber(method.type_case());
  return field == nullptr ? "" : field->name();
}

double run_seconds(const v1::Job& job, int64_t now_unix_millis) {
  if (!job.has_start_time()) return -1;
  const int64_t start = to_unix_millis(from_timestamp(job.start_time()));
  const int64_t end =
      job.has_end_time() ? to_unix_millis(from_timestamp(job.end_time())) : now_unix_millis;
  return static_cast<double>(std::max<int64_t>(0, end - start)) / 1000;
}

}  // namespace prefixmem::client
