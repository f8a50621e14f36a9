// Files of the web.
#pragma once

#include <functional>
#include <string>

#include "common/backoff.h"
#include "common/status.h"

namespace prefixmem::client {

// The bytes at a URL.
using Download = std::function<Result<std::string>(const std::string& url)>;

// https, http or file, by libcurl: it follows redirects, checks certificates and uses the proxies
// that the environment names (https_proxy, no_proxy). What may pass (no connection, a time-out, an
// answer of 429 or 5xx) is tried three times. UNAVAILABLE where the host cannot be reached,
// NOT_FOUND for an answer other than 200, RESOURCE_EXHAUSTED above 1 GiB; each names the URL.
Result<std::string> download(const std::string& url, const BackoffPolicy& pauses = {});

}  // namespace prefixmem::client
