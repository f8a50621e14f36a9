// pmt-simulation: runs seeds, and replays one.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "tests/simulation/scenario.h"
#include "tests/simulation/scratch.h"

namespace prefixmem::simulation {
namespace {

void print(const Outcome& outcome, uint64_t seed, bool whole_log) {
  if (outcome.violation || whole_log) {
    for (const std::string& line : outcome.log) fmt::print("{}\n", line);
  }
  if (outcome.violation) fmt::print("seed {}: {}\n", seed, *outcome.violation);
}

int run(Options options, uint64_t count) {
  Outcome sum;
  int broken = 0;
  const uint64_t first = options.seed;
  for (; options.seed < first + count; ++options.seed) {
    const Outcome outcome = run_scenario(options);
    print(outcome, options.seed, options.keep_log);
    broken += outcome.violation ? 1 : 0;
    sum.hours += outcome.hours;
    sum.happened += outcome.happened;
    sum.faults += outcome.faults;
    sum.crashes += outcome.crashes;
    sum.jobs += outcome.jobs;
    sum.digest ^= outcome.digest;
  }
  fmt::print(
      "{} scenarios, {:.0f} hours, {} faults, {} starts of the coordinator after the first, {} "
      "jobs,"
      " {} events in {:.1f} s of CPU; digest {:016x}; {} broken\n",
      count, sum.hours, sum.faults, sum.crashes, sum.jobs, sum.happened,
      static_cast<double>(std::clock()) / CLOCKS_PER_SEC, sum.digest, broken);
  return broken == 0 ? 0 : 1;
}

}  // namespace
}  // namespace prefixmem::simulation

int main(int argc, char** argv) {
  using namespace prefixmem::simulation;
  CLI::App app("Simulates the coordinator among faults; a seed replays exactly.");
  Options options;
  uint64_t count = 1;
  app.add_option("--seed", options.seed, "The first seed");
  app.add_option("--count", count, "How many seeds, from that on");
  app.add_flag("--log", options.keep_log, "Print the whole log");
  const std::map<std::string, Sabotage> mistakes = {
      {"none", Sabotage::kNone},
      {"disk-lies", Sabotage::kDiskLies},
      {"agent-tells-nothing-again", Sabotage::kAgentTellsNothingAgain},
      {"agent-skips-an-event", Sabotage::kAgentSkipsAnEvent},
      {"agent-goes-on", Sabotage::kAgentGoesOn},
      {"agent-frees-early", Sabotage::kAgentFreesEarly},
      {"agent-starts-anew", Sabotage::kAgentStartsAnew},
      {"agent-tells-state-late", Sabotage::kAgentTellsStateLate},
      {"agent-sends-best-late", Sabotage::kAgentSendsBestLate}};
  app.add_option("--mistake", options.sabotage, "Made on purpose, to see it found")
      ->transform(CLI::CheckedTransformer(mistakes));
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);
  const Scratch scratch;
  options.folder = Scratch::folder();
  return run(options, count);
}
