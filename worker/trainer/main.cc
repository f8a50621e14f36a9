// pmt-trainer SPEC --out DIR [--resume] [--events SOCKET] [--cache DIR]: one rank of a job, under
// mpirun or alone.
#include <CLI/CLI.hpp>
#include <string>

#include "common/version.h"
#include "worker/trainer/train/run.h"

int main(int argc, char** argv) {
  prefixmem::trainer::RunOptions options;
  std::string spec, out, cache;
  CLI::App app("Trains the adapter that a job spec describes.");
  app.set_version_flag("--version", "pmt-trainer " + std::string(prefixmem::version()));
  app.add_option("spec", spec, "Job spec (YAML)")->required();
  app.add_option("--out", out, "Folder for metrics, checkpoints, adapter and result")->required();
  app.add_flag("--resume", options.resume, "Go on from the newest complete checkpoint in --out");
  app.add_option("--events", options.events, "Unix socket of the agent that takes the events");
  app.add_option("--cache", cache, "Folder that keeps encoded rows for other runs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.spec = spec;
  options.out = out;
  options.cache = cache;
  return prefixmem::trainer::run_trainer(options);
}
