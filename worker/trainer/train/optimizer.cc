#include "worker/trainer/train/optimizer.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "worker/trainer/train/replicated_optimizer.h"
#include "worker/trainer/train/sharded_optimizer.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kPiece = int64_t{1} << 23;  // values broadcast at once

}  // namespace

Status Optimizer::scatter(State state, size_t index, const torch::Tensor& whole) {
  const torch::NoGradGuard no_grad;
  const int64_t begin = flat_begins(parameters_)[index], count = parameters_[index].value.numel();
  for (int64_t done = 0; done < count; done += kPiece) {
    const int64_t size = std::min(kPiece, count - done);
    std::string bytes;
    if (gang_.rank() == 0) {
      const torch::Tensor piece = whole.view(-1).narrow(0, done, size);
      bytes.assign(static_cast<const char*>(piece.const_data_ptr()), piece.nbytes());
    }
    PM_TRY(gang_.broadcast(bytes));
    place(state, begin + done, at::from_blob(bytes.data(), {size}, at::kFloat));
  }
  return {};
}

Status Optimizer::timed(const std::function<Status()>& collective) {
  const auto start = std::chrono::steady_clock::now();
  Status status = collective();
  communication_seconds_ +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return status;
}

std::vector<int64_t> flat_begins(const std::vector<Parameter>& parameters) {
  std::vector<int64_t> begins;
  int64_t next = 0;
  for (const Parameter& parameter : parameters) {
    begins.push_back(next);
    next += parameter.value.numel();
  }
  return begins;
}

bool bits_of_any_ranks(const TrainSpec& spec, const Adapter& adapter) {
  return spec.deterministic && !adapter.trains_model();
}

std::unique_ptr<Optimizer> make_optimizer(Adapter& adapter, const TrainSpec& spec,
                                          Collective& gang) {
  const AdamWOptions options{.weight_decay = spec.weight_decay};
  if (adapter.trains_model()) {
    return std::make_unique<ShardedOptimizer>(adapter.parameters(), gang, options);
  }
  return std::make_unique<ReplicatedOptimizer>(adapter.parameters(), gang, options,
                                               bits_of_any_ranks(spec, adapter));
}

}  // namespace prefixmem::trainer
