// Local files that a spec names become content of the coordinator's.
#pragma once

#include <functional>
#include <string>

#include "client/channel/server.h"

namespace prefixmem::client {

// The request's yaml is a spec whose paths are absolute (submission.h). The files of rows and the
// folders of adapters are sent, unless the coordinator has them, and named by content instead;
// models stay as they are: the workers are to have them. What the coordinator would refuse is not
// read or sent. `note` is given a sentence on what was sent. NOT_FOUND with the key of a path that
// is not on this host, INVALID_ARGUMENT where it cannot be what the key wants, failures of
// CheckJob.
Result<std::string> upload_named_files(const v1::SubmitJobRequest& submitted, Server& server,
                                       const std::function<void(const std::string&)>& note);

}  // namespace prefixmem::client
