#include "worker/agent/attempt/assignment.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace prefixmem::agent {
namespace {

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char letter) {
           return std::isalnum(letter) != 0 || letter == '-' || letter == '_';
         });
}

bool stays_inside(const std::filesystem::path& path) {
  if (path.empty() || path.is_absolute()) return false;
  return std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
}

Status check_path(const std::string& what, const std::optional<Artifact>& artifact) {
  if (!artifact || stays_inside(artifact->path)) return {};
  return invalid_argument(what + ".path is \"" + artifact->path +
                          "\"; allowed: a path inside the job's output");
}

}  // namespace

Status check(const Assignment& assignment) {
  const std::string where = "assignment of " + assignment.key.text();
  if (!is_plain_name(assignment.key.job_id)) {
    return invalid_argument(where + ": job id is \"" + assignment.key.job_id +
                            "\"; allowed: 1 to 64 letters, digits, '-' and '_'");
  }
  PM_TRY(check_path(where + ": resume_from", assignment.resume_from));
  PM_TRY(check_path(where + ": resume_before", assignment.resume_before));
  return check_path(where + ": resume_metrics", assignment.resume_metrics);
}

}  // namespace prefixmem::agent
