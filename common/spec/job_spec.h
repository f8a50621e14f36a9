// The job spec: what a person writes as YAML and a client sends as proto, as one plain struct.
//
// The keys, their documentation and limits are declared once, in schema.h, as a description of
// these structs (the defaults are the members' values here); the YAML reader and writer, the proto
// conversion, `pmt explain` and docs/job-spec.md all follow that description.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace prefixmem {

// ---- method -------------------------------------------------------------------------------------

// o_i = attention(q_i, input) + M^T phi(q_i), arXiv 2506.13674; M [query heads, d_phi, head_dim].
struct PrefixMemoryMethod {
  static constexpr const char* kType = "prefix_memory";
  enum class FeatureMap { kElu };
  enum class Query { kPostRope };
  FeatureMap feature_map = FeatureMap::kElu;
  Query query = Query::kPostRope;
};

// W x + (alpha / r) B A x, arXiv 2106.09685.
struct LoraMethod {
  static constexpr const char* kType = "lora";
  int64_t r = 8;
  double alpha = 16;
  std::vector<std::string> target_modules = {"all-linear"};  // or q_proj, k_proj, … by name
};

// No training at all: the untuned base, evaluated as a row of a comparison.
struct NoMethod {
  static constexpr const char* kType = "none";
};

using MethodSpec = std::variant<PrefixMemoryMethod, LoraMethod, NoMethod>;

// ---- objective ----------------------------------------------------------------------------------

struct SftObjective {
  static constexpr const char* kType = "sft";
};

using ObjectiveSpec = std::variant<SftObjective>;

// ---- data ---------------------------------------------------------------------------------------

enum class DataFormat { kPromptCompletion, kTextLabel, kMessages };

struct FewShotSpec {
  int64_t per_class = 1;  // rows of each label taken from train
  int64_t seed = 0;
};

struct DataSpec {
  std::string train;  // JSONL file; may be empty only with method none
  std::string eval;   // JSONL file; empty: no evaluation
  DataFormat format = DataFormat::kPromptCompletion;
  // text_label only: prompt = template with {text} (and {labels}) replaced; completion likewise
  // with {label}.
  std::string prompt_template = "{text}\n";      // key: template
  std::string completion_template = " {label}";  // key: completion
  std::optional<FewShotSpec> few_shot;
  int64_t max_tokens = 0;  // longest row allowed; 0: the model's max_position_embeddings
};

// ---- train --------------------------------------------------------------------------------------

enum class Schedule { kConstant, kLinear, kCosine };
enum class Dtype { kBf16, kFp32 };

struct TrainSpec {
  std::optional<int64_t> max_steps;  // exactly one of max_steps and epochs (method none: neither)
  std::optional<double> epochs;
  int64_t global_batch_size = 8;  // rows a step, over all ranks
  int64_t micro_batch_tokens =
      4096;  // most tokens one forward/backward holds; a longer row goes alone
  double learning_rate = 1e-3;
  Schedule schedule = Schedule::kConstant;
  int64_t warmup_steps = 0;
  double max_grad_norm = 0;  // 0: off
  double weight_decay = 0;
  Dtype dtype = Dtype::kBf16;  // of the frozen base; adapters and optimizer state are always fp32
  int64_t seed = 0;
  int64_t eval_every = 0;        // steps; 0: only at the end
  int64_t checkpoint_every = 0;  // steps; 0: only at the end
};

// ---- eval ---------------------------------------------------------------------------------------

enum class EvalMode { kLabelLikelihood, kGenerate, kLoss };

struct EvalSpec {
  EvalMode mode = EvalMode::kLoss;
  int64_t max_rows = 0;  // 0: all; otherwise a seeded sample
  int64_t seed = 0;
  bool before = false;             // also evaluate before the first step
  bool length_normalized = false;  // label_likelihood: mean instead of sum of log-probabilities
  int64_t max_new_tokens = 64;     // generate
};

// ---- resources ----------------------------------------------------------------------------------

enum class Device { kAuto, kCpu, kCuda };

struct ResourcesSpec {
  int64_t ranks = 1;
  Device device = Device::kAuto;
  int64_t threads = 0;  // per rank, inside an operation; 0: the host's cores over its ranks
};

// ---- sweep --------------------------------------------------------------------------------------

// A value of the spec given by its dotted path, as YAML text ("1e-3", "{type: lora, r: 8}").
struct Override {
  std::string path;
  std::string yaml;
};

// Trials = (each entry of `trials`, or one empty entry) × (the product of all `grid` axes).
struct SweepSpec {
  std::map<std::string, std::vector<std::string>> grid;    // path → YAML values
  std::vector<std::map<std::string, std::string>> trials;  // path → YAML value
};

struct JobSpec {
  std::string name;
  std::string model;  // a Hugging Face folder
  MethodSpec method = PrefixMemoryMethod{};
  ObjectiveSpec objective = SftObjective{};
  DataSpec data;
  TrainSpec train;
  EvalSpec eval;
  ResourcesSpec resources;
  int64_t priority = 0;
  std::map<std::string, std::string> labels;
  std::optional<SweepSpec> sweep;
};

}  // namespace prefixmem
