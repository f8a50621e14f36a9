// Addresses of Unix sockets.
#pragma once

#include <sys/un.h>

#include <filesystem>

#include "common/fd.h"
#include "common/status.h"

namespace prefixmem {

// INVALID_ARGUMENT for a path above 107 bytes.
Result<sockaddr_un> unix_address(const std::filesystem::path& path);

// A blocking stream to who listens there.
Result<Fd> connect_unix(const std::filesystem::path& path);

}  // namespace prefixmem
