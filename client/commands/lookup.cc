#include "client/commands/lookup.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace prefixmem::client {
namespace {

constexpr int64_t kPageSize = 500;
constexpr std::string_view kSweepPrefix = "sweep-";

}  // namespace

bool is_sweep_id(const std::string& text) { return text.starts_with(kSweepPrefix); }

namespace {

// Empty where there is no such sweep.
Result<std::vector<v1::Job>> jobs_of_sweep(Server& server, const std::string& id) {
  v1::ListJobsRequest request;
  request.set_sweep_id(id);
  PM_ASSIGN(auto response, list_jobs(server, request, 0));
  std::vector<v1::Job> jobs(std::make_move_iterator(response.mutable_jobs()->begin()),
                            std::make_move_iterator(response.mutable_jobs()->end()));
  std::reverse(jobs.begin(), jobs.end());  // the API lists the newest first
  return jobs;
}

Result<std::vector<v1::Job>> find(Server& server, const std::string& wanted) {
  std::vector<v1::Job> jobs;
  if (is_sweep_id(wanted)) {
    PM_ASSIGN(jobs, jobs_of_sweep(server, wanted));
    if (!jobs.empty()) return jobs;
  }
  PM_ASSIGN(auto job, server.job(wanted));
  jobs.push_back(std::move(job));
  return jobs;
}

}  // namespace

Result<v1::ListJobsResponse> list_jobs(Server& server, v1::ListJobsRequest request, int64_t limit) {
  v1::ListJobsResponse all;
  while (true) {
    const int64_t left = limit == 0 ? kPageSize : limit - all.jobs_size();
    request.set_page_size(static_cast<int>(std::min(kPageSize, left)));
    PM_ASSIGN(auto page, server.list(request));
    for (v1::Job& job : *page.mutable_jobs()) *all.add_jobs() = std::move(job);
    all.set_next_page_token(page.next_page_token());
    request.set_page_token(page.next_page_token());
    if (page.next_page_token().empty() || (limit > 0 && all.jobs_size() >= limit)) return all;
  }
}

Result<std::vector<v1::Job>> find_jobs(Server& server, const std::vector<std::string>& wanted) {
  std::vector<v1::Job> jobs;
  std::set<std::string> known;
  for (const std::string& name : wanted) {
    PM_ASSIGN(auto found, find(server, name));
    for (v1::Job& job : found) {
      if (known.insert(job.id()).second) jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

}  // namespace prefixmem::client
