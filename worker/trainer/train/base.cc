#include "worker/trainer/train/base.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "common/memory/estimate.h"
#include "common/spec/enums.h"
#include "worker/trainer/data/codec.h"
#include "worker/trainer/data/dataset_cache.h"
#include "worker/trainer/model/sharded_layers.h"
#include "worker/trainer/proof/golden_probe.h"
#include "worker/trainer/train/guard.h"

namespace prefixmem::trainer {
namespace {

void set_threads(const Base& base) {
  int64_t threads = base.spec.resources.threads;
  if (threads == 0) {
    const auto cores = static_cast<int64_t>(std::thread::hardware_concurrency());
    threads = std::max<int64_t>(1, cores / base.gang->local_size());
  }
  at::set_num_threads(static_cast<int>(threads));
}

Status load_parts(Base& base) {
  DecoderOptions options;
  options.dtype = base.spec.train.dtype == Dtype::kBf16 ? torch::kBFloat16 : torch::kFloat32;
  options.device = base.gang->device();
  if (memory::shards_weights(base.spec)) options.sharded_over = base.gang.get();
  PM_ASSIGN(base.codec, load_codec(base.spec.model));
  PM_ASSIGN(base.model, Transformer::load(base.spec.model, options));
  return {};
}

// From here on some ranks may compute while others wait for them in a call of the gang.
void share_layers(Base& base) {
  ShardedLayers* const shards = base.model->shards();
  if (shards == nullptr) return;
  base.ranks = std::move(base.gang);
  base.gang = settled_before_calls(*base.ranks, [shards] { return shards->settle(); });
}

Status check_same(std::string_view key, std::string_view own, std::string_view others) {
  if (own == others) return {};
  return invalid_argument(std::string(key) + " is " + std::string(own) +
                          "; allowed in this bank: " + std::string(others));
}

}  // namespace

const torch::Tensor& Base::probe() {
  if (!probe_.defined()) {
    probe_ = probe_logits(*model, nullptr, probe_sequences(model->config().vocab_size));
  }
  return probe_;
}

std::shared_ptr<const int64_t> Base::note_trained(int64_t bytes) {
  const auto note = std::make_shared<const int64_t>(bytes);
  std::erase_if(trained_, [](const auto& old) { return old.expired(); });
  trained_.push_back(note);
  return note;
}

int64_t Base::trained() const {
  int64_t bytes = 0;
  for (const auto& one : trained_) {
    if (const auto note = one.lock()) bytes += *note;
  }
  return bytes;
}

Result<std::shared_ptr<const Dataset>> Base::dataset(const JobSpec& wanted,
                                                     const Positions& positions) {
  std::weak_ptr<const Dataset>& known = datasets_[rows_wanted(wanted, positions)];
  if (auto rows = known.lock()) return rows;
  auto made = cache.empty() ? load_dataset(wanted, *codec, positions)
                            : DatasetCache(cache).load(wanted, *codec, positions);
  PM_TRY(made.status());
  auto rows = std::make_shared<const Dataset>(std::move(*made));
  known = rows;
  return rows;
}

Status load_base(Base& base, const JobSpec& spec) {
  base.spec = spec;
  base.spec.resources.ranks = base.gang->size();
  set_threads(base);
  PM_TRY(base.agree(torch_guarded([&] { return load_parts(base); })));
  share_layers(base);
  return {};
}

Status check_base(const Base& base, const JobSpec& spec) {
  const JobSpec& first = base.spec;
  PM_TRY(check_same("model", spec.model, first.model));
  PM_TRY(check_same("train.dtype", spec::spelling(spec.train.dtype),
                    spec::spelling(first.train.dtype)));
  PM_TRY(check_same("resources.device", spec::spelling(spec.resources.device),
                    spec::spelling(first.resources.device)));
  PM_TRY(check_same("resources.threads", std::to_string(spec.resources.threads),
                    std::to_string(first.resources.threads)));
  const auto sharding = [](const JobSpec& of) {
    return of.resources.shard_base.value_or(false) ? "true" : "false";
  };
  return check_same("resources.shard_base", sharding(spec), sharding(first));
}

}  // namespace prefixmem::trainer
