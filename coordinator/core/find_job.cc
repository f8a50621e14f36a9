#include "coordinator/core/find_job.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "common/proto/job_state.h"
#include "common/proto/sweep_state.h"
#include "common/proto/timestamps.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

constexpr size_t kShown = 3;

// The only one of those that have the name. `kind` is "job" or "sweep".
template <class Named>
Result<Named> only(std::vector<Named> found, std::string_view kind, const std::string& name) {
  if (found.size() == 1) return std::move(found.front());
  if (found.empty()) {
    return not_found(
        fmt::format("no {} has the id or name \"{}\"", kind, spec::shortened(name, 80)));
  }
  std::string shown;
  for (size_t i = 0; i < std::min(found.size(), kShown); ++i) {
    shown +=
        fmt::format("{}{} ({}, submitted {})", i == 0 ? "" : ", ", found[i].id(),
                    state_name(found[i].state()), utc_text(from_timestamp(found[i].create_time())));
  }
  return failed_precondition(
      fmt::format("several {}s are named {}, the newest first: {}{}; give an id", kind, name, shown,
                  found.size() > kShown ? ", …" : ""));
}

}  // namespace

std::string name_of(const v1::Job& job) { return fmt::format("{} ({})", job.id(), job.name()); }

Result<v1::Job> find_job(store::Reader& reader, const std::string& id_or_name) {
  if (id_or_name.empty()) return invalid_argument("job is empty; allowed: a job's id or name");
  PM_ASSIGN(auto job, reader.job(id_or_name));
  if (job) return *std::move(job);
  PM_ASSIGN(const auto ids, reader.ids_named(id_or_name, kShown + 1));
  std::vector<v1::Job> found;
  for (const std::string& id : ids) {
    PM_ASSIGN(job, reader.job(id));
    if (!job) return internal_error("store: " + id + " is named but not there");
    found.push_back(*std::move(job));
  }
  return only(std::move(found), "job", id_or_name);
}

Result<v1::Sweep> find_sweep(store::Reader& reader, const std::string& id_or_name) {
  if (id_or_name.empty()) return invalid_argument("sweep is empty; allowed: a sweep's id or name");
  PM_ASSIGN(auto sweep, reader.sweep(id_or_name));
  if (sweep) return *std::move(sweep);
  PM_ASSIGN(auto found, reader.sweeps_named(id_or_name));
  return only(std::move(found), "sweep", id_or_name);
}

}  // namespace prefixmem
