// Local files that a spec names become content of the coordinator's.
#pragma once

#include <functional>
#include <string>

#include "client/channel/server.h"

namespace prefixmem::client {

// `yaml` is a spec whose paths are absolute (submission.h). The files of rows and the folders of
// adapters that are on this host are sent, unless the coordinator has them, and named by content
// instead; models and what is not here stay as they are: the workers are to have them. `note` is
// given a sentence on what was sent and on what was not found. INVALID_ARGUMENT with the key where
// a file cannot be what the key wants.
Result<std::string> upload_named_files(const std::string& yaml, Server& server,
                                       const std::function<void(const std::string&)>& note);

}  // namespace prefixmem::client
