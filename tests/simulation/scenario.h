// One seed: a cluster that works, faults that befall it, peace again, and what must be true then.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/disk.h"
#include "tests/simulation/world.h"

namespace prefixmem::simulation {

struct Options {
  uint64_t seed = 1;
  Sabotage sabotage = Sabotage::kNone;
  bool keep_log = false;                    // all of it, not the last lines alone
  std::optional<int64_t> submissions = {};  // none: as many as the seed has
  // The coordinator dies at that operation of its disk, counted from the start, and there are no
  // other faults; none: faults as the seed has them.
  std::optional<int64_t> dies_at = {};
  bool dies_after = false;       // the operation, not before it
  std::filesystem::path folder;  // of its own: files of jobs, emptied first
};

struct Outcome {
  std::optional<std::string> violation;  // the invariant that was broken, in a sentence
  std::vector<std::string> log;
  // Of the log, all that the coordinator said and how often its disk was used: the same for the
  // same options.
  uint64_t digest = 0;
  double hours = 0;  // of simulated time
  int64_t happened = 0, faults = 0, crashes = 0, jobs = 0;
  int64_t disk_operations = 0;
};

Outcome run_scenario(const Options& options);

}  // namespace prefixmem::simulation
