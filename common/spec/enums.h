// How the spec's enumerations are spelled, in YAML and in proto.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/spec/job_spec.h"

namespace prefixmem::spec {

template <class E>
struct Spellings;  // kRows: each value and its spelling

template <class E, size_t N>
using SpellingRows = std::array<std::pair<E, std::string_view>, N>;

template <>
struct Spellings<PrefixMemoryMethod::FeatureMap> {
  static constexpr SpellingRows<PrefixMemoryMethod::FeatureMap, 4> kRows = {
      {{PrefixMemoryMethod::FeatureMap::kElu, "elu"},
       {PrefixMemoryMethod::FeatureMap::kEluPlusOne, "elu_plus_one"},
       {PrefixMemoryMethod::FeatureMap::kGelu, "gelu"},
       {PrefixMemoryMethod::FeatureMap::kMlp, "mlp"}}};
};
template <>
struct Spellings<PrefixMemoryMethod::Query> {
  static constexpr SpellingRows<PrefixMemoryMethod::Query, 2> kRows = {
      {{PrefixMemoryMethod::Query::kPostRope, "post_rope"},
       {PrefixMemoryMethod::Query::kPreRope, "pre_rope"}}};
};
template <>
struct Spellings<PrefixMemoryMethod::Scope> {
  static constexpr SpellingRows<PrefixMemoryMethod::Scope, 2> kRows = {
      {{PrefixMemoryMethod::Scope::kHead, "head"}, {PrefixMemoryMethod::Scope::kHidden, "hidden"}}};
};
template <>
struct Spellings<PrefixTuningMethod::Init> {
  static constexpr SpellingRows<PrefixTuningMethod::Init, 3> kRows = {
      {{PrefixTuningMethod::Init::kRandom, "random"},
       {PrefixTuningMethod::Init::kZero, "zero"},
       {PrefixTuningMethod::Init::kText, "text"}}};
};
template <>
struct Spellings<LoraMethod::Bias> {
  static constexpr SpellingRows<LoraMethod::Bias, 3> kRows = {
      {{LoraMethod::Bias::kNone, "none"},
       {LoraMethod::Bias::kLoraOnly, "lora_only"},
       {LoraMethod::Bias::kAll, "all"}}};
};
template <>
struct Spellings<LoraMethod::Init> {
  static constexpr SpellingRows<LoraMethod::Init, 2> kRows = {
      {{LoraMethod::Init::kKaiming, "kaiming"}, {LoraMethod::Init::kGaussian, "gaussian"}}};
};
template <>
struct Spellings<DpoObjective::Loss> {
  static constexpr SpellingRows<DpoObjective::Loss, 2> kRows = {
      {{DpoObjective::Loss::kSigmoid, "sigmoid"}, {DpoObjective::Loss::kIpo, "ipo"}}};
};
template <>
struct Spellings<Overflow> {
  static constexpr SpellingRows<Overflow, 4> kRows = {
      {{Overflow::kError, "error"},
       {Overflow::kDrop, "drop"},
       {Overflow::kTruncateLeft, "truncate_left"},
       {Overflow::kTruncateRight, "truncate_right"}}};
};
template <>
struct Spellings<DataFormat> {
  static constexpr SpellingRows<DataFormat, 4> kRows = {
      {{DataFormat::kPromptCompletion, "prompt_completion"},
       {DataFormat::kTextLabel, "text_label"},
       {DataFormat::kMessages, "messages"},
       {DataFormat::kPreference, "preference"}}};
};
template <>
struct Spellings<Schedule> {
  static constexpr SpellingRows<Schedule, 3> kRows = {{{Schedule::kConstant, "constant"},
                                                       {Schedule::kLinear, "linear"},
                                                       {Schedule::kCosine, "cosine"}}};
};
template <>
struct Spellings<Dtype> {
  static constexpr SpellingRows<Dtype, 2> kRows = {
      {{Dtype::kBf16, "bf16"}, {Dtype::kFp32, "fp32"}}};
};
template <>
struct Spellings<Output> {
  static constexpr SpellingRows<Output, 3> kRows = {
      {{Output::kAll, "all"}, {Output::kAdapter, "adapter"}, {Output::kNone, "none"}}};
};
template <>
struct Spellings<Checkpointing> {
  static constexpr SpellingRows<Checkpointing, 3> kRows = {
      {{Checkpointing::kOff, "off"}, {Checkpointing::kOn, "on"}, {Checkpointing::kAuto, "auto"}}};
};
template <>
struct Spellings<EvalSplit> {
  static constexpr SpellingRows<EvalSplit, 2> kRows = {
      {{EvalSplit::kTest, "test"}, {EvalSplit::kValidation, "validation"}}};
};
template <>
struct Spellings<EvalMode> {
  static constexpr SpellingRows<EvalMode, 4> kRows = {
      {{EvalMode::kLabelLikelihood, "label_likelihood"},
       {EvalMode::kGenerate, "generate"},
       {EvalMode::kLoss, "loss"},
       {EvalMode::kPreference, "preference"}}};
};
template <>
struct Spellings<Metric> {
  static constexpr SpellingRows<Metric, 6> kRows = {
      {{Metric::kAccuracy, "accuracy"},
       {Metric::kMacroF1, "macro_f1"},
       {Metric::kExactMatch, "exact_match"},
       {Metric::kMathAnswer, "math_answer"},
       {Metric::kLoss, "loss"},
       {Metric::kPreferenceAccuracy, "preference_accuracy"}}};
};
template <>
struct Spellings<Device> {
  static constexpr SpellingRows<Device, 3> kRows = {
      {{Device::kAuto, "auto"}, {Device::kCpu, "cpu"}, {Device::kCuda, "cuda"}}};
};
template <>
struct Spellings<Banking> {
  static constexpr SpellingRows<Banking, 2> kRows = {
      {{Banking::kAuto, "auto"}, {Banking::kNever, "never"}}};
};
template <>
struct Spellings<Sampler> {
  static constexpr SpellingRows<Sampler, 2> kRows = {
      {{Sampler::kRandom, "random"}, {Sampler::kTpe, "tpe"}}};
};
template <>
struct Spellings<GoalSpec::Mode> {
  static constexpr SpellingRows<GoalSpec::Mode, 2> kRows = {
      {{GoalSpec::Mode::kMax, "max"}, {GoalSpec::Mode::kMin, "min"}}};
};

template <class E>
std::string_view spelling(E value) {
  for (const auto& [row, text] : Spellings<E>::kRows) {
    if (row == value) return text;
  }
  return "?";
}

template <class E>
std::optional<E> from_spelling(std::string_view text) {
  for (const auto& [row, name] : Spellings<E>::kRows) {
    if (name == text) return row;
  }
  return std::nullopt;
}

// "constant, linear, cosine"
template <class E>
std::string all_spellings() {
  std::string all;
  for (const auto& [row, name] : Spellings<E>::kRows) {
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  return all;
}

}  // namespace prefixmem::spec
