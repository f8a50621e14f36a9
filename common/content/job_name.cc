#include "common/content/job_name.h"

#include "common/spec/limit.h"
#include "common/spec/utf8.h"

namespace prefixmem {

bool names_job(std::string_view text) { return text.starts_with(kJobScheme); }

Result<JobName> parse_job_name(std::string_view text) {
  constexpr std::string_view kBest = "/best";
  std::string_view job = names_job(text) ? text.substr(kJobScheme.size()) : std::string_view();
  const bool best = job.ends_with(kBest);
  if (best) job.remove_suffix(kBest.size());
  if (spec::is_name(job)) return JobName{std::string(job), best};
  return invalid_argument("\"" + spec::shortened(text, 400) +
                          "\" names no job; allowed: job://JOB or job://JOB/best, JOB its id or "
                          "name");
}

}  // namespace prefixmem
