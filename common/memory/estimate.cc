#include "common/memory/estimate.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/memory/kept.h"
#include "common/memory/trained.h"

namespace prefixmem::memory {
namespace {

constexpr Count kProgramBytes = 150 << 20;      // code, and what libraries hold
constexpr Count kCudaProgramBytes = 230 << 20;  // of the host, for CUDA's, where they are loaded
constexpr Count kWordBytes = 440;               // of the tokenizer, for each word of the vocabulary
constexpr Count kBlockElements = 1 << 24;       // logits at once, ops/token_log_probs
constexpr Count kLabelsAtOnce = 64;             // and of ops/cpu/vocabulary
constexpr Count kShareWords = 1 << 13;          // rows of the head of one of its tasks
constexpr Count kBucketValues = 1 << 23;        // train/sharded_optimizer
constexpr Count kGatheredLayers = 3;            // model/sharded_layers
constexpr Count kExactBytes = 24;               // a value of collective/exact_sum

struct Job {
  const JobSpec& spec;
  const ModelConfig& model;
  Count tokens, labels;  // of the pass
  Count width;           // bytes of a value of the model's dtype
  Count trained;         // values
  bool full;
};

int64_t whole(Count bytes) {
  constexpr Count kMost = int64_t{1} << 60;  // no machine's; sums of some stay numbers
  return static_cast<int64_t>(std::min(bytes, kMost));
}

Count width_of(const JobSpec& spec) { return spec.train.dtype == Dtype::kBf16 ? 2 : kWide; }

bool has_ratios(const MethodSpec& method) {
  if (const auto* lora = std::get_if<LoraMethod>(&method)) {
    return lora->loraplus_lr_ratio != 1 || lora->bias != LoraMethod::Bias::kNone;
  }
  if (const auto* memory = std::get_if<PrefixMemoryMethod>(&method)) {
    return memory->feature_lr_ratio != 1;
  }
  const auto* prefix = std::get_if<PrefixTuningMethod>(&method);
  return prefix != nullptr && prefix->prefix_projection;
}

void add_trained(const Job& job, Estimate& estimate) {
  if (job.full) {
    const Count ranks = static_cast<Count>(std::max<int64_t>(1, job.spec.resources.ranks));
    const Count own = std::ceil(job.trained / ranks);
    estimate.adapter = whole(own * (job.width == kWide ? kWide : 2 * kWide));
    estimate.optimizer = whole(own * 2 * kWide);
    return;
  }
  const Count sums = job.spec.train.deterministic ? kExactBytes : 0;
  estimate.adapter = whole(job.trained * 2 * kWide);
  estimate.optimizer = whole(job.trained * ((has_ratios(job.spec.method) ? 3 : 2) * kWide + sums));
}

// A rank's part of the layers, with those that are gathered; all of the base where it is not cut.
Count weight_bytes(const Job& job) {
  const Count all = weight_values(job.model) * job.width;
  if (!shards_weights(job.spec)) return all;
  const Count layer = layer_map_values(job.model) * job.width;
  const auto layers = static_cast<Count>(job.model.num_layers);
  const auto ranks = static_cast<Count>(job.spec.resources.ranks);
  return all - layers * layer + std::ceil(layer / ranks) * layers + kGatheredLayers * layer;
}

// While the logits of a pass are made: how likely labels are, and the slope of that.
Count logits_bytes(const Job& job, bool with_gradient) {
  const auto vocabulary = static_cast<Count>(job.model.vocab_size);
  const auto hidden = static_cast<Count>(job.model.hidden_size);
  const Count slopes = with_gradient ? kWide * job.labels * hidden : 0;
  const bool fused = job.spec.resources.device == Device::kCpu && job.width != kWide && !job.full;
  if (fused) {
    const Count shares = std::ceil(vocabulary / kShareWords);
    return slopes + std::max(slopes, with_gradient ? kWide * shares * kLabelsAtOnce * hidden : 0);
  }
  const Count rows = std::min(std::max<Count>(1, kBlockElements / vocabulary), job.labels);
  return slopes + std::max(slopes, rows * vocabulary * 2 * kWide);
}

// A layer of a pass that keeps nothing.
Count forward_bytes(const Job& job) {
  return job.tokens * job.width *
         static_cast<Count>(3 * job.model.intermediate_size + 2 * job.model.hidden_size);
}

// What a step of full fine-tuning holds of gradients that are not in their buckets yet.
struct FullGradients {
  Count head = 0;    // when its own is made
  Count below = 0;   // while backward goes down
  Count bottom = 0;  // when the embedding's is added
};

FullGradients full_gradients(const Job& job) {
  if (!job.full) return {};
  const auto hidden = static_cast<Count>(job.model.hidden_size);
  const Count table = static_cast<Count>(job.model.vocab_size) * hidden;
  const Count largest = static_cast<Count>(job.model.intermediate_size) * hidden * job.width;
  const Count buckets = kWide * std::min(2 * kBucketValues, job.trained);
  const Count last = 2 * kWide * std::min(kBucketValues, job.trained);  // and a rank's part of it
  const Count narrow = table * job.width, wide = table * kWide;
  const Count of_head = job.model.tie_word_embeddings ? narrow : 0;
  const bool in_blocks = job.labels * static_cast<Count>(job.model.vocab_size) > kBlockElements;
  const Count sums = job.width < kWide ? wide + narrow : wide;
  return {in_blocks ? sums : narrow, of_head + largest + buckets, narrow + std::max(of_head, last)};
}

// What a step holds at one moment.
struct Moment {
  Count kept = 0, working = 0;
  bool operator<(const Moment& other) const { return kept + working < other.kept + other.working; }
};

// The fullest moment of a pass: when its logits are made, or when backward is in one of its layers.
Moment fullest_moment(const Job& job, const std::vector<LayerBytes>& layers, int64_t recomputed) {
  const FullGradients full = full_gradients(job);
  Count kept = 0;
  Moment fullest;
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerBytes& layer = layers[i];
    const bool last = i + 1 == layers.size();  // never computed again: little of it is kept
    const Count rows = last ? std::min(job.labels, job.tokens) : job.tokens;
    const Count all = layer.of_token * job.tokens + layer.of_row * rows + layer.in_all;
    const bool again = !last && layer.input > 0 && recomputed-- > 0;
    kept += again ? layer.input * job.tokens : all;
    fullest = std::max(fullest, {kept, full.below + layer.working * rows + (again ? all : 0)});
  }
  const bool trains = job.trained > 0;
  const bool reference = std::holds_alternative<DpoObjective>(job.spec.objective) && !job.full;
  const Count logits = full.head + logits_bytes(job, trains && !job.full);
  const Count forward = reference || !trains ? forward_bytes(job) : 0;
  return std::max({fullest, Moment{kept, std::max(logits, forward)}, Moment{0, full.bottom}});
}

// Of an evaluation's rows.
Count cache_bytes(const Job& job) {
  return job.tokens * job.width *
         static_cast<Count>(job.model.num_layers * 2 * job.model.key_value_size());
}

}  // namespace

bool shards_weights(const JobSpec& spec) {
  return spec.resources.shard_base.value_or(false) && spec.resources.ranks > 1;
}

int64_t gathered_bytes(const JobSpec& spec, const ModelConfig& model) {
  return shards_weights(spec) ? whole(kGatheredLayers * layer_map_values(model) * width_of(spec))
                              : 0;
}

int64_t step_tokens(const JobSpec& spec, int64_t each) {
  const int64_t ranks = std::max<int64_t>(1, spec.resources.ranks);
  const int64_t rows = (spec.train.global_batch_size - 1) / ranks + 1;
  const Count examples = std::holds_alternative<SftObjective>(spec.objective) ? 1 : 2;
  return whole(static_cast<Count>(rows) * examples * static_cast<Count>(each));
}

PassSize largest_pass(const JobSpec& spec, const ModelConfig& model) {
  const int64_t said =
      spec.data.max_tokens > 0 ? spec.data.max_tokens : spec.train.micro_batch_tokens;
  const int64_t row = std::min(said, model.max_position_embeddings);
  const int64_t tokens =
      std::min(std::max(spec.train.micro_batch_tokens, row), step_tokens(spec, row));
  return {tokens, tokens, row};
}

Result<Estimate> estimate(const JobSpec& spec, const ModelConfig& model, const PassSize& pass,
                          int64_t recomputed) {
  const Count width = width_of(spec);
  PM_ASSIGN(const Count trained, trained_values(spec.method, model));
  PM_ASSIGN(const Kept kept, kept_by(spec.method, {model, width, static_cast<Count>(pass.row)}));
  const Job job{spec,
                model,
                static_cast<Count>(pass.tokens),
                static_cast<Count>(pass.labels),
                width,
                trained,
                std::holds_alternative<FullMethod>(spec.method)};
  const Moment fullest = fullest_moment(job, kept.layers, recomputed);
  const Count cache = trained == 0 ? cache_bytes(job) : 0;
  Estimate result;
  const Count libraries =
      kProgramBytes + (spec.resources.device == Device::kCuda ? kCudaProgramBytes : 0);
  result.program = whole(libraries + kWordBytes * static_cast<Count>(model.vocab_size));
  result.weights = whole(weight_bytes(job));
  result.activations = whole(fullest.kept + kept.of_token * job.tokens + cache);
  result.working = whole(fullest.working);
  add_trained(job, result);
  return result;
}

Result<Estimate> estimate(const JobSpec& spec, const ModelConfig& model, const PassSize& pass) {
  const auto checkpointing = spec.train.activation_checkpointing.value_or(Checkpointing::kOff);
  return estimate(spec, model, pass, checkpointing == Checkpointing::kOff ? 0 : model.num_layers);
}

Result<int64_t> layers_to_recompute(const JobSpec& spec, const ModelConfig& model,
                                    const PassSize& pass, int64_t bytes) {
  const auto checkpointing = spec.train.activation_checkpointing.value_or(Checkpointing::kOff);
  if (checkpointing == Checkpointing::kOff) return 0;
  if (checkpointing == Checkpointing::kOn) return model.num_layers;
  int64_t layers = 0;
  for (; layers < model.num_layers; ++layers) {
    PM_ASSIGN(const Estimate needed, estimate(spec, model, pass, layers));
    if (needed.of_training() <= bytes) break;
  }
  return layers;
}

}  // namespace prefixmem::memory
