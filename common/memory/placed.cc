#include "common/memory/placed.h"

#include <algorithm>
#include <variant>

namespace prefixmem::memory {
namespace {

constexpr int64_t kGrain = 16 << 20;
constexpr int64_t kMost = int64_t{1} << 50;  // no machine's
constexpr int64_t kCudaBytes = 512 << 20;    // its context and kernels

int64_t rounded(int64_t bytes) { return std::min((bytes + kGrain - 1) / kGrain * kGrain, kMost); }

PassSize pass_of(const JobSpec& spec, const ModelConfig& model, bool shares_gang) {
  PassSize pass = largest_pass(spec, model);
  if (shares_gang) {
    pass.tokens = std::max(spec.train.micro_batch_tokens, pass.row);
    pass.labels = pass.tokens;
  }
  return pass;
}

}  // namespace

bool shares_weights(const JobSpec& spec) {
  return spec.train.dtype == Dtype::kBf16 && !std::holds_alternative<FullMethod>(spec.method);
}

Result<Placed> placed(JobSpec spec, const ModelConfig& model, bool shares_gang) {
  spec.resources.ranks = spec.resources.min_ranks.value_or(spec.resources.ranks);
  const PassSize pass = pass_of(spec, model, shares_gang);
  spec.resources.device = Device::kCpu;
  PM_ASSIGN(const Estimate host, estimate(spec, model, pass));
  spec.resources.device = Device::kCuda;
  PM_ASSIGN(const Estimate gpu, estimate(spec, model, pass));
  const int64_t shared = shares_weights(spec) ? host.weights : 0;
  const int64_t own = host.adapter + host.optimizer;
  return Placed{.host_shared = rounded(shared),
                .host_rank = rounded(host.total() - shared - own),
                .gpu_rank = rounded(gpu.weights + gpu.activations + gpu.working + kCudaBytes),
                .own = rounded(own)};
}

std::string settings_that_fit(const JobSpec& spec, const ModelConfig& model, bool shares_gang,
                              const std::function<bool(const Placed&)>& fits) {
  const auto does = [&](const JobSpec& one) {
    const auto needed = placed(one, model, shares_gang);
    return needed.ok() && fits(*needed);
  };
  std::string settings;
  JobSpec changed = spec;
  if (spec.train.activation_checkpointing.value_or(Checkpointing::kOff) == Checkpointing::kOff) {
    changed.train.activation_checkpointing = Checkpointing::kAuto;
    settings = "train.activation_checkpointing: auto";
    if (does(changed)) return settings;
    settings += " and ";
  }
  int64_t tokens =
      std::min(changed.train.micro_batch_tokens, pass_of(changed, model, shares_gang).tokens);
  while (tokens > 1) {
    tokens /= 2;
    changed.train.micro_batch_tokens = tokens;
    if (!does(changed)) continue;
    settings += "train.micro_batch_tokens: " + std::to_string(tokens);
    return spec.data.max_tokens > 0 ? settings : settings + ", if no row is longer";
  }
  return {};
}

}  // namespace prefixmem::memory
