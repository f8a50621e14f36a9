// Spectra that are known, maps against the model's own attention, and what each method changes.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/unit/trainer/tiny_adapters.h"
#include "worker/trainer/diagnosis/diagnosis_json.h"
#include "worker/trainer/diagnosis/layer_comparison.h"

namespace prefixmem::trainer {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pointwise;
using testing::SizeIs;

const std::vector<std::vector<int32_t>> kRows = {
    {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}, {9, 7, 9, 3, 2, 3, 8}, {4, 6, 2, 6, 4, 3, 3, 8, 3}};

// Vectors whose mean is 0 and whose singular values are these: each twice, with either sign.
torch::Tensor vectors_of(const std::vector<double>& singular) {
  const torch::Tensor half = at::diag(at::tensor(singular, at::kDouble)) / std::sqrt(2.0);
  return at::cat({half, -half});
}

TEST(Spectrum, OfOneDirectionIsOfRankOne) {
  const auto along = at::tensor({1.0, -2.0, 0.5, 3.0}), direction = at::tensor({0.6, 0.0, 0.8});
  const Spectrum spectrum = spectrum_of(at::outer(along, direction));
  EXPECT_NEAR(spectrum.effective_rank, 1, 1e-9);
  EXPECT_EQ(spectrum.values_for_90_percent, 1);
  const double variance = along.var(false).item<double>();
  EXPECT_THAT(spectrum.eigenvalues, ElementsAre(DoubleNear(variance, 1e-12), 0, 0));
  EXPECT_NEAR(spectrum.constant_share,
              std::pow(along.mean().item<double>(), 2) / along.square().mean().item<double>(),
              1e-12);
}

TEST(Spectrum, OfEqualDirectionsHasTheRankOfTheirNumber) {
  const Spectrum spectrum = spectrum_of(vectors_of(std::vector<double>(10, 3)));
  EXPECT_NEAR(spectrum.effective_rank, 10, 1e-9);
  EXPECT_EQ(spectrum.values_for_90_percent, 9);
  EXPECT_THAT(spectrum.eigenvalues, Each(DoubleNear(9.0 / 20, 1e-12)));
  EXPECT_EQ(spectrum.constant_share, 0);
}

TEST(Spectrum, IsThatOfItsSingularValues) {
  const Spectrum spectrum = spectrum_of(vectors_of({2, 1, 1, 0}));
  EXPECT_NEAR(spectrum.effective_rank, std::pow(2, 1.5), 1e-9) << "p = 1/2, 1/4, 1/4";
  EXPECT_EQ(spectrum.values_for_90_percent, 3) << "4/6 and 5/6 are less";
}

TEST(Spectrum, HasNoMoreThanThereAreVectors) {
  torch::manual_seed(2);
  const torch::Tensor vectors = torch::randn({3, 8});
  const Spectrum spectrum = spectrum_of(vectors);
  EXPECT_THAT(spectrum.eigenvalues, SizeIs(8));
  EXPECT_GT(spectrum.eigenvalues[1], 0);
  EXPECT_EQ(spectrum.eigenvalues[2], 0) << "three points lie in a plane";
  EXPECT_LE(spectrum.effective_rank, 2 + 1e-9);
}

TEST(Spectrum, OfWhatDoesNotVaryIsNothing) {
  torch::manual_seed(2);
  const Spectrum constant = spectrum_of(torch::randn({8}).expand({5, 8}));
  EXPECT_EQ(constant.effective_rank, 0);
  EXPECT_EQ(constant.values_for_90_percent, 0);
  EXPECT_THAT(constant.eigenvalues, Each(0));
  EXPECT_NEAR(constant.constant_share, 1, 1e-6);
  const Spectrum zero = spectrum_of(torch::zeros({5, 8}));
  EXPECT_EQ(zero.effective_rank, 0);
  EXPECT_TRUE(std::isnan(zero.constant_share));
}

TEST(Map, SharesItsMassBetweenPrefixAndInput) {
  // Equal scores: each token spreads evenly over what it sees.
  const AttentionMap map = attention_map(torch::zeros({4, 8}), torch::ones({6, 8}), 3, 1);
  const torch::Tensor seen = torch::tensor(
      {{1, 1, 1, 0, 0, 0}, {0, 1, 1, 1, 0, 0}, {0, 0, 1, 1, 1, 0}, {0, 0, 0, 1, 1, 1}});
  EXPECT_TRUE(map.whole.allclose(seen.to(at::kDouble) / 3));
  EXPECT_TRUE(map.prefix_mass.allclose(torch::tensor({2.0, 1.0, 0.0, 0.0}, at::kDouble) / 3));
  EXPECT_TRUE(map.input[1].allclose(torch::tensor({0.5, 0.5, 0.0, 0.0}, at::kDouble)));
  EXPECT_TRUE(total_variation(map.input, map.input).eq(0).all().item<bool>());
  const auto apart = total_variation(torch::tensor({{1.0, 0.0}}), torch::tensor({{0.25, 0.75}}));
  EXPECT_NEAR(apart.item<double>(), 0.75, 1e-7);
}

MethodSpec memory(PrefixMemoryMethod::Scope scope, std::vector<std::string> layers = {"all"}) {
  PrefixMemoryMethod method;
  method.scope = scope;
  method.layers = std::move(layers);
  return method;
}

MethodSpec head_memory() { return memory(PrefixMemoryMethod::Scope::kHead); }

// Of a `gemma` or not: windows of 5 on even layers, norms of queries and keys.
class DiagnosisTest : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Adapter> adapter(const MethodSpec& method) const {
    auto made = tiny_adapter(method, model->config());
    randomize(*made);
    return made;
  }

  std::vector<LayerDiagnosis> diagnose(Adapter* adapter) const {
    std::vector<LayerComparison> layers;
    for (int64_t i = 0; i < model->config().num_layers; ++i) {
      layers.emplace_back(model->config(), i);
    }
    for (const auto& row : kRows) {
      const auto base = record_attention(*model, nullptr, row);
      const auto adapted = record_attention(*model, adapter, row);
      for (size_t i = 0; i < layers.size(); ++i) layers[i].add(base[i], adapted[i]);
    }
    std::vector<LayerDiagnosis> results;
    for (const LayerComparison& layer : layers) results.push_back(layer.result());
    return results;
  }

  // What o_proj reads is the map's mean of the values and the head's term.
  void expect_maps_explain_the_model(Adapter* adapter) const {
    const ModelConfig& config = model->config();
    const auto layers = record_attention(*model, adapter, kRows[0]);
    ASSERT_THAT(layers, SizeIs(config.num_layers));
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      const AttentionRecord& record = layers[layer];
      for (int64_t head = 0; head < config.num_attention_heads; ++head) {
        const AttentionMap map =
            attention_map(record.query.select(1, head), record.key.select(1, head / 2),
                          config.layers[layer].sliding_window, config.attention_scale);
        torch::Tensor mixed = map.whole.matmul(record.value.select(1, head / 2).to(at::kDouble));
        if (record.head_term.defined()) mixed = mixed + record.head_term.select(1, head);
        expect_close(record.attended.select(1, head), mixed);
      }
    }
  }

  const std::unique_ptr<Transformer> model = tiny_transformer(GetParam());
};

std::vector<double> over_heads(const LayerDiagnosis& layer, double HeadDiagnosis::* number) {
  std::vector<double> numbers;
  for (const HeadDiagnosis& head : layer.heads) numbers.push_back(head.*number);
  return numbers;
}

TEST_P(DiagnosisTest, TheMapsAreTheModelsOwn) {
  expect_maps_explain_the_model(nullptr);
  expect_maps_explain_the_model(adapter(head_memory()).get());
  expect_maps_explain_the_model(adapter(PrefixTuningMethod{.num_virtual_tokens = 7}).get());
  expect_maps_explain_the_model(adapter(LoraMethod{.r = 2}).get());
}

TEST_P(DiagnosisTest, AnUntrainedMemoryChangesNothing) {
  const auto fresh = tiny_adapter(head_memory(), model->config());
  for (const LayerDiagnosis& layer : diagnose(fresh.get())) {
    EXPECT_EQ(layer.output_change, 0);
    EXPECT_THAT(over_heads(layer, &HeadDiagnosis::map_change), Each(0));
    ASSERT_THAT(layer.terms, SizeIs(1));
    EXPECT_THAT(layer.terms[0].sizes, Each(0));
    for (const Spectrum& spectrum : layer.terms[0].spectra) EXPECT_EQ(spectrum.effective_rank, 0);
  }
}

TEST_P(DiagnosisTest, AMemoryChangesTheMapsOfLaterLayers) {
  const auto layers = diagnose(adapter(head_memory()).get());
  EXPECT_THAT(over_heads(layers[0], &HeadDiagnosis::map_change), Each(0));
  EXPECT_GT(layers[0].output_change, 0.01);
  for (const double change : over_heads(layers[1], &HeadDiagnosis::map_change)) {
    EXPECT_GT(change, 1e-3);
  }
  // Where the base's queries come in, the term is all that changes.
  const Term& term = layers[0].terms.at(0);
  EXPECT_EQ(term.kind, Term::Kind::kMemory);
  EXPECT_THAT(over_heads(layers[0], &HeadDiagnosis::output_change),
              Pointwise(DoubleNear(1e-5), term.sizes));
}

TEST_P(DiagnosisTest, AMemoryOfSomeLayersHasATermThere) {
  const auto layers = diagnose(adapter(memory(PrefixMemoryMethod::Scope::kHidden, {"1"})).get());
  EXPECT_EQ(layers[0].output_change, 0);
  EXPECT_THAT(layers[0].terms, IsEmpty());
  EXPECT_THAT(layers[2].terms, IsEmpty());
  EXPECT_GT(layers[2].output_change, 0);
  ASSERT_THAT(layers[1].terms, SizeIs(1));
  const Term& term = layers[1].terms[0];
  EXPECT_EQ(term.kind, Term::Kind::kHiddenMemory);
  EXPECT_THAT(term.sizes, ElementsAre(DoubleNear(layers[1].output_change, 1e-5)));
  EXPECT_THAT(term.spectra.at(0).eigenvalues, SizeIs(model->config().hidden_size));
}

TEST_P(DiagnosisTest, APrefixOfOneTokenAddsOneDirection) {
  const auto layers = diagnose(adapter(PrefixTuningMethod{.num_virtual_tokens = 1}).get());
  for (const LayerDiagnosis& layer : layers) {
    ASSERT_THAT(layer.terms, SizeIs(1));
    EXPECT_EQ(layer.terms[0].kind, Term::Kind::kPrefix);
    for (const Spectrum& spectrum : layer.terms[0].spectra) {
      EXPECT_NEAR(spectrum.effective_rank, 1, 1e-6);
    }
  }
}

TEST_P(DiagnosisTest, APrefixTakesMassAndLeavesTheFirstLayersPattern) {
  const auto layers = diagnose(adapter(PrefixTuningMethod{.num_virtual_tokens = 3}).get());
  const LayerDiagnosis& first = layers[0];
  for (const HeadDiagnosis& head : first.heads) {
    EXPECT_GT(head.prefix_mass, 0.01);
    EXPECT_NEAR(head.map_change, head.prefix_mass, 1e-5) << "rotary positions are relative";
    EXPECT_NEAR(head.input_map_change, 0, 1e-5);
  }
  EXPECT_THAT(first.map_change_by_position,
              Pointwise(DoubleNear(1e-5), first.prefix_mass_by_position));
  EXPECT_THAT(first.prefix_mass_by_position, SizeIs(kRows[0].size()));
  if (GetParam()) {
    // A window of 5 tokens loses sight of the prefix.
    EXPECT_THAT(
        std::vector(first.prefix_mass_by_position.begin() + 4, first.prefix_mass_by_position.end()),
        Each(0));
    EXPECT_GT(first.prefix_mass_by_position[3], 0);
  }
}

TEST_P(DiagnosisTest, SeveralMethodsHaveATermEach) {
  const MethodSpec both = CombinedMethod{{PrefixMemoryMethod(), PrefixTuningMethod()}};
  for (const LayerDiagnosis& layer : diagnose(adapter(both).get())) {
    ASSERT_THAT(layer.terms, SizeIs(2));
    EXPECT_EQ(layer.terms[0].kind, Term::Kind::kMemory);
    EXPECT_EQ(layer.terms[1].kind, Term::Kind::kPrefix);
  }
}

TEST_P(DiagnosisTest, LoraHasNoTerm) {
  for (const LayerDiagnosis& layer : diagnose(adapter(LoraMethod{.r = 2}).get())) {
    EXPECT_THAT(layer.terms, IsEmpty());
    EXPECT_GT(layer.output_change, 0);
    EXPECT_THAT(over_heads(layer, &HeadDiagnosis::prefix_mass), Each(0));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DiagnosisTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "gemma" : "llama"; });

TEST(PositionMeans, CountTheRowsThatAreSoLong) {
  PositionMean mean;
  mean.add(torch::tensor({1.0, 3.0}, at::kDouble));
  mean.add(torch::tensor({2.0}, at::kDouble));
  EXPECT_THAT(mean.by_position(), ElementsAre(1.5, 3));
  EXPECT_EQ(mean.mean(), 2);
}

TEST(DiagnosisJson, LeavesOutThePrefixWhereThereIsNone) {
  Diagnosis diagnosis{"prefix_memory", "/m", 2, 9, 0, {LayerDiagnosis()}};
  LayerDiagnosis& layer = diagnosis.layers[0];
  layer.output_change = std::nan("");
  layer.heads = {{0.5, 0.25, 0.125, 0}};
  layer.terms = {{Term::Kind::kMemory, {0.75}, {{{2, 1}, 1.5, 2, 0.5}}}};
  const auto plain = nlohmann::json::parse(diagnosis_json(diagnosis));
  EXPECT_EQ(plain["tokens"], 9);
  const auto& shown = plain["layers"][0];
  EXPECT_TRUE(shown["output_change"].is_null());
  EXPECT_EQ(shown["heads"][0]["input_map_change"], 0.125);
  EXPECT_FALSE(shown["heads"][0].contains("prefix_mass"));
  EXPECT_FALSE(shown.contains("prefix_mass_by_position"));
  EXPECT_EQ(shown["terms"][0]["term"], "memory");
  EXPECT_EQ(shown["terms"][0]["heads"][0]["eigenvalues"], nlohmann::json({2, 1}));
  diagnosis.prefix_length = 3;
  const auto prefixed = nlohmann::json::parse(diagnosis_json(diagnosis));
  EXPECT_TRUE(prefixed["layers"][0].contains("prefix_mass_by_position"));
}

}  // namespace
}  // namespace prefixmem::trainer
