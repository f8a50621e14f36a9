// What jobs and sweeps have found.
#pragma once

#include <string>
#include <vector>

#include "client/session.h"

namespace prefixmem::client {

struct ResultsOptions {
  std::vector<std::string> jobs;  // ids or names of jobs or sweeps
  bool by_job = false;
  bool by_setting = false;
  bool by_method = false;
  std::string baseline = {};
};

// INVALID_ARGUMENT where the session's form is CSV, which results by job do not have.
Status check_form_by_job(const Session& session);

// Prints them in the form of the session.
Result<int> print_results(const ResultsOptions& options, Session& session);

}  // namespace prefixmem::client
