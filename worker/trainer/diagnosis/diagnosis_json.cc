#include "worker/trainer/diagnosis/diagnosis_json.h"

#include <nlohmann/json.hpp>

namespace prefixmem::trainer {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(Term::Kind kind) {
  constexpr const char* kNames[] = {"memory", "hidden_memory", "prefix"};
  return kNames[static_cast<size_t>(kind)];
}

Json term_json(const Term& term) {
  Json heads = Json::array();
  for (size_t i = 0; i < term.spectra.size(); ++i) {
    const Spectrum& spectrum = term.spectra[i];
    heads.push_back({{"size", term.sizes[i]},
                     {"constant_share", spectrum.constant_share},
                     {"effective_rank", spectrum.effective_rank},
                     {"values_for_90_percent", spectrum.values_for_90_percent},
                     {"eigenvalues", spectrum.eigenvalues}});
  }
  return {{"term", name_of(term.kind)}, {"heads", std::move(heads)}};
}

Json layer_json(const LayerDiagnosis& layer, bool has_prefix) {
  Json heads = Json::array();
  for (const HeadDiagnosis& head : layer.heads) {
    Json& object = heads.emplace_back();
    object["map_change"] = head.map_change;
    object["input_map_change"] = head.input_map_change;
    object["output_change"] = head.output_change;
    if (has_prefix) object["prefix_mass"] = head.prefix_mass;
  }
  Json object = {{"output_change", layer.output_change},
                 {"heads", std::move(heads)},
                 {"map_change_by_position", layer.map_change_by_position}};
  if (has_prefix) object["prefix_mass_by_position"] = layer.prefix_mass_by_position;
  object["terms"] = Json::array();
  for (const Term& term : layer.terms) object["terms"].push_back(term_json(term));
  return object;
}

}  // namespace

std::string diagnosis_json(const Diagnosis& diagnosis) {
  Json object = {{"method", diagnosis.method},
                 {"base_model", diagnosis.base_model},
                 {"rows", diagnosis.rows},
                 {"tokens", diagnosis.tokens},
                 {"prefix_length", diagnosis.prefix_length},
                 {"layers", Json::array()}};
  for (const LayerDiagnosis& layer : diagnosis.layers) {
    object["layers"].push_back(layer_json(layer, diagnosis.prefix_length > 0));
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace prefixmem::trainer
