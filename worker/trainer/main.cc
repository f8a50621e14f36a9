// pmt-trainer SPEC --out DIR [--resume] [--portable FILE] [--events SOCKET] [--cache DIR] [--memory
// BYTES]: one rank of a job, under mpirun or alone. With --bank FILE for SPEC and --out: one rank
// of the jobs that FILE lists. What is not on the command line may be in the environment, which
// differs from host to host where the command line does not.
#include <CLI/CLI.hpp>
#include <string>

#include "common/version.h"
#include "worker/trainer/train/run.h"

int main(int argc, char** argv) {
  prefixmem::trainer::RunOptions options;
  std::string spec, out, portable, bank, cache;
  CLI::App app("Trains what a job spec describes, or with --bank several adapters on one base.");
  app.set_version_flag("--version", "pmt-trainer " + std::string(prefixmem::version()));
  auto* const job =
      app.add_option("spec", spec, "Job spec (YAML)")->envname("PREFIXMEM_TRAINER_SPEC");
  auto* const folder =
      app.add_option("--out", out, "Folder for metrics, checkpoints, adapter and result")
          ->envname("PREFIXMEM_TRAINER_OUT");
  auto* const resume = app.add_flag("--resume", options.job.resume,
                                    "Go on from the newest complete checkpoint in --out");
  auto* const same = app.add_option("--portable", portable,
                                    "SPEC with names in the place of this host's paths, for "
                                    "checkpoints that another host goes on from")
                         ->envname("PREFIXMEM_TRAINER_PORTABLE");
  app.add_option(
         "--bank", bank,
         "JSON file {\"trials\": [{\"spec\", \"out\", \"resume\", \"portable\"}, …]} of jobs "
         "of one base to train together, instead of SPEC and --out")
      ->excludes(job, folder, resume, same);
  app.add_option("--events", options.events, "Unix socket of the agent that takes the events")
      ->envname("PREFIXMEM_TRAINER_EVENTS");
  app.add_option("--cache", cache, "Folder that keeps encoded rows for other runs")
      ->envname("PREFIXMEM_TRAINER_CACHE");
  app.add_option("--memory", options.memory,
                 "Bytes that the ranks on this host may take together, which "
                 "train.activation_checkpointing auto keeps to; 0: as many as are free")
      ->envname("PREFIXMEM_TRAINER_MEMORY")
      ->check(CLI::NonNegativeNumber);
  try {
    app.parse(argc, argv);
    if (bank.empty() && spec.empty()) throw CLI::RequiredError("SPEC or --bank");
    if (bank.empty() && out.empty()) throw CLI::RequiredError("--out");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.job.spec = spec;
  options.job.out = out;
  options.job.portable = portable;
  options.bank = bank;
  options.cache = cache;
  return prefixmem::trainer::run_trainer(options);
}
