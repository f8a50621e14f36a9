// Sums over the ranks of a gang, and what they share: MPI on CPUs, NCCL on GPUs, nothing for a gang
// of one.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::trainer {

// Thread: one at a time, not always the same. Every rank makes the same calls in the same order. A
// failure is UNAVAILABLE: a peer is gone, and the collective is of no more use.
class Collective {
 public:
  virtual ~Collective() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_rank() const = 0;  // index among the ranks of this host
  virtual int local_size() const = 0;
  // Where this rank computes, and where the tensors of a collective live.
  virtual torch::Device device() const = 0;

  // Element-wise sum of a contiguous fp32 or int64 tensor over all ranks, in place; every rank gets
  // the same bits.
  virtual Status all_reduce_sum(torch::Tensor& tensor) = 0;
  // Cuts a contiguous fp32 tensor [size() · n] into a part a rank, in rank order, and puts this
  // rank's part of the sum over all ranks into `part` [n]. The tensor's values are lost.
  virtual Status reduce_scatter_sum(torch::Tensor& tensor, torch::Tensor& part) = 0;
  // The inverse cut: of a contiguous tensor [size() · n] of any dtype each rank has filled its own
  // part; afterwards every rank has all of them. In place.
  virtual Status all_gather(torch::Tensor& tensor) = 0;
  // The same as all_reduce_sum for a few host values (votes, counts, losses).
  virtual Status all_reduce_sum(std::span<double> values) = 0;
  // Rank 0's bytes to all.
  virtual Status broadcast(std::string& bytes) = 0;
  // Every rank's bytes, in rank order, on every rank.
  virtual Result<std::vector<std::string>> all_gather(const std::string& bytes) = 0;
  virtual Status barrier() = 0;

  // Ends this process at once with `exit_code`, and with it the whole gang: for a rank that failed
  // alone, whose peers would wait for it.
  [[noreturn]] virtual void abort(int exit_code) = 0;
};

struct CollectiveOptions {
  Device device = Device::kAuto;  // auto: CUDA where the machine has it; GPU number = local rank
  // Longest wait for the other ranks in one call. Above the longest difference between two ranks'
  // steps (a checkpoint being written, an evaluation's last rows).
  std::chrono::milliseconds deadline = std::chrono::minutes(10);
  // Told once when the deadline has passed, on a thread of its own, before the process ends.
  std::function<void(const Status&)> on_stall = [](const Status&) {};
};

// Starts MPI (once a process; finalised when the collective goes) and picks the backend for the
// device. A process that was not started by mpirun is a gang of one. FAILED_PRECONDITION where CUDA
// is asked for and this build or machine has none.
Result<std::unique_ptr<Collective>> make_collective(const CollectiveOptions& options);

// Makes `outcome` the failure of the lowest rank that has one, on every rank: with it, a phase that
// may fail on one rank alone ends on all of them. Fails only where the collective itself does.
Status agree(Collective& collective, Status& outcome);

// FAILED_PRECONDITION, on every rank, where one has another `mine` than rank 0; `what`: its name,
// for people. Every rank calls it.
Status check_same(Collective& collective, const std::string& what, const std::string& mine);

}  // namespace prefixmem::trainer
