// What make_collective chooses from.
#pragma once

#include <memory>
#include <string>

#include "worker/trainer/collective/collective.h"

namespace prefixmem::trainer {

// True in a process that mpirun (or a PMIx launcher such as srun) started.
bool started_by_mpi();
// This process's rank as the launcher's environment gives it; 0 without one.
int launched_rank();

std::unique_ptr<Collective> make_single_collective(torch::Device device);
// Host memory only; `device` must be the CPU unless NCCL sums the tensors.
Result<std::unique_ptr<Collective>> make_mpi_collective(torch::Device device,
                                                        const CollectiveOptions& options);
// Sums tensors with NCCL on the device's current stream and all else through `host`, whose deadline
// covers every call. FAILED_PRECONDITION where this build or machine has no NCCL.
Result<std::unique_ptr<Collective>> make_nccl_collective(std::unique_ptr<Collective> host,
                                                         torch::Device device);

// INTERNAL unless the tensor is contiguous on `device`, fp32 or int64.
Status check_summable(const torch::Tensor& tensor, torch::Device device);
// INTERNAL unless it can be summed, is flat, and `part` is one of `ranks` equal parts of it.
Status check_scatterable(const torch::Tensor& tensor, const torch::Tensor& part, int ranks,
                         torch::Device device);
// INTERNAL unless the tensor is contiguous and flat, on `device`, of `ranks` equal parts.
Status check_gatherable(const torch::Tensor& tensor, int ranks, torch::Device device);

}  // namespace prefixmem::trainer
