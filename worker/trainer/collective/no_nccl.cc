// Stands in for nccl.cc where the build found no NCCL.
#include "worker/trainer/collective/backends.h"

namespace prefixmem::trainer {

Result<std::unique_ptr<Collective>> make_nccl_collective(std::unique_ptr<Collective>,
                                                         torch::Device) {
  return failed_precondition(
      "resources.device is cuda with more than one rank, but this build has no NCCL");
}

}  // namespace prefixmem::trainer
