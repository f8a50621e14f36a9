#include "coordinator/options.h"

#include <CLI/CLI.hpp>
#include <string>

#include "common/version.h"

namespace prefixmem {

ParsedOptions parse_options(int argc, char** argv) {
  ServiceOptions options;
  std::string data_dir, ready_file;
  CLI::App app("Takes jobs, places them on workers and keeps what comes out of them.");
  app.set_version_flag("--version", "pmt-coordinator " + std::string(version()));
  app.add_option("--data-dir", data_dir, "Folder of the store; made where missing")->required();
  app.add_option("--listen", options.listen, "HOST:PORT for gRPC; port 0: a free one")
      ->capture_default_str();
  app.add_option(
      "--tls-cert", options.tls.cert,
      "PEM file of the gRPC port's certificate, with those between it and its authority");
  app.add_option("--tls-key", options.tls.key, "PEM file of its private key");
  app.add_option("--tls-client-ca", options.tls.client_ca,
                 "PEM file of the authority whose certificates workers must show");
  app.add_option("--http", options.http, "HOST:PORT for the page and /metrics; port 0: a free one")
      ->capture_default_str();
  app.add_option("--lease-seconds", options.lease_seconds,
                 "A worker that is silent for longer is given up")
      ->capture_default_str();
  app.add_option("--heartbeat-seconds", options.heartbeat_seconds, "How often workers report")
      ->capture_default_str();
  app.add_option("--grace-seconds", options.grace_seconds,
                 "After a start, how long workers have to report before any is given up")
      ->capture_default_str();
  app.add_option("--max-retries", options.max_retries, "Of a job whose worker was lost")
      ->capture_default_str();
  app.add_option("--bank-limit", options.bank_limit,
                 "Trials of a sweep that may share one gang, at most; 1: each has its own")
      ->capture_default_str();
  app.add_option("--ready-file", ready_file, "File to write once both ports are served");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warning, error or off")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error) == 0 ? 0 : 2};
  }
  options.data_dir = data_dir;
  options.ready_file = ready_file;
  return {options, 0};
}

}  // namespace prefixmem
