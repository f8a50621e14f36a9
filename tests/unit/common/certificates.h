// Certificates of a test's own authority (tests/certificates.sh, whose path the build gives).
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "common/tls/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem {

// Through the shell; the words are a test's own.
inline void run_command(const std::string& command) {
  const int code = std::system(command.c_str());  // NOLINT(bugprone-command-processor)
  if (code != 0) throw std::runtime_error(command);
}

class Authority {
 public:
  Authority() { run("ca " + prefix("ca")); }

  std::string ca() const { return prefix("ca") + ".crt"; }
  std::string cert(const std::string& name) const { return prefix(name) + ".crt"; }
  std::string key(const std::string& name) const { return prefix(name) + ".key"; }

  // Signs a new certificate for loopback with this common name, over one that is there.
  void issue(const std::string& name, int days = 1) const {
    run("issue " + prefix("ca") + " " + prefix(name) + " " + name + " " + std::to_string(days));
  }
  // Of a port that has the certificate "server", issued here.
  tls::ServerFiles server() const {
    issue("server");
    return {.cert = cert("server"), .key = key("server"), .client_ca = {}};
  }
  tls::ClientFiles client() const { return {.ca = ca(), .cert = {}, .key = {}}; }
  // Of a channel that shows the certificate `name`, issued here.
  tls::ClientFiles client_as(const std::string& name) const {
    issue(name);
    return {.ca = ca(), .cert = cert(name), .key = key(name)};
  }

  std::string prefix(const std::string& name) const { return (folder_.path() / name).string(); }

 private:
  static void run(const std::string& arguments) { run_command(CERTIFICATES " " + arguments); }

  const TempFolder folder_;
};

}  // namespace prefixmem
