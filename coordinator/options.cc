#include "coordinator/options.h"

#include <CLI/CLI.hpp>
#include <string>

#include "common/proto/role.h"
#include "common/version.h"

namespace prefixmem {
namespace {

struct TokenFlags {
  std::string name;
  std::string role = "admin";
  int days = 90;
};

CLI::App* add_token_command(CLI::App& app, TokenFlags& flags) {
  CLI::App* command = app.add_subcommand(
      "token", "Makes a token while no coordinator runs, prints its secret and ends");
  command->fallthrough();
  command->add_option("--name", flags.name, "Whose it is")->required();
  command->add_option("--role", flags.role, "What it allows")
      ->check(CLI::IsMember(role_names()))
      ->capture_default_str();
  command->add_option("--days", flags.days, "When it expires")->capture_default_str();
  return command;
}

void add_limits(CLI::App& app, rpc::Limits& limits) {
  app.add_option("--max-message-mib", limits.message_mib, "Of a message to the gRPC port")
      ->capture_default_str();
  app.add_option("--max-spec-kib", limits.spec_kib, "Of a job spec")->capture_default_str();
  app.add_option("--max-calls-per-second", limits.calls_per_second,
                 "Of one user (a token, or else an address) in the long run; ten times as many at "
                 "once")
      ->capture_default_str();
  app.add_option("--max-streams", limits.streams_per_caller,
                 "Watches, logs, uploads, downloads and backups of one user at a time")
      ->capture_default_str();
}

void add_blobs(CLI::App& app, store::s3::Flags& flags) {
  app.add_option("--blobs", flags.blobs,
                 "s3://BUCKET[/PREFIX] for the files of jobs, instead of a folder below --data-dir "
                 "(docs/storage.md)");
  app.add_option("--s3-endpoint", flags.endpoint,
                 "http[s]://HOST[:PORT] of the store with the bucket; Amazon's unless given");
  app.add_option("--s3-region", flags.region, "Of the bucket; us-east-1 unless given");
}

CLI::App* add_restore_command(CLI::App& app, std::string& backup) {
  CLI::App* command = app.add_subcommand(
      "restore", "Puts a backup in place of the store while no coordinator runs, and ends");
  command->fallthrough();
  command->add_option("backup", backup, "Folder that pmt admin backup has filled")->required();
  return command;
}

TokenOptions token_options(const TokenFlags& flags, const std::string& data_dir) {
  TokenOptions options;
  options.data_dir = data_dir;
  options.request.set_name(flags.name);
  options.request.set_role(*role_from_name(flags.role));
  options.request.set_days(flags.days);
  return options;
}

}  // namespace

ParsedOptions parse_options(int argc, char** argv) {
  ServiceOptions options;
  std::string data_dir, provisioner, ready_file;
  CLI::App app("Takes jobs, places them on workers and keeps what comes out of them.");
  app.set_version_flag("--version", "pmt-coordinator " + std::string(version()));
  app.add_option("--data-dir", data_dir, "Folder of the store; made where missing")->required();
  add_blobs(app, options.s3);
  app.add_option("--listen", options.listen, "HOST:PORT for gRPC; port 0: a free one")
      ->capture_default_str();
  app.add_option(
      "--tls-cert", options.tls.cert,
      "PEM file of the gRPC port's certificate, with those between it and its authority");
  app.add_option("--tls-key", options.tls.key, "PEM file of its private key");
  app.add_option("--tls-client-ca", options.tls.client_ca,
                 "PEM file of the authority whose certificates workers must show");
  app.add_option("--auth", options.auth,
                 "none, or tokens: every call of a user needs one (docs/security.md)")
      ->capture_default_str();
  app.add_flag("--insecure", options.insecure,
               "May serve others than this host without asking them who they are");
  app.add_option("--http", options.http, "HOST:PORT for the page and /metrics; port 0: a free one")
      ->capture_default_str();
  app.add_flag("--http-tls", options.http_tls,
               "Serve the page and /metrics with the gRPC port's certificate too");
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
  app.add_option("--keep-content-hours", options.keep_content_hours,
                 "How long content stays that no unfinished job and no model names any more")
      ->capture_default_str();
  app.add_option(
         "--keep-files-hours", options.keep_files_hours,
         "How long files of a job stay after its end, unless it is pinned, 1 to 87600; 0: for ever")
      ->capture_default_str();
  app.add_option("--keep-jobs-hours", options.keep_jobs_hours,
                 "How long a job stays after its end, unless it is pinned, 1 to 87600; 0: for ever")
      ->capture_default_str();
  app.add_option("--grow-after-seconds", options.grow_after_seconds,
                 "A job with resources.min_ranks runs at least so long before it grows")
      ->capture_default_str();
  app.add_option("--bank-limit", options.bank_limit,
                 "Trials of a sweep that may share one gang, at most; 1: each has its own")
      ->capture_default_str();
  add_limits(app, options.limits);
  app.add_option("--provisioner", provisioner,
                 "YAML file that says how to bring workers by a batch system (docs/slurm.md)");
  app.add_option("--ready-file", ready_file, "File to write once both ports are served");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warning, error or off")
      ->capture_default_str();
  TokenFlags token;
  const CLI::App* make_token = add_token_command(app, token);
  std::string backup;
  const CLI::App* restore = add_restore_command(app, backup);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {.exit_code = app.exit(error) == 0 ? 0 : 2};
  }
  options.data_dir = data_dir;
  options.provisioner = provisioner;
  options.ready_file = ready_file;
  if (make_token->parsed()) return {.token = token_options(token, data_dir)};
  if (restore->parsed()) return {.restore = RestoreOptions{backup, data_dir, options.s3}};
  return {.options = options};
}

}  // namespace prefixmem
