#include "common/content/job_name.h"

#include "common/spec/limit.h"
#include "common/spec/utf8.h"

namespace prefixmem {

bool names_job(std::string_view text) { return text.starts_with(kJobScheme); }

Result<std::string> parse_job_name(std::string_view text) {
  const std::string_view job =
      names_job(text) ? text.substr(kJobScheme.size()) : std::string_view();
  if (spec::is_name(job)) return std::string(job);
  return invalid_argument("\"" + spec::shortened(text, 400) +
                          "\" names no job; allowed: job://JOB, JOB its id or name");
}

}  // namespace prefixmem
