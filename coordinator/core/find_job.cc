#include "coordinator/core/find_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

constexpr int kNamesShown = 3;

}  // namespace

Result<v1::Job> find_job(store::Reader& reader, const std::string& id_or_name) {
  if (id_or_name.empty()) return invalid_argument("job is empty; allowed: a job's id or name");
  PM_ASSIGN(auto job, reader.job(id_or_name));
  if (job) return *std::move(job);
  PM_ASSIGN(auto ids, reader.ids_named(id_or_name, kNamesShown + 1));
  if (ids.empty()) {
    return not_found(
        fmt::format("no job has the id or name \"{}\"", spec::shortened(id_or_name, 80)));
  }
  if (ids.size() > 1) {
    const bool more = ids.size() > kNamesShown;
    ids.resize(std::min<size_t>(ids.size(), kNamesShown));
    return failed_precondition(fmt::format("several jobs are named {} ({}{}); give an id",
                                           id_or_name, fmt::join(ids, ", "), more ? ", …" : ""));
  }
  PM_ASSIGN(job, reader.job(ids.front()));
  if (!job) return internal_error("store: " + ids.front() + " is named but not there");
  return *std::move(job);
}

}  // namespace prefixmem
