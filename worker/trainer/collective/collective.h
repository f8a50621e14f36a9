// Sums over the ranks of a gang: MPI on CPUs, NCCL on GPUs, nothing for a gang of one.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/status.h"

namespace prefixmem::trainer {

class Collective {
 public:
  virtual ~Collective() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_rank() const = 0;  // index among the ranks of this host
  virtual int local_size() const = 0;

  // Element-wise sum of a contiguous fp32 tensor over all ranks, in place; every rank gets the same bits.
  virtual Status all_reduce_sum(torch::Tensor& tensor) = 0;
  // The same for a few host values (votes, counts, losses).
  virtual Status all_reduce_sum(std::span<double> values) = 0;
  // Rank 0's bytes to all.
  virtual Status broadcast(std::string& bytes) = 0;
  // Every rank's bytes, in rank order, on every rank.
  virtual Result<std::vector<std::string>> all_gather(const std::string& bytes) = 0;
  virtual Status barrier() = 0;
};

// Starts MPI (once a process; finalised at exit) and picks the backend for the device. A process that
// was not started by mpirun is a gang of one. FAILED_PRECONDITION where CUDA is asked for and this
// build or machine has none.
Result<std::unique_ptr<Collective>> make_collective(torch::Device device);

}  // namespace prefixmem::trainer
