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

using SpecFits = std::function<bool(const JobSpec&)>;

// With activations computed again, then with smaller micro-batches too.
std::string smaller_passes_that_fit(const JobSpec& spec, const ModelConfig& model, bool shares_gang,
                                    const SpecFits& fits) {
  std::string settings;
  JobSpec changed = spec;
  if (spec.train.activation_checkpointing.value_or(Checkpointing::kOff) == Checkpointing::kOff) {
    changed.train.activation_checkpointing = Checkpointing::kAuto;
    settings = "train.activation_checkpointing: auto";
    if (fits(changed)) return settings;
    settings += " and ";
  }
  int64_t tokens =
      std::min(changed.train.micro_batch_tokens, pass_of(changed, model, shares_gang).tokens);
  while (tokens > 1) {
    tokens /= 2;
    changed.train.micro_batch_tokens = tokens;
    if (!fits(changed)) continue;
    settings += "train.micro_batch_tokens: " + std::to_string(tokens);
    return spec.data.max_tokens > 0 ? settings : settings + ", if no row is longer";
  }
  return {};
}

}  // namespace

bool shares_weights(const JobSpec& spec) {
  return spec.train.dtype == Dtype::kBf16 && !shards_weights(spec) &&
         !std::holds_alternative<FullMethod>(spec.method);
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
                              const std::function<bool(const JobSpec&, const Placed&)>& fits) {
  const SpecFits does = [&](const JobSpec& one) {
    const auto needed = placed(one, model, shares_gang);
    return needed.ok() && fits(one, *needed);
  };
  std::string smaller = smaller_passes_that_fit(spec, model, shares_gang, does);
  const bool full = std::holds_alternative<FullMethod>(spec.method);
  if (!smaller.empty() || full || spec.resources.shard_base.value_or(false)) return smaller;
  JobSpec sharded = spec;
  sharded.resources.shard_base = true;
  std::string settings = "resources.shard_base: true";
  if (does(sharded)) return settings;
  const std::string besides = smaller_passes_that_fit(sharded, model, shares_gang, does);
  return besides.empty() ? besides : settings + " and " + besides;
}

}  // namespace prefixmem::memory
