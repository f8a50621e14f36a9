#include "common/spec/enums.h"
#include "common/spec/limit.h"
#include "common/spec/spec_io.h"
#include "common/spec/spec_tree.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

bool is_untrained(const JobSpec& spec) { return std::holds_alternative<NoMethod>(spec.method); }

std::string quoted(const std::string& text) { return '"' + spec::shortened(text, 80) + '"'; }

Status check_identity(const JobSpec& spec) {
  if (spec.name.empty()) {
    return invalid_argument("name is missing; required: " + std::string(spec::kNameText));
  }
  if (!spec::is_name(spec.name)) {
    return invalid_argument("name is " + quoted(spec.name) +
                            "; allowed: " + std::string(spec::kNameText));
  }
  if (spec.model.empty()) {
    return invalid_argument("model is missing; required: a Hugging Face folder");
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

Status check_data(const JobSpec& spec) {
  const DataSpec& data = spec.data;
  if (data.train.empty() && !is_untrained(spec)) {
    return invalid_argument("data.train is missing; required: a JSONL file of training rows");
  }
  if (data.format == DataFormat::kTextLabel) return check_text_label(data);
  const std::string format(spec::spelling(data.format));
  if (data.few_shot) {
    return invalid_argument("data.few_shot is given with data.format " + format +
                            "; allowed: only with text_label");
  }
  if (spec.eval.mode == EvalMode::kLabelLikelihood) {
    return invalid_argument("eval.mode is label_likelihood with data.format " + format +
                            "; allowed: only with text_label");
  }
  return {};
}

Status check_method(const JobSpec& spec) {
  const auto* lora = std::get_if<LoraMethod>(&spec.method);
  if (lora == nullptr) return {};
  for (const std::string& module : lora->target_modules) {
    if (module.empty()) {
      return invalid_argument(
          "method.target_modules holds an empty name; allowed: names of modules");
    }
  }
  if (!lora->target_modules.empty()) return {};
  return invalid_argument("method.target_modules is empty; allowed: at least one name");
}

}  // namespace

Status validate(const JobSpec& spec) {
  if (spec.sweep) return expand_sweep(spec).status();  // its base alone need not be whole
  PM_TRY(check_identity(spec));
  PM_TRY(check_length(spec));
  PM_TRY(check_data(spec));
  return check_method(spec);
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
