#include "worker/agent/options.h"

#include <CLI/CLI.hpp>
#include <string>

#include "common/version.h"

namespace prefixmem::agent {

ParsedOptions parse_options(int argc, char** argv) {
  AgentOptions options;
  std::string work_dir, cache, ready_file;
  CLI::App app("Runs training jobs for a coordinator on this host.");
  app.set_version_flag("--version", "pmt-worker " + std::string(version()));
  app.add_option("--coordinator", options.coordinator, "HOST:PORT of the coordinator")
      ->capture_default_str();
  app.add_option(
      "--tls-ca", options.tls.ca,
      "PEM file of the authority that signed the coordinator's certificate: dial with TLS");
  app.add_option("--tls-cert", options.tls.cert,
                 "PEM file of this worker's certificate, for a coordinator that asks for one");
  app.add_option("--tls-key", options.tls.key, "PEM file of its private key");
  app.add_option("--work-dir", work_dir,
                 "Folder for the jobs' files, encoded rows and this worker's id")
      ->required();
  app.add_option(
      "--cache", cache,
      "Folder for data and models from elsewhere, on a disk of this host; its workers of "
      "one account may share it, so that each is fetched once; default: content in the "
      "work folder");
  app.add_option("--cache-limit", options.cache_limit_bytes,
                 "Most that these may take, in bytes or e.g. 200GB; default: 64GiB")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  app.add_option("--min-free-disk", options.least_free_bytes,
                 "No job is taken while the disk of the work folder has less than this free, in "
                 "bytes or e.g. 5GB; default: 64MiB")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  app.add_option("--root", options.roots,
                 "NAME=DIR: specs may name what lies below DIR as root://NAME/PATH, and no other "
                 "path of this host; may be repeated");
  app.add_option("--hub", options.hub,
                 "URL that models which specs name as hf://ORG/NAME@COMMIT are fetched from, e.g. "
                 "https://huggingface.co, with the token in HF_TOKEN where one is needed; default: "
                 "they are refused");
  app.add_option("--hub-allow", options.hub_allow,
                 "ORG or ORG/NAME: of the Hub only these; may be repeated; default: any");
  app.add_option("--slots", options.slots, "Ranks that fit; 0: one a GPU, or one a core")
      ->capture_default_str();
  app.add_option("--memory", options.memory_bytes,
                 "What jobs may take of this host's memory together, in bytes or e.g. 60GB, of "
                 "which each slot has an equal share; default: 15/16 of what there is")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  app.add_option("--metrics", options.metrics, "HOST:PORT to serve /metrics on; port 0: a free one")
      ->capture_default_str();
  app.add_flag("--metrics-tls", options.metrics_tls,
               "Serve /metrics with --tls-cert and --tls-key");
  app.add_option("--device", options.device, "What ranks compute on")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--threads-per-rank", options.threads_per_rank,
                 "Threads of a rank where the job leaves it open; 0: cores / slots")
      ->capture_default_str();
  app.add_option("--allocation", options.allocation,
                 "Of the batch system that this program runs in, e.g. slurm:1234, which a "
                 "coordinator that made it knows it by");
  app.add_option("--job-user", options.job_user,
                 "Account that jobs run as, where this program was started as root");
  app.add_option("--trainer", options.trainer, "Path of pmt-trainer; default: beside this program");
  app.add_option("--mpirun", options.mpirun, "Path or name of mpirun")->capture_default_str();
  app.add_option("--ready-file", ready_file, "File to write once /metrics is served");
  app.add_option("--metrics-retention-seconds", options.metrics_retention_seconds,
                 "How long the series of a job stay after its end")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "trace, debug, info, warning, error or off")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error) == 0 ? 0 : 2};
  }
  options.work_dir = work_dir;
  options.cache = cache;
  options.ready_file = ready_file;
  return {options, 0};
}

}  // namespace prefixmem::agent
