#include "coordinator/exposure.h"

#include <fmt/format.h>

#include "common/http/host_port.h"
#include "common/http/same_origin.h"

namespace prefixmem {
namespace {

Status check_auth(const ServiceOptions& options) {
  if (options.auth != "none" && options.auth != "tokens") {
    return invalid_argument(fmt::format("--auth is {}; allowed: none or tokens", options.auth));
  }
  if (options.auth == "none" || !options.tls.client_ca.empty()) return {};
  return invalid_argument(
      "--auth tokens is given without --tls-cert, --tls-key and --tls-client-ca; allowed: with all "
      "three, for secrets go over TLS alone and workers show certificates");
}

}  // namespace

Result<std::vector<std::string>> exposures(const ServiceOptions& options) {
  PM_TRY(check_auth(options));
  PM_ASSIGN(const HostPort listen, parse_host_port("--listen", options.listen));
  PM_ASSIGN(const HostPort http, parse_host_port("--http", options.http));
  std::vector<std::string> sentences;
  if (options.auth == "none" && !is_loopback(listen.host)) {
    sentences.push_back(fmt::format(
        "--listen is {}, where whoever reaches it may run jobs; allowed: a loopback address, or "
        "with --auth tokens (docs/security.md), or --insecure",
        options.listen));
  }
  if (!is_loopback(http.host) && (options.auth == "none" || !options.http_tls)) {
    const bool asks = options.auth != "none";
    sentences.push_back(fmt::format(
        "--http is {}, where {}; allowed: a loopback address, or with {}, or --insecure",
        options.http,
        asks ? "tokens and jobs go without TLS and can be read on their way"
             : "whoever reaches it sees all jobs, cancels and submits them",
        asks ? "--http-tls" : "--auth tokens and --http-tls (docs/security.md)"));
  }
  return sentences;
}

}  // namespace prefixmem
