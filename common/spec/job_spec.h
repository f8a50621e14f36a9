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
  static constexpr int64_t kMostFeatures = 65536;
  enum class FeatureMap { kElu, kEluPlusOne, kGelu, kMlp };
  enum class Query { kPostRope, kPreRope };
  enum class Scope { kHead, kHidden };
  FeatureMap feature_map = FeatureMap::kElu;
  int64_t feature_dim = 0;  // mlp only; 0: the size of its input
  Query query = Query::kPostRope;
  Scope scope = Scope::kHead;
  std::vector<std::string> layers = {"all"};  // or numbers and ranges: 3, 0-11
  double feature_lr_ratio = 1;                // learning rate of phi's W and b over train's
  std::string init = {};                      // adapter folder to start from
};

// Trained keys and values before the input's, arXiv 2101.00190, as PEFT has it.
struct PrefixTuningMethod {
  static constexpr const char* kType = "prefix_tuning";
  static constexpr int64_t kMostTokens = 4096;
  enum class Init { kRandom, kZero, kText };
  int64_t num_virtual_tokens = 20;
  bool prefix_projection = false;   // keys and values come from an embedding through an MLP
  int64_t encoder_hidden_size = 0;  // inner width of that MLP; 0: hidden_size
  Init init_weights = Init::kRandom;
  std::string init_text = {};
  std::string init = {};
};

// W x + (alpha / r) B A x, arXiv 2106.09685.
struct LoraMethod {
  static constexpr const char* kType = "lora";
  static constexpr int64_t kHighestRank = 4096;
  int64_t r = 8;
  double alpha = 16;
  std::vector<std::string> target_modules = {"all-linear"};  // names, regular expressions
  enum class Bias { kNone, kLoraOnly, kAll };
  enum class Init { kKaiming, kGaussian };
  double dropout = 0;  // of the update's input
  Bias bias = Bias::kNone;
  bool use_rslora = false;             // alpha / sqrt(r), arXiv 2312.03732
  bool use_dora = false;               // arXiv 2402.09353
  double loraplus_lr_ratio = 1;        // learning rate of B over A's, arXiv 2402.12354
  Init init_weights = Init::kKaiming;  // of A
  std::string init = {};
};

// Every weight of the model.
struct FullMethod {
  static constexpr const char* kType = "full";
};

using AdapterMethod = std::variant<PrefixMemoryMethod, PrefixTuningMethod, LoraMethod>;

// Several adapter methods at once, each at most once; in YAML also the bare list of them.
struct CombinedMethod {
  static constexpr const char* kType = "combined";
  static constexpr const char* kListKey = "methods";
  std::vector<AdapterMethod> methods;
};

// No training at all: the untuned base, evaluated as a row of a comparison.
struct NoMethod {
  static constexpr const char* kType = "none";
};

using MethodSpec = std::variant<PrefixMemoryMethod, PrefixTuningMethod, LoraMethod, FullMethod,
                                CombinedMethod, NoMethod>;

// For people and as a metric's label: the type, or the types joined, "prefix_memory+lora".
std::string method_name(const MethodSpec& method);

// ---- objective ----------------------------------------------------------------------------------

struct SftObjective {
  static constexpr const char* kType = "sft";
};

// Preference tuning against the model without its adapter, arXiv 2305.18290. A pair's margin m is
// the log-probability ratio to that reference of the chosen answer minus that of the rejected one.
struct DpoObjective {
  static constexpr const char* kType = "dpo";
  enum class Loss {
    kSigmoid,
    kIpo
  };  // -log sigmoid(beta m); (mean m - 1 / (2 beta))^2, 2310.12036
  double beta = 0.1;
  double label_smoothing = 0;  // sigmoid only: probability that a label is wrong
  Loss loss = Loss::kSigmoid;
};

// Preference tuning without a reference, arXiv 2405.14734: -log sigmoid(beta m - gamma), m the
// difference of the answers' mean log-probabilities a token.
struct SimpoObjective {
  static constexpr const char* kType = "simpo";
  double beta = 2;
  double gamma = 1;
};

using ObjectiveSpec = std::variant<SftObjective, DpoObjective, SimpoObjective>;

// ---- data ---------------------------------------------------------------------------------------

enum class DataFormat { kPromptCompletion, kTextLabel, kMessages, kPreference };
// Fields of a row, which data.columns may rename.
std::vector<std::string> row_fields(DataFormat format);
// What becomes of a row of more than max_tokens.
enum class Overflow { kError, kDrop, kTruncateLeft, kTruncateRight };

struct FewShotSpec {
  int64_t per_class = 1;  // rows of each label taken from train
  int64_t seed = 0;
};

// Training rows set apart as validation rows; the same for every few-shot sample.
struct HoldoutSpec {
  int64_t rows = 100;  // at most: each label keeps few_shot.per_class rows
  int64_t seed = 0;
};

struct DataSpec {
  std::string train;       // .jsonl, .csv, .tsv or .parquet; may be empty only with method none
  std::string validation;  // the same; rows that settings are chosen by
  std::optional<HoldoutSpec> holdout;  // where there is no file `validation`
  std::string eval;                    // the same; empty: no evaluation
  DataFormat format = DataFormat::kPromptCompletion;
  // text_label: prompt = template with {text} (and {labels}) replaced; completion likewise with
  // {label}. prompt_completion: prompt = template with {text} replaced by the row's prompt.
  std::optional<std::string> prompt_template;      // key: template; none: prompt_pattern's
  std::string completion_template = " {label}";    // key: completion; text_label only
  std::map<std::string, std::string> columns;      // our field → its name in the file
  std::vector<std::string> labels;                 // text_label: all there are; empty: train's
  std::map<std::string, std::string> label_words;  // label → the words that stand for it
  std::optional<FewShotSpec> few_shot;
  int64_t max_tokens = 0;  // longest row; 0: the model's max_position_embeddings
  Overflow overflow = Overflow::kError;
};

// The template of prompts, where none is given "{text}\n" of text_label and "{text}" of the others.
std::string prompt_pattern(const DataSpec& data);

// ---- train --------------------------------------------------------------------------------------

enum class Schedule { kConstant, kLinear, kCosine };
enum class Dtype { kBf16, kFp32 };
// What a job leaves in the store besides its scores.
enum class Output { kAll, kAdapter, kNone };
// Whether backward computes layers' activations again; auto: of as many as memory asks for.
enum class Checkpointing { kOff, kOn, kAuto };

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
  bool deterministic = false;    // bitwise as alone in a bank; refuses to resume elsewhere
  Output output = Output::kAll;
  // None: off, which workers older than the key need not be told.
  std::optional<Checkpointing> activation_checkpointing = {};
  // Checkpoint of another job, behind whose step this one begins; none: at the beginning.
  std::optional<std::string> continue_from = {};
  std::optional<int64_t> keep_checkpoints = {};  // newest; none: 2, of a job that has succeeded 1
  std::optional<bool> keep_best = {};            // the adapter of the best evaluation, too
};

// ---- eval ---------------------------------------------------------------------------------------

enum class EvalMode { kLabelLikelihood, kGenerate, kLoss, kPreference };
enum class Metric { kAccuracy, kMacroF1, kExactMatch, kMathAnswer, kLoss, kPreferenceAccuracy };
EvalMode mode_of(Metric metric);  // the only one that can give it
// Which held-out rows are scored.
enum class EvalSplit { kTest, kValidation };

struct EvalSpec {
  EvalMode mode = EvalMode::kLoss;
  std::optional<Metric> metric = {};  // none: the mode's own (metric_of)
  EvalSplit split = EvalSplit::kTest;
  int64_t max_rows = 0;  // 0: all; otherwise a seeded sample
  int64_t seed = 0;
  bool before = false;             // also evaluate before the first step
  bool length_normalized = false;  // label_likelihood: mean instead of sum of log-probabilities
  int64_t max_new_tokens = 64;     // generate
  std::vector<std::string> stop;   // generate: texts at which an answer ends
  // Held-out rows on which the trained adapter's attention is compared with the base's; none: not.
  std::optional<int64_t> diagnosis_rows = {};
  std::string benchmark;  // whose held-out rows these are, where another's than the job's
  std::optional<DataSpec> data = {};  // held-out rows of another kind than data's; none: data.eval
};

// eval.metric, or accuracy, exact_match, loss, preference_accuracy by the mode.
Metric metric_of(const EvalSpec& eval);

// ---- resources ----------------------------------------------------------------------------------

enum class Device { kAuto, kCpu, kCuda };
// Whether the job may share a gang with trials of its sweep that have the same base.
enum class Banking { kAuto, kNever };

struct ResourcesSpec {
  int64_t ranks = 1;
  std::optional<int64_t> min_ranks = {};  // that it runs on too; none: ranks alone
  Device device = Device::kAuto;
  int64_t threads = 0;  // per rank, inside an operation; 0: the host's cores over its ranks
  Banking bank = Banking::kAuto;
  std::optional<bool> shard_base = {};  // each rank keeps a part of each layer; none: no
  // How long the job may hold its slots, over all attempts, as spec/duration.h reads it; none: as
  // long as it takes.
  std::optional<std::string> time_limit = {};
};

// ---- sweep --------------------------------------------------------------------------------------

// A value of the spec given by its dotted path, as YAML text ("1e-3", "{type: lora, r: 8}").
struct Override {
  std::string path;
  std::string yaml;
};

// Values as YAML text.
struct YamlList {
  std::vector<std::string> items = {};
};

// The value of each key that a search has set in a trial: dotted path → YAML.
using Setting = std::map<std::string, std::string>;
// Other keys of the space → values (YAML) of which each must have one; a block stands for its type.
using Conditions = std::map<std::string, std::vector<std::string>>;

// Where a search looks for the value of one key. A trial that does not meet `when` leaves the key
// as the spec has it.
struct ChoiceDomain {
  static constexpr const char* kType = "choice";
  static constexpr const char* kListKey = "values";
  YamlList values = {};
  Conditions when = {};
};
struct UniformDomain {
  static constexpr const char* kType = "uniform";
  double low = 0;
  double high = 1;
  Conditions when = {};
};
struct LogUniformDomain {
  static constexpr const char* kType = "log_uniform";
  double low = 1e-5;
  double high = 1e-1;
  Conditions when = {};
};
struct IntDomain {  // both ends included
  static constexpr const char* kType = "int";
  int64_t low = 1;
  int64_t high = 64;
  bool log = false;
  Conditions when = {};
};
using Domain = std::variant<ChoiceDomain, UniformDomain, LogUniformDomain, IntDomain>;
using SearchSpace = std::map<std::string, Domain>;

// How settings are chosen, and which trials are stopped early.
enum class Sampler { kRandom, kTpe };
struct GridSearch {
  static constexpr const char* kType = "grid";
};
struct RandomSearch {
  static constexpr const char* kType = "random";
};
struct TpeSearch {  // Bergstra et al. 2011
  static constexpr const char* kType = "tpe";
  int64_t startup_trials = 10;
  int64_t candidates = 24;
};
struct AshaSearch {  // arXiv 1810.05934
  static constexpr const char* kType = "asha";
  Sampler sampler = Sampler::kRandom;
  int64_t min_steps = 1;
  int64_t reduction_factor = 4;
};
struct HyperbandSearch {  // arXiv 1603.06560
  static constexpr const char* kType = "hyperband";
  Sampler sampler = Sampler::kRandom;
  int64_t min_steps = 1;
  int64_t max_steps = 81;
  int64_t reduction_factor = 3;
};
struct PbtSearch {  // arXiv 1711.09846
  static constexpr const char* kType = "pbt";
  int64_t interval = 10;  // steps of a generation
  double quantile = 0.25;
  double resample_probability = 0.25;
};
using SearchSpec =
    std::variant<GridSearch, RandomSearch, TpeSearch, AshaSearch, HyperbandSearch, PbtSearch>;

struct GoalSpec {
  enum class Mode { kMax, kMin };
  std::string metric;
  Mode mode = Mode::kMax;
};

// When no further trial begins; 0: no bound.
struct BudgetSpec {
  int64_t trials = 20;
  int64_t tokens = 0;   // of all trials together
  double seconds = 0;   // from the submission on
  int64_t devices = 0;  // ranks at once
};

// Distinct seeds; in YAML also their count: 3 is [0, 1, 2].
struct Seeds {
  std::vector<int64_t> values = {};
};

// What becomes of the setting that a search has found.
struct TestSpec {
  Seeds seeds = {{0}};
};

// Combinations = (each entry of `trials`, or one empty entry) × (the product of all `grid` axes).
// Without `space` each is a trial. With it each has a search, whose settings are tried while others
// run. Every setting is tried with each of `seeds`.
struct SweepSpec {
  std::map<std::string, std::vector<std::string>> grid = {};    // path → YAML values
  std::vector<std::map<std::string, std::string>> trials = {};  // path → YAML value
  Seeds seeds = {};                                             // none: those of the spec
  SearchSpec search = RandomSearch{};
  SearchSpace space = {};
  // Axis of the grid → values of it (YAML) on which one search for all of them tries its settings.
  std::map<std::string, std::vector<std::string>> tune_on = {};
  std::optional<TestSpec> test = {};
  std::optional<GoalSpec> goal =
      {};  // none: what eval.mode reports, the most (loss: the least) of it
  BudgetSpec budget;
  int64_t max_concurrent = 8;  // trials that have begun and not ended
  int64_t seed = 0;

  bool is_search() const { return !space.empty(); }
};

struct JobSpec {
  std::string name;
  std::string model;      // a Hugging Face folder or a GGUF file
  std::string benchmark;  // whose data, objective and eval it has; for people and tables
  MethodSpec method = PrefixMemoryMethod{};
  ObjectiveSpec objective = SftObjective{};
  DataSpec data;
  TrainSpec train;
  EvalSpec eval;
  ResourcesSpec resources;
  int64_t priority = 0;
  std::vector<std::string> after = {};  // jobs that must succeed first, by id or name
  std::map<std::string, std::string> labels;
  std::optional<SweepSpec> sweep;
};

// How the held-out rows that are scored are read: test rows as eval.data says where it is given;
// otherwise, and validation rows always, as data says.
const DataSpec& eval_data(const JobSpec& spec);
// Their file, and the key that names it; empty where there are none, or where they are rows of
// data.train that data.holdout sets apart.
std::string eval_file(const JobSpec& spec);
std::string eval_key(const JobSpec& spec);
// Whether the rows scored are rows of data.train set apart.
bool scores_holdout(const JobSpec& spec);

}  // namespace prefixmem
