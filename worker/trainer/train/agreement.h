// A failure that all ranks hold.
#pragma once

#include "common/status.h"
#include "worker/trainer/collective/collective.h"

namespace prefixmem::trainer {

// Of a gang, or of one trial of its bank.
class Agreement {
 public:
  // Set once every rank holds the same failure, so that all may end in order and one rank speaks
  // for them; a rank that fails otherwise fails alone and has to take the gang down.
  bool failed_together() const { return failed_together_; }

  // A failure that every rank has found in the same way.
  Status together(Status status) {
    failed_together_ = failed_together_ || !status.ok();
    return status;
  }
  // Turns a failure of one rank into everybody's; every rank calls it.
  Status agree(Collective& gang, const Status& mine) {
    Status outcome = mine;
    PM_TRY(trainer::agree(gang, outcome));
    return together(std::move(outcome));
  }

 private:
  bool failed_together_ = false;
};

}  // namespace prefixmem::trainer
