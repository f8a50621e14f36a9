#include <algorithm>

#include "common/spec/enums.h"
#include "common/spec/limit.h"
#include "common/spec/search.h"
#include "common/spec/spec_io.h"
#include "common/spec/spec_tree.h"
#include "common/spec/utf8.h"
#include "common/spec/validate_method.h"

namespace prefixmem {
namespace {

bool is_untrained(const JobSpec& spec) { return std::holds_alternative<NoMethod>(spec.method); }

std::string quoted(const std::string& text) { return '"' + spec::shortened(text, 80) + '"'; }

std::string format_name(const DataSpec& data) { return std::string(spec::spelling(data.format)); }

Status check_identity(const JobSpec& spec) {
  if (spec.name.empty()) {
    return invalid_argument("name is missing; required: " + std::string(spec::kNameText));
  }
  if (!spec::is_name(spec.name)) {
    return invalid_argument("name is " + quoted(spec.name) +
                            "; allowed: " + std::string(spec::kNameText));
  }
  if (spec.model.empty()) {
    return invalid_argument("model is missing; required: a Hugging Face folder or a GGUF file");
  }
  return {};
}

Status check_length(const JobSpec& spec) {
  const bool steps = spec.train.max_steps.has_value();
  const bool epochs = spec.train.epochs.has_value();
  if (is_untrained(spec)) {
    if (spec.train.continue_from) {
      return invalid_argument(
          "train.continue_from is given; allowed: with a method other than none");
    }
    if (!steps && !epochs) return {};
    return invalid_argument(std::string(steps ? "train.max_steps" : "train.epochs") +
                            " is given; allowed under method none: neither max_steps nor epochs");
  }
  if (steps && epochs) {
    return invalid_argument(
        "train.max_steps and train.epochs are both given; allowed: exactly one of them, the other "
        "null");
  }
  if (!steps && !epochs) {
    return invalid_argument(
        "train.max_steps is missing; required: exactly one of max_steps and epochs");
  }
  return {};
}

Status check_kept(const JobSpec& spec) {
  if (!spec.train.keep_best.value_or(false)) return {};
  const std::string given = "train.keep_best is true";
  if (is_untrained(spec)) {
    return invalid_argument(given + "; allowed: with a method other than none");
  }
  if (spec.train.output == Output::kNone) {
    return invalid_argument(given + " with train.output none; allowed: with all or adapter");
  }
  if (spec.train.eval_every > 0) return {};
  return invalid_argument(given + " with train.eval_every 0; required: a number of steps");
}

Status check_ranks(const JobSpec& spec) {
  const int64_t ranks = spec.resources.ranks, least = spec.resources.min_ranks.value_or(ranks);
  if (least > ranks) {
    return invalid_argument("resources.min_ranks is " + std::to_string(least) +
                            "; allowed: at most resources.ranks (" + std::to_string(ranks) + ")");
  }
  const bool whole = std::holds_alternative<FullMethod>(spec.method);
  if (whole && spec.resources.shard_base.value_or(false)) {
    return invalid_argument(
        "resources.shard_base is true with method full; allowed: with methods that leave the base "
        "as it is");
  }
  if (least == ranks || !whole || !spec.train.deterministic) return {};
  return invalid_argument(
      "resources.min_ranks is " + std::to_string(least) +
      " with method full under train.deterministic; allowed: resources.ranks, for a whole model "
      "gives the same bits on the same number of ranks alone");
}

// `data` or `eval.data`.
struct DataBlock {
  std::string path;
  const DataSpec& data;

  bool is(DataFormat format) const { return data.format == format; }
};

DataBlock eval_block(const JobSpec& spec) {
  const DataSpec& data = eval_data(spec);
  return {&data == &spec.data ? "data" : "eval.data", data};
}

Status refuse_format(const DataBlock& block, const std::string& what, const std::string& allowed) {
  return invalid_argument(what + " with " + block.path + ".format " + format_name(block.data) +
                          "; allowed: only with " + allowed);
}

// What makes sense with one format alone.
Status check_format(const DataBlock& block, DataFormat needed, bool given,
                    const std::string& what) {
  if (!given || block.is(needed)) return {};
  return refuse_format(block, what, std::string(spec::spelling(needed)));
}

Status check_template(const DataBlock& block) {
  const auto& [path, data] = block;
  const bool labelled = block.is(DataFormat::kTextLabel);
  if (data.prompt_template && !labelled && !block.is(DataFormat::kPromptCompletion)) {
    return refuse_format(block, path + ".template is given", "text_label, prompt_completion");
  }
  if (prompt_pattern(data).find("{text}") == std::string::npos) {
    return invalid_argument(path + ".template is " + quoted(prompt_pattern(data)) +
                            "; allowed: text that contains {text}");
  }
  if (labelled && data.completion_template.find("{label}") == std::string::npos) {
    return invalid_argument(path + ".completion is " + quoted(data.completion_template) +
                            "; allowed: text that contains {label}");
  }
  return {};
}

Status check_columns(const DataBlock& block) {
  const auto fields = row_fields(block.data.format);
  for (const auto& [field, column] : block.data.columns) {
    if (std::find(fields.begin(), fields.end(), field) != fields.end()) continue;
    std::string allowed;
    for (const std::string& one : fields) allowed += (allowed.empty() ? "" : ", ") + one;
    return invalid_argument(block.path + ".columns names the field " + quoted(field) +
                            "; allowed: " + allowed + " (" + block.path + ".format " +
                            format_name(block.data) + ")");
  }
  return {};
}

Status check_labels(const DataBlock& block) {
  const auto& [path, data] = block;
  PM_TRY(
      check_format(block, DataFormat::kTextLabel, !data.labels.empty(), path + ".labels is given"));
  for (auto label = data.labels.begin(); label != data.labels.end(); ++label) {
    if (std::find(data.labels.begin(), label, *label) == label) continue;
    return invalid_argument(path + ".labels names " + quoted(*label) +
                            " twice; allowed: each label once");
  }
  return {};
}

Status check_block(const DataBlock& block) {
  const auto& [path, data] = block;
  PM_TRY(check_columns(block));
  PM_TRY(check_format(block, DataFormat::kTextLabel, data.few_shot.has_value(),
                      path + ".few_shot is given"));
  PM_TRY(check_format(block, DataFormat::kTextLabel, !data.label_words.empty(),
                      path + ".label_words is given"));
  PM_TRY(check_labels(block));
  return check_template(block);
}

Status check_eval_block(const JobSpec& spec) {
  if (!spec.eval.data) return {};
  const DataSpec& data = *spec.eval.data;
  if (data.eval.empty()) {
    return invalid_argument("eval.data.eval is missing; required: a file of held-out rows");
  }
  std::string given;
  if (!data.train.empty()) given = "train";
  if (data.few_shot) given = "few_shot";
  if (!data.validation.empty()) given = "validation";
  if (data.holdout) given = "holdout";
  if (!given.empty()) {
    return invalid_argument("eval.data." + given + " is given; allowed: keys of held-out rows");
  }
  return check_block({"eval.data", data});
}

// That there are the validation rows that are to be scored.
Status check_split(const JobSpec& spec) {
  if (spec.eval.split == EvalSplit::kTest) return {};
  if (spec.data.validation.empty() && !spec.data.holdout) {
    return invalid_argument(
        "eval.split is validation without validation rows; required: data.validation or "
        "data.holdout");
  }
  if (!spec.data.validation.empty() || !spec.data.train.empty()) return {};
  return invalid_argument(
      "data.holdout is given without data.train; required: the file whose rows it sets apart");
}

Status check_metric(const EvalSpec& eval) {
  const std::string mode(spec::spelling(eval.mode));
  if (eval.metric && mode_of(*eval.metric) != eval.mode) {
    return invalid_argument("eval.metric is " + std::string(spec::spelling(*eval.metric)) +
                            " with eval.mode " + mode + "; allowed: only with " +
                            std::string(spec::spelling(mode_of(*eval.metric))));
  }
  if (eval.stop.empty()) return {};
  if (eval.mode != EvalMode::kGenerate) {
    return invalid_argument("eval.stop is given with eval.mode " + mode +
                            "; allowed: only with generate");
  }
  if (std::find(eval.stop.begin(), eval.stop.end(), "") == eval.stop.end()) return {};
  return invalid_argument("eval.stop has an empty text; allowed: texts of at least one character");
}

Status check_eval(const JobSpec& spec) {
  const DataBlock block = eval_block(spec);
  const EvalMode mode = spec.eval.mode;
  PM_TRY(check_eval_block(spec));
  PM_TRY(check_split(spec));
  PM_TRY(check_metric(spec.eval));
  PM_TRY(check_format(block, DataFormat::kTextLabel, mode == EvalMode::kLabelLikelihood,
                      "eval.mode is label_likelihood"));
  PM_TRY(check_format(block, DataFormat::kPreference, mode == EvalMode::kPreference,
                      "eval.mode is preference"));
  if (mode == EvalMode::kGenerate && block.is(DataFormat::kPreference)) {
    return invalid_argument("eval.mode is generate with " + block.path +
                            ".format preference; allowed: preference, loss");
  }
  const bool pairs = spec.data.format == DataFormat::kPreference;
  if (mode == EvalMode::kLoss && block.is(DataFormat::kPreference) != pairs) {
    return invalid_argument("eval.mode is loss with eval.data.format " + format_name(block.data) +
                            " and data.format " + format_name(spec.data) +
                            "; allowed: both preference, or neither");
  }
  return {};
}

Status check_objective(const JobSpec& spec) {
  const bool pairs = spec.data.format == DataFormat::kPreference;
  const auto* dpo = std::get_if<DpoObjective>(&spec.objective);
  if (dpo != nullptr && dpo->loss == DpoObjective::Loss::kIpo && dpo->label_smoothing != 0) {
    return invalid_argument("objective.label_smoothing is " +
                            spec::number_text(dpo->label_smoothing) +
                            "; allowed: only with objective.loss sigmoid");
  }
  const std::string type = std::visit([](const auto& one) { return one.kType; }, spec.objective);
  if (!std::holds_alternative<SftObjective>(spec.objective)) {
    return check_format({"data", spec.data}, DataFormat::kPreference, true, "objective is " + type);
  }
  if (!pairs || is_untrained(spec)) return {};
  return invalid_argument(
      "objective is sft with data.format preference; allowed: dpo, simpo (or another format)");
}

Status check_data(const JobSpec& spec) {
  if (spec.data.train.empty() && !is_untrained(spec)) {
    std::string filled_in;
    if (!spec.benchmark.empty()) {
      filled_in = " (pmt submit fills in that of benchmark " + quoted(spec.benchmark) + ")";
    }
    return invalid_argument("data.train is missing; required: a file of training rows" + filled_in);
  }
  PM_TRY(check_block({"data", spec.data}));
  return check_eval(spec);
}

}  // namespace

Status validate(const JobSpec& spec) {
  if (spec.sweep) {  // its base alone need not be whole
    return spec.sweep->is_search() ? spec::check_search(spec) : expand_sweep(spec).status();
  }
  PM_TRY(check_identity(spec));
  PM_TRY(check_length(spec));
  PM_TRY(check_kept(spec));
  PM_TRY(check_ranks(spec));
  PM_TRY(check_data(spec));
  PM_TRY(check_objective(spec));
  return spec::check_method(spec.method);
}

namespace spec {

Result<JobSpec> read_valid(const Tree& tree) {
  auto spec = read_tree(tree);
  const Status status = spec.ok() ? validate(*spec) : spec.status();
  if (status.ok()) return spec;
  return Status(status.code(), shortened(status.message(), kMaxSentence));
}

}  // namespace spec
}  // namespace prefixmem
