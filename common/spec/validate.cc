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
    if (!steps && !epochs) return {};
    return invalid_argument(std::string(steps ? "train.max_steps" : "train.epochs") +
                            " is given; allowed under method none: neither max_steps nor epochs");
  }
  if (steps && epochs) {
    return invalid_argument(
        "train.max_steps and train.epochs are both given; allowed: exactly one of them");
  }
  if (!steps && !epochs) {
    return invalid_argument(
        "train.max_steps is missing; required: exactly one of max_steps and epochs");
  }
  return {};
}

Status check_text_label(const DataSpec& data) {
  if (data.prompt_template.find("{text}") == std::string::npos) {
    return invalid_argument("data.template is " + quoted(data.prompt_template) +
                            "; allowed: text that contains {text}");
  }
  if (data.completion_template.find("{label}") == std::string::npos) {
    return invalid_argument("data.completion is " + quoted(data.completion_template) +
                            "; allowed: text that contains {label}");
  }
  return {};
}

Status check_columns(const DataSpec& data) {
  const auto fields = row_fields(data.format);
  for (const auto& [field, column] : data.columns) {
    if (std::find(fields.begin(), fields.end(), field) != fields.end()) continue;
    std::string allowed;
    for (const std::string& one : fields) allowed += (allowed.empty() ? "" : ", ") + one;
    return invalid_argument("data.columns names the field " + quoted(field) +
                            "; allowed: " + allowed + " (data.format " + format_name(data) + ")");
  }
  return {};
}

// What makes sense with one format alone.
Status check_format(const JobSpec& spec, DataFormat needed, bool given, const std::string& what) {
  if (!given || spec.data.format == needed) return {};
  return invalid_argument(what + " with data.format " + format_name(spec.data) +
                          "; allowed: only with " + std::string(spec::spelling(needed)));
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
    return check_format(spec, DataFormat::kPreference, true, "objective is " + type);
  }
  if (!pairs || is_untrained(spec)) return {};
  return invalid_argument(
      "objective is sft with data.format preference; allowed: dpo, simpo (or another format)");
}

Status check_data(const JobSpec& spec) {
  const DataSpec& data = spec.data;
  const EvalMode mode = spec.eval.mode;
  if (data.train.empty() && !is_untrained(spec)) {
    return invalid_argument("data.train is missing; required: a file of training rows");
  }
  PM_TRY(check_columns(data));
  PM_TRY(check_format(spec, DataFormat::kTextLabel, data.few_shot.has_value(),
                      "data.few_shot is given"));
  PM_TRY(check_format(spec, DataFormat::kTextLabel, !data.label_words.empty(),
                      "data.label_words is given"));
  PM_TRY(check_format(spec, DataFormat::kTextLabel, mode == EvalMode::kLabelLikelihood,
                      "eval.mode is label_likelihood"));
  PM_TRY(check_format(spec, DataFormat::kPreference, mode == EvalMode::kPreference,
                      "eval.mode is preference"));
  if (mode == EvalMode::kGenerate && data.format == DataFormat::kPreference) {
    return invalid_argument(
        "eval.mode is generate with data.format preference; allowed: preference, loss");
  }
  return data.format == DataFormat::kTextLabel ? check_text_label(data) : Status();
}

}  // namespace

Status validate(const JobSpec& spec) {
  if (spec.sweep) {  // its base alone need not be whole
    return spec.sweep->is_search() ? spec::check_search(spec) : expand_sweep(spec).status();
  }
  PM_TRY(check_identity(spec));
  PM_TRY(check_length(spec));
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
