#include "common/spec/job_spec.h"

namespace prefixmem {

std::string method_name(const MethodSpec& method) {
  const auto* combined = std::get_if<CombinedMethod>(&method);
  if (combined == nullptr) {
    return std::visit([](const auto& one) { return std::string(one.kType); }, method);
  }
  std::string name;
  for (const AdapterMethod& part : combined->methods) {
    name += name.empty() ? "" : "+";
    name += std::visit([](const auto& one) { return one.kType; }, part);
  }
  return name;
}

std::vector<std::string> row_fields(DataFormat format) {
  switch (format) {
    case DataFormat::kPromptCompletion:
      return {"prompt", "completion", "answer"};
    case DataFormat::kTextLabel:
      return {"text", "label"};
    case DataFormat::kMessages:
      return {"messages"};
    case DataFormat::kPreference:
      return {"prompt", "chosen", "rejected"};
  }
  return {};
}

std::string prompt_pattern(const DataSpec& data) {
  if (data.prompt_template) return *data.prompt_template;
  return data.format == DataFormat::kTextLabel ? "{text}\n" : "{text}";
}

EvalMode mode_of(Metric metric) {
  switch (metric) {
    case Metric::kAccuracy:
    case Metric::kMacroF1:
      return EvalMode::kLabelLikelihood;
    case Metric::kExactMatch:
    case Metric::kMathAnswer:
      return EvalMode::kGenerate;
    case Metric::kPreferenceAccuracy:
      return EvalMode::kPreference;
    case Metric::kLoss:
      break;
  }
  return EvalMode::kLoss;
}

Metric metric_of(const EvalSpec& eval) {
  if (eval.metric) return *eval.metric;
  switch (eval.mode) {
    case EvalMode::kLabelLikelihood:
      return Metric::kAccuracy;
    case EvalMode::kGenerate:
      return Metric::kExactMatch;
    case EvalMode::kPreference:
      return Metric::kPreferenceAccuracy;
    case EvalMode::kLoss:
      break;
  }
  return Metric::kLoss;
}

const DataSpec& eval_data(const JobSpec& spec) {
  const bool own = spec.eval.data && spec.eval.split == EvalSplit::kTest;
  return own ? *spec.eval.data : spec.data;
}

std::string eval_file(const JobSpec& spec) {
  return spec.eval.split == EvalSplit::kValidation ? spec.data.validation : eval_data(spec).eval;
}

std::string eval_key(const JobSpec& spec) {
  if (scores_holdout(spec)) return "data.holdout";
  if (spec.eval.split == EvalSplit::kValidation) return "data.validation";
  return spec.eval.data ? "eval.data.eval" : "data.eval";
}

bool scores_holdout(const JobSpec& spec) {
  return spec.eval.split == EvalSplit::kValidation && spec.data.validation.empty() &&
         spec.data.holdout.has_value();
}

}  // namespace prefixmem
