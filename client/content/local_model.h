// Models on this host.
#pragma once

#include <filesystem>
#include <string>

#include "common/status.h"

namespace prefixmem::client {

// Whether a folder or file can be a model, by the names of its files: hashing or sending one takes
// a while. INVALID_ARGUMENT with what is missing.
Status check_model_at(const std::filesystem::path& path);

// "; of the Hub: …" where `given` looks like a name there, ORG/NAME; otherwise empty.
std::string hub_hint(const std::string& given);

}  // namespace prefixmem::client
