// Content of the coordinator's, to this host.
#pragma once

#include <filesystem>
#include <string>

#include "client/channel/server.h"

namespace prefixmem::client {

// `yaml` is a spec; with files of `folder` in the place of the rows that it names as content.
// NOT_FOUND where the coordinator keeps them no more, DATA_LOSS where other bytes arrive.
Result<std::string> fetch_rows(Server& server, const std::string& yaml,
                               const std::filesystem::path& folder);

}  // namespace prefixmem::client
