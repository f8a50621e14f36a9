#include "client/commands/lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace prefixmem::client {
namespace {

constexpr int64_t kPageSize = 500;
constexpr std::string_view kSweepPrefix = "sweep-";

Result<std::vector<v1::Job>> jobs_of_sweep(Server& server, const std::string& id, int64_t limit) {
  v1::ListJobsRequest request;
  request.set_sweep_id(id);
  PM_ASSIGN(auto response, list_jobs(server, request, limit));
  std::vector<v1::Job> jobs(std::make_move_iterator(response.mutable_jobs()->begin()),
                            std::make_move_iterator(response.mutable_jobs()->end()));
  std::reverse(jobs.begin(), jobs.end());  // the API lists the newest first
  return jobs;
}

// Whether it is the id of a sweep, of an older store too, which keeps no sweeps.
Result<bool> has_trials(Server& server, const std::string& id) {
  if (!id.starts_with(kSweepPrefix)) return false;
  PM_ASSIGN(const auto any, jobs_of_sweep(server, id, 1));
  return !any.empty();
}

}  // namespace

Result<std::string> find_sweep(Server& server, const std::string& id_or_name) {
  PM_ASSIGN(const bool is_sweep, has_trials(server, id_or_name));
  if (is_sweep) return id_or_name;
  PM_ASSIGN(const auto sweep, server.sweep(id_or_name));
  return sweep.id();
}

Result<Named> find_named(Server& server, const std::string& id_or_name) {
  PM_ASSIGN(const bool is_sweep, has_trials(server, id_or_name));
  if (is_sweep) return Named{{}, id_or_name};
  auto job = server.job(id_or_name);
  if (job.ok()) return Named{*std::move(job), {}};
  if (job.status().code() != Code::kNotFound) return job.status();
  const auto sweep = server.sweep(id_or_name);
  if (sweep.ok()) return Named{{}, sweep->id()};
  if (sweep.status().code() != Code::kNotFound) return sweep.status();
  return not_found("no job or sweep has the id or name \"" + id_or_name + "\"");
}

Result<Named> find_only_named(Server& server, const std::string& id_or_name) {
  PM_ASSIGN(Named named, find_named(server, id_or_name));
  if (!named.job || named.job->id() == id_or_name) return named;
  const auto sweep = server.sweep(id_or_name);
  if (sweep.status().code() == Code::kNotFound) return named;
  PM_TRY(sweep.status());
  return failed_precondition(fmt::format("job {} and sweep {} are named {}; give an id",
                                         named.job->id(), sweep->id(), id_or_name));
}

Result<std::vector<v1::Job>> jobs_of(Server& server, const Named& named) {
  if (named.job) return std::vector{*named.job};
  return jobs_of_sweep(server, named.sweep_id, 0);
}

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

Result<NamedJobs> find_jobs(Server& server, const std::vector<std::string>& wanted) {
  NamedJobs all;
  std::set<std::string> known;
  for (const std::string& name : wanted) {
    PM_ASSIGN(const Named named, find_named(server, name));
    if (!named.job) all.sweeps.push_back(named.sweep_id);
    PM_ASSIGN(auto found, jobs_of(server, named));
    for (v1::Job& job : found) {
      if (known.insert(job.id()).second) all.jobs.push_back(std::move(job));
    }
  }
  return all;
}

}  // namespace prefixmem::client
