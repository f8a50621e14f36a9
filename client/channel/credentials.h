// How a client shows who it is, and knows whom it talks to.
#pragma once

#include <string>

#include "common/tls/files.h"

namespace prefixmem::client {

struct Credentials {
  tls::ClientFiles tls = {};
  std::string token = {};  // empty: none
};

}  // namespace prefixmem::client
