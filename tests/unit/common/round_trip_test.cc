// Random valid specs come back unchanged from YAML, from proto and from one through the other.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "common/proto/spec_proto.h"
#include "common/spec/spec_io.h"

namespace prefixmem {
namespace {

class SpecMaker {
 public:
  explicit SpecMaker(uint32_t seed) : random_(seed) {}

  JobSpec make() {
    JobSpec spec;
    spec.name = "n" + std::to_string(below(1000)) + "._-";
    spec.model = "/" + text();
    spec.method = method();
    spec.data = data();
    if (spec.data.format == DataFormat::kPreference) spec.objective = preference();
    spec.train = train(std::holds_alternative<NoMethod>(spec.method));
    spec.eval = eval(spec.data.format == DataFormat::kTextLabel,
                     spec.data.format == DataFormat::kPreference);
    if (coin()) spec.benchmark = text();
    spec.resources = {
        .ranks = 1 + below(1024), .device = static_cast<Device>(below(3)), .threads = below(4097)};
    const bool whole = std::holds_alternative<FullMethod>(spec.method);
    if (!whole && coin()) spec.resources.min_ranks = 1 + below(spec.resources.ranks);
    if (!whole && coin()) spec.resources.shard_base = coin();
    if (coin()) spec.resources.time_limit = std::to_string(1 + below(366)) + "d";
    spec.priority = below(2001) - 1000;
    for (int64_t i = below(3); i > 0; --i) spec.after.push_back(text());
    for (int64_t i = below(4); i > 0; --i) spec.labels[text()] = text();
    if (coin()) spec.sweep = sweep();
    return spec;
  }

 private:
  int64_t below(int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(random_);
  }
  bool coin() { return below(2) == 1; }

  // Any finite double above 0, by its bits.
  double number() {
    while (true) {
      const uint64_t bits = (uint64_t{random_()} << 32 | random_()) & ~(uint64_t{1} << 63);
      double value = 0;
      std::memcpy(&value, &bits, sizeof value);
      if (std::isfinite(value) && value > 0) return value;
    }
  }
  int64_t whole() { return below(std::numeric_limits<int64_t>::max()); }

  std::string text() {
    static const std::vector<std::string> kPieces = {"a",
                                                     "Z",
                                                     "0",
                                                     "1e3",
                                                     " ",
                                                     "\n",
                                                     "\t",
                                                     "\r",
                                                     "\"",
                                                     "'",
                                                     "\\",
                                                     "{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     ":",
                                                     ": ",
                                                     "#",
                                                     " #",
                                                     "-",
                                                     "- ",
                                                     ",",
                                                     "&",
                                                     "*",
                                                     "!",
                                                     "|",
                                                     ">",
                                                     "%",
                                                     "@",
                                                     "`",
                                                     "?",
                                                     "~",
                                                     "null",
                                                     "true",
                                                     ".",
                                                     "é",
                                                     "€",
                                                     "\xF0\x9F\x98\x80",
                                                     "\x01",
                                                     "\x7F",
                                                     "\xC2\x85",
                                                     "\xE2\x80\xA8",
                                                     "\xEF\xBB\xBF",
                                                     "<<",
                                                     "="};
    std::string out;
    for (int64_t i = below(6); i > 0; --i)
      out += kPieces[static_cast<size_t>(below(static_cast<int64_t>(kPieces.size())))];
    return out;
  }

  PrefixMemoryMethod prefix_memory() {
    PrefixMemoryMethod method;
    method.feature_map = static_cast<PrefixMemoryMethod::FeatureMap>(below(4));
    if (method.feature_map == PrefixMemoryMethod::FeatureMap::kMlp) {
      method.feature_dim = below(65537);
      method.feature_lr_ratio = number();
    }
    method.scope = static_cast<PrefixMemoryMethod::Scope>(below(2));
    if (method.scope == PrefixMemoryMethod::Scope::kHead) {
      method.query = static_cast<PrefixMemoryMethod::Query>(below(2));
    }
    if (coin()) method.layers = {"3", "0-" + std::to_string(below(100))};
    method.init = text();
    return method;
  }

  PrefixTuningMethod prefix_tuning() {
    PrefixTuningMethod method;
    method.num_virtual_tokens = 1 + below(4096);
    method.prefix_projection = coin();
    if (method.prefix_projection) {
      method.encoder_hidden_size = below(65537);
    } else if (coin()) {
      method.init_weights = PrefixTuningMethod::Init::kText;
      method.init_text = "x" + text();
    }
    return method;
  }

  LoraMethod lora() {
    LoraMethod method;
    method.r = 1 + below(4096);
    method.alpha = number();
    method.target_modules = {"x" + text(), "all-linear"};
    method.dropout = static_cast<double>(below(1000)) / 1000;
    method.bias = static_cast<LoraMethod::Bias>(below(3));
    method.use_rslora = coin();
    method.use_dora = coin();
    method.loraplus_lr_ratio = number();
    method.init_weights = static_cast<LoraMethod::Init>(below(2));
    return method;
  }

  MethodSpec method() {
    switch (below(6)) {
      case 0:
        return prefix_memory();
      case 1:
        return prefix_tuning();
      case 2:
        return lora();
      case 3:
        return FullMethod{};
      case 4:
        return CombinedMethod{{lora(), prefix_memory()}};
      default:
        return NoMethod{};
    }
  }

  ObjectiveSpec preference() {
    if (coin()) return SimpoObjective{number(), number()};
    DpoObjective dpo;
    dpo.beta = number();
    dpo.loss = static_cast<DpoObjective::Loss>(below(2));
    if (dpo.loss == DpoObjective::Loss::kSigmoid) {
      dpo.label_smoothing = static_cast<double>(below(500)) / 1000;
    }
    return dpo;
  }

  DataSpec data() {
    DataSpec data;
    data.train = "t" + text();
    data.eval = text();
    data.format = static_cast<DataFormat>(below(4));
    data.overflow = static_cast<Overflow>(below(4));
    const bool has_template =
        data.format == DataFormat::kTextLabel || data.format == DataFormat::kPromptCompletion;
    if (has_template && coin()) data.prompt_template = text() + "{text}" + text();
    data.completion_template = text() + "{label}" + text();
    if (data.format == DataFormat::kTextLabel && coin()) {
      data.few_shot = FewShotSpec{1 + below(100), whole()};
      data.columns["text"] = text();
      data.label_words[text()] = text();
      data.labels = {"a" + text(), "b" + text()};
    }
    data.max_tokens = whole();
    return data;
  }

  TrainSpec train(bool untrained) {
    TrainSpec train;
    if (!untrained && coin()) train.max_steps = 1 + whole() / 2;
    if (!untrained && !train.max_steps) train.epochs = number();
    train.global_batch_size = 1 + below(1000);
    train.micro_batch_tokens = 1 + below(1000);
    train.learning_rate = number();
    train.schedule = static_cast<Schedule>(below(3));
    train.warmup_steps = whole();
    train.max_grad_norm = coin() ? 0 : number();
    train.weight_decay = number();
    train.dtype = static_cast<Dtype>(below(2));
    train.seed = whole();
    train.eval_every = whole();
    train.checkpoint_every = whole();
    train.output = static_cast<Output>(below(3));
    if (coin()) train.activation_checkpointing = static_cast<Checkpointing>(below(3));
    if (coin()) train.keep_checkpoints = 1 + below(1000);
    if (coin()) train.keep_best = false;
    return train;
  }

  EvalSpec eval(bool labels, bool pairs) {
    EvalSpec eval;
    if (labels) {
      eval.mode = EvalMode::kLabelLikelihood;
      if (coin()) eval.metric = Metric::kMacroF1;
    } else if (coin() && !pairs) {
      eval.mode = EvalMode::kGenerate;
      eval.stop = {"s" + text(), "\n"};
    }
    eval.max_rows = whole();
    eval.seed = whole();
    eval.before = coin();
    eval.length_normalized = coin();
    eval.max_new_tokens = 1 + below(1000);
    if (labels && coin()) {
      eval.benchmark = text();
      eval.data = data();
      eval.data->eval = "e" + text();
      eval.data->train.clear();
      eval.data->few_shot.reset();
      if (eval.data->format != DataFormat::kTextLabel) eval.data.reset();
    }
    return eval;
  }

  SweepSpec sweep() {
    SweepSpec sweep;
    sweep.grid["train.seed"] = {std::to_string(below(10)), std::to_string(below(10))};
    if (coin()) sweep.grid["method"] = {"{type: lora, r: 2}", "prefix_memory"};
    if (coin()) sweep.trials = {{{"eval.before", "true"}}, {}};
    if (coin()) sweep.grid["data.eval"] = {"\"a b\"", "c", "\"7\""};
    return sweep;
  }

  std::mt19937 random_;
};

class RoundTrip : public testing::Test {
 protected:
  // A sweep's overrides may not fit the random base (another method, say), so its trials are not
  // asked for here.
  static JobSpec spec_for(uint32_t seed) {
    JobSpec spec = SpecMaker(seed).make();
    if (!validate(spec).ok()) spec.sweep.reset();
    return spec;
  }
};

TEST_F(RoundTrip, ThroughYamlAndProto) {
  int sweeps = 0;
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    const JobSpec spec = spec_for(seed);
    const std::string yaml = to_yaml(spec);
    ASSERT_TRUE(validate(spec).ok()) << validate(spec).message() << "\n" << yaml;
    const auto from_yaml = parse_job_spec(yaml);
    ASSERT_TRUE(from_yaml.ok()) << from_yaml.status().message() << "\n" << yaml;
    ASSERT_EQ(to_yaml(*from_yaml), yaml);
    v1::JobSpec sent;
    ASSERT_TRUE(sent.ParseFromString(job_spec_to_proto(*from_yaml).SerializeAsString()));
    const auto from_proto = job_spec_from_proto(sent);
    ASSERT_TRUE(from_proto.ok()) << from_proto.status().message() << "\n" << yaml;
    ASSERT_EQ(to_yaml(*from_proto), yaml);
    ASSERT_EQ(from_proto->train.learning_rate, spec.train.learning_rate);
    ASSERT_EQ(from_proto->labels, spec.labels);
    ASSERT_EQ(from_proto->data.prompt_template, spec.data.prompt_template);
    sweeps += spec.sweep ? 1 : 0;
  }
  EXPECT_GT(sweeps, 100);
}

}  // namespace
}  // namespace prefixmem
