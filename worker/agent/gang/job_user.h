// The account that jobs run as, where it is another than the agent's.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "common/status.h"

namespace prefixmem::agent {

struct JobUser {
  std::string name;
  std::string home;
  uid_t user = 0;
  gid_t group = 0;
};

// INVALID_ARGUMENT where this host has no such account, FAILED_PRECONDITION unless this process is
// root, who alone may become somebody else.
Result<JobUser> find_job_user(const std::string& name);

// Makes `path` and all below it that account's. Of a link the link itself, not what it leads to.
Status give(const std::filesystem::path& path, const JobUser& user);

// FAILED_PRECONDITION where that account may not read and enter `path`: a process of it tries.
Status check_reach(const std::filesystem::path& path, const JobUser& user);

// This process becomes that account for good: user, group and no other groups. Safe after a fork.
bool become(const JobUser& user);

}  // namespace prefixmem::agent
