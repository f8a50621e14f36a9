#include "worker/trainer/collective/backends.h"
#include "worker/trainer/collective/cuda.h"

namespace prefixmem::trainer {
namespace {

// Local ranks take the GPUs in turn.
Result<torch::Device> pick_device(Device wanted, int local_rank) {
  if (wanted == Device::kCpu) return torch::Device(torch::kCPU);
  PM_ASSIGN(const int gpus, count_gpus());
  if (gpus > 0) return torch::Device("cuda:" + std::to_string(local_rank % gpus));
  if (wanted == Device::kAuto) return torch::Device(torch::kCPU);
  return failed_precondition(
      "resources.device is cuda, but this machine shows no CUDA device; allowed here: cpu, auto");
}

}  // namespace

Status check_summable(const torch::Tensor& tensor, torch::Device device) {
  const bool known =
      tensor.scalar_type() == torch::kFloat32 || tensor.scalar_type() == torch::kInt64;
  if (tensor.is_contiguous() && known && tensor.device().type() == device.type()) return {};
  return internal_error("collective: all_reduce_sum needs a contiguous fp32 or int64 tensor on " +
                        device.str() + ", not " + std::string(tensor.toString()));
}

Status check_scatterable(const torch::Tensor& tensor, const torch::Tensor& part, int ranks,
                         torch::Device device) {
  PM_TRY(check_summable(tensor, device));
  PM_TRY(check_summable(part, device));
  const bool fp32 =
      tensor.scalar_type() == torch::kFloat32 && part.scalar_type() == torch::kFloat32;
  if (fp32 && tensor.dim() == 1 && tensor.numel() == part.numel() * ranks) return {};
  return internal_error("collective: reduce_scatter_sum needs " + std::to_string(ranks) +
                        " parts of " + std::to_string(part.numel()) + " fp32 values, not " +
                        std::to_string(tensor.numel()) + " of " + std::string(tensor.toString()));
}

Status check_gatherable(const torch::Tensor& tensor, int ranks, torch::Device device) {
  if (tensor.is_contiguous() && tensor.dim() == 1 && tensor.numel() % ranks == 0 &&
      tensor.device().type() == device.type()) {
    return {};
  }
  return internal_error("collective: all_gather needs a flat contiguous tensor of " +
                        std::to_string(ranks) + " equal parts on " + device.str() + ", not " +
                        std::to_string(tensor.numel()) + " values of " +
                        std::string(tensor.toString()));
}

Result<std::unique_ptr<Collective>> make_collective(const CollectiveOptions& options) {
  if (!started_by_mpi()) {
    PM_ASSIGN(const torch::Device device, pick_device(options.device, 0));
    return make_single_collective(device);
  }
  PM_ASSIGN(auto host, make_mpi_collective(torch::kCPU, options));
  auto device = pick_device(options.device, host->local_rank());
  Status found = device.status();
  PM_TRY(agree(*host, found));
  PM_TRY(found);
  double on_cpu = device->is_cpu() ? 1 : 0;
  PM_TRY(host->all_reduce_sum({&on_cpu, 1}));
  if (on_cpu > 0) return host;
  if (host->size() == 1) return make_single_collective(*device);
  return make_nccl_collective(std::move(host), *device);
}

Status agree(Collective& collective, Status& outcome) {
  double failures = outcome.ok() ? 0 : 1;
  PM_TRY(collective.all_reduce_sum({&failures, 1}));
  if (failures == 0) return {};
  const std::string encoded =
      outcome.ok() ? "" : std::string(code_name(outcome.code())) + "\n" + outcome.message();
  PM_ASSIGN(const auto all, collective.all_gather(encoded));
  for (const std::string& entry : all) {
    if (entry.empty()) continue;
    const size_t split = entry.find('\n');
    const auto code = code_from_name(entry.substr(0, split)).value_or(Code::kInternal);
    outcome = {code, entry.substr(split + 1)};
    return {};
  }
  return internal_error("collective: ranks disagree about who failed");
}

Status check_same(Collective& collective, const std::string& what, const std::string& mine) {
  std::string leaders = mine;
  PM_TRY(collective.broadcast(leaders));
  Status outcome;
  if (mine != leaders) {
    outcome = failed_precondition("rank " + std::to_string(collective.rank()) + " has other " +
                                  what + " than rank 0 (" + mine + ", rank 0 " + leaders +
                                  "); allowed: the same on every host of the gang");
  }
  PM_TRY(agree(collective, outcome));
  return outcome;
}

}  // namespace prefixmem::trainer
