// Files of a job, from the coordinator's store into a folder.
#pragma once

#include <filesystem>
#include <string>

#include "client/channel/server.h"

namespace prefixmem::client {

// Where `path` of an artifact lies under `folder`. INVALID_ARGUMENT for a path that is absolute,
// has an empty part, "." or "..", or leaves the folder through a symbolic link.
Result<std::filesystem::path> place_in(const std::filesystem::path& folder,
                                       const std::string& path);

// What a file of this size is given to arrive: `timeout`, and 1 s for each MiB.
Millis transfer_limit(int64_t bytes, Millis timeout);

// Writes the file to a temporary name beside its own, checks size and sha256, syncs and renames it.
// DATA_LOSS where the bytes are not those the store names; nothing is left behind then. Gives the
// file's path.
Result<std::filesystem::path> download(Server& server, const std::string& job,
                                       const v1::Artifact& artifact,
                                       const std::filesystem::path& folder);

}  // namespace prefixmem::client
