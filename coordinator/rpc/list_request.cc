#include "coordinator/rpc/list_request.h"

#include <fmt/format.h>

#include <charconv>

#include "common/spec/utf8.h"

namespace prefixmem::rpc {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;

Result<int64_t> seq_of(const std::string& token) {
  if (token.empty()) return int64_t{0};
  int64_t seq = 0;
  const char* const end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, seq);
  if (error == std::errc() && rest == end && seq > 0) return seq;
  return invalid_argument(
      fmt::format("page_token is \"{}\"; allowed: the next_page_token of a response, or none",
                  spec::shortened(token, 80)));
}

Result<v1::JobState> known_state(int state) {
  if (v1::JobState_IsValid(state) && state != v1::JOB_STATE_UNSPECIFIED) {
    return static_cast<v1::JobState>(state);
  }
  return invalid_argument(fmt::format("states holds {}; allowed: {} to {}", state,
                                      static_cast<int>(v1::JOB_STATE_QUEUED),
                                      static_cast<int>(v1::JobState_MAX)));
}

void set_name(const std::string& name, store::JobFilter& filter) {
  if (!name.empty() && name.back() == '*') {
    filter.name_prefix = name.substr(0, name.size() - 1);
  } else {
    filter.name = name;
  }
}

}  // namespace

Result<PageQuery> page_of(int page_size, const std::string& page_token) {
  if (page_size < 0 || page_size > kMaxPage) {
    return invalid_argument(fmt::format("page_size is {}; allowed: 0 to {}", page_size, kMaxPage));
  }
  PM_ASSIGN(const int64_t seq, seq_of(page_token));
  return PageQuery{.before_seq = seq, .limit = page_size == 0 ? kDefaultPage : page_size};
}

Result<ListQuery> query_of(const v1::ListJobsRequest& request) {
  ListQuery query;
  PM_ASSIGN(const PageQuery page, page_of(request.page_size(), request.page_token()));
  query.limit = page.limit;
  query.filter.before_seq = page.before_seq;
  for (const int state : request.states()) {
    PM_ASSIGN(const v1::JobState known, known_state(state));
    query.filter.states.push_back(known);
  }
  set_name(request.name(), query.filter);
  query.filter.sweep_id = request.sweep_id();
  query.filter.labels.insert(request.labels().begin(), request.labels().end());
  return query;
}

std::string page_token(int64_t next_seq) { return next_seq == 0 ? "" : std::to_string(next_seq); }

}  // namespace prefixmem::rpc
