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
  static constexpr SpellingRows<PrefixMemoryMethod::FeatureMap, 1> kRows = {
      {{PrefixMemoryMethod::FeatureMap::kElu, "elu"}}};
};
template <>
struct Spellings<PrefixMemoryMethod::Query> {
  static constexpr SpellingRows<PrefixMemoryMethod::Query, 1> kRows = {
      {{PrefixMemoryMethod::Query::kPostRope, "post_rope"}}};
};
template <>
struct Spellings<DataFormat> {
  static constexpr SpellingRows<DataFormat, 3> kRows = {
      {{DataFormat::kPromptCompletion, "prompt_completion"},
       {DataFormat::kTextLabel, "text_label"},
       {DataFormat::kMessages, "messages"}}};
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
struct Spellings<EvalMode> {
  static constexpr SpellingRows<EvalMode, 3> kRows = {
      {{EvalMode::kLabelLikelihood, "label_likelihood"},
       {EvalMode::kGenerate, "generate"},
       {EvalMode::kLoss, "loss"}}};
};
template <>
struct Spellings<Device> {
  static constexpr SpellingRows<Device, 3> kRows = {
      {{Device::kAuto, "auto"}, {Device::kCpu, "cpu"}, {Device::kCuda, "cuda"}}};
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
