// Files of the web, by libcurl: https, http or file. It follows redirects, checks certificates and
// uses the proxies that the environment names (https_proxy, no_proxy).
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "common/backoff.h"
#include "common/status.h"

namespace prefixmem::web {

// The bytes at a URL.
using Download = std::function<Result<std::string>(const std::string& url)>;

// What may pass (no connection, a time-out, an answer of 429 or 5xx) is tried three times.
// UNAVAILABLE where the host cannot be reached, NOT_FOUND for an answer other than 200,
// RESOURCE_EXHAUSTED above 1 GiB; each names the URL.
Result<std::string> download(const std::string& url, const BackoffPolicy& pauses = {});

struct WebRequest {
  std::string url;
  std::string token = {};  // a bearer's; no other host that it leads to is shown it
  int64_t offset = 0;      // of the first byte wanted
  std::stop_token stop = {};
};

struct WebAnswer {
  long status = 0;  // of HTTP; 0 of a file, and where there was no answer
  Status end;       // naming the URL: UNAVAILABLE where it broke off, FAILED_PRECONDITION where the
                    // URL or its certificate is bad; CANCELLED where `stop` was raised; the failure
                    // of `take`

  bool may_pass = false;    // whether asking again may help
  bool whole_only = false;  // the server does not begin at an offset

  // Whether all bytes from the offset on have come.
  bool whole() const { return end.ok() && (status == 0 || status == 200 || status == 206); }
};

// Asks once. `take` is given the bytes piece by piece as they come, of an answer with that status;
// its failure ends the call. It gets none of a refusal's.
WebAnswer fetch(const WebRequest& request, const std::function<Status(std::string_view)>& take);

}  // namespace prefixmem::web
