// Who may change something over HTTP.
//
// A browser sends requests for any page that it shows to any address that it reaches, one on
// loopback or inside a firewall too. So a request that changes something counts only from a page of
// this server itself.
#pragma once

#include <string>

#include "common/status.h"

namespace prefixmem {

// Headers of a request; empty: it was not sent.
struct RequestSource {
  std::string host = {};        // Host
  std::string origin = {};      // Origin, which browsers send with every POST
  std::string fetch_site = {};  // Sec-Fetch-Site, which newer ones send to trustworthy addresses
};

// FAILED_PRECONDITION, with a sentence for the sender, unless
// - Sec-Fetch-Site, where it is sent, is same-origin, and
// - Origin, where it is sent, is that of Host, and
// - Host is a loopback address where the server listens on one: the name of another page's server
//   may have been made to point here (DNS rebinding).
// A request without Origin and Sec-Fetch-Site is no browser's, and is let through. Pure.
Status check_same_origin(const RequestSource& source, bool listens_on_loopback);

// "localhost", 127.x.y.z or ::1, with or without a port and brackets.
bool is_loopback(const std::string& host);

}  // namespace prefixmem
