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
      return {"prompt", "completion"};
    case DataFormat::kTextLabel:
      return {"text", "label"};
    case DataFormat::kMessages:
      return {"messages"};
    case DataFormat::kPreference:
      return {"prompt", "chosen", "rejected"};
  }
  return {};
}

const char* metric_name(EvalMode mode) {
  switch (mode) {
    case EvalMode::kLabelLikelihood:
      return "accuracy";
    case EvalMode::kGenerate:
      return "exact_match";
    case EvalMode::kLoss:
      return "loss";
    case EvalMode::kPreference:
      return "preference_accuracy";
  }
  return "";
}

}  // namespace prefixmem
