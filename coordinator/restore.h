// Puts a backup in place of a store, while no coordinator runs on it.
#pragma once

#include <filesystem>

#include "common/status.h"
#include "coordinator/store/s3/options.h"

namespace prefixmem {

struct RestoreOptions {
  std::filesystem::path backup;    // a folder that `pmt admin backup` has filled
  std::filesystem::path data_dir;  // made where missing
  store::s3::Flags s3 = {};        // of a coordinator whose files are in a bucket
};

// Checks every file of the backup by its sha256 before it touches anything. What is in the data
// folder is moved to `replaced-N` in it. Attempts of before do not count any more: jobs that were
// placed are queued again, to go on from their newest checkpoints. Files that a bucket has not are
// sent there, and it is this data folder's from then on. Prints what it did on stderr.
//
// NOT_FOUND or DATA_LOSS where the backup is not whole; FAILED_PRECONDITION where a coordinator has
// the data folder. A restore that is cut off while it changes the data folder keeps coordinators
// from starting there until it is run again.
Status restore(const RestoreOptions& options);

}  // namespace prefixmem
