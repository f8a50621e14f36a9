// PrefixMemory in every setting: what it adds, what it trains, what it writes.
#include "worker/trainer/adapters/prefix_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "tests/unit/trainer/tiny_adapters.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using Map = PrefixMemoryMethod::FeatureMap;
using Query = PrefixMemoryMethod::Query;
using Scope = PrefixMemoryMethod::Scope;

std::map<std::string, torch::Tensor> named(Adapter& adapter) {
  std::map<std::string, torch::Tensor> values;
  for (const auto& parameter : adapter.parameters()) values[parameter.name] = parameter.value;
  return values;
}

torch::Tensor features(Map map, const torch::Tensor& x) {
  const auto below = x.exp();
  if (map == Map::kElu) return torch::where(x > 0, x, below - 1);
  if (map == Map::kEluPlusOne) return torch::where(x > 0, x + 1, below);
  return x * 0.5 * (1 + torch::erf(x / std::sqrt(2.0)));
}

struct Setting {
  std::string name;
  PrefixMemoryMethod method;
};

std::vector<Setting> settings() {
  std::vector<Setting> all;
  const std::pair<std::string, Map> maps[] = {{"elu", Map::kElu},
                                              {"elu_plus_one", Map::kEluPlusOne},
                                              {"gelu", Map::kGelu},
                                              {"mlp", Map::kMlp}};
  for (const auto& [name, map] : maps) {
    PrefixMemoryMethod method{.feature_map = map, .layers = {"0", "2"}};
    if (map == Map::kMlp) method.feature_dim = 6;
    all.push_back({name + "_post", method});
    method.query = Query::kPreRope;
    all.push_back({name + "_pre", method});
    method.query = Query::kPostRope;
    method.scope = Scope::kHidden;
    all.push_back({name + "_hidden", method});
  }
  return all;
}

class PrefixMemoryTest : public testing::TestWithParam<Setting> {
 protected:
  // M^T phi(x) by einsum; x [T, heads, width], or [T, width] where there are no heads.
  torch::Tensor plain(int64_t layer, const torch::Tensor& x) {
    auto values = named(*adapter);
    const bool heads = x.dim() == 3;
    const std::string prefix = "model.layers." + std::to_string(layer) +
                               (heads ? ".self_attn.prefix_memory." : ".prefix_memory.");
    const auto& memory = values.at(prefix + "M");
    torch::Tensor phi;
    if (method.feature_map == Map::kMlp) {
      const auto inner =
          torch::einsum(heads ? "thd,hfd->thf" : "td,fd->tf", {x, values.at(prefix + "W")});
      phi = (inner + values.at(prefix + "b")).clamp_min(0);
    } else {
      phi = features(method.feature_map, x);
    }
    return torch::einsum(heads ? "thf,hfd->thd" : "tf,fd->td", {phi, memory});
  }

  const PrefixMemoryMethod method = GetParam().method;
  const ModelConfig config = tiny_config(true);
  const std::unique_ptr<Adapter> adapter = tiny_adapter(method, config);
  const torch::Tensor after = torch::randn({5, 4, 8}), before = torch::randn({5, 4, 8}),
                      block = torch::randn({5, 16});
};

TEST_P(PrefixMemoryTest, StepZeroIsTheBase) {
  const auto model = tiny_transformer(true);
  RaggedBuilder builder;
  builder.add({3, 1, 4, 1, 5, 9, 2, 6});
  const auto batch = std::move(builder).build();
  const auto sources = torch::arange(8, torch::kLong);
  EXPECT_TRUE(torch::equal(model->hidden(batch, adapter.get(), sources),
                           model->hidden(batch, nullptr, sources)));
  randomize(*adapter);
  EXPECT_FALSE(torch::allclose(model->hidden(batch, adapter.get(), sources),
                               model->hidden(batch, nullptr, sources), 1e-2, 1e-2));
}

TEST_P(PrefixMemoryTest, AddsItsTermWhereItBelongs) {
  randomize(*adapter);
  const bool hidden = method.scope == Scope::kHidden;
  const Queries queries{before, after};
  EXPECT_EQ(adapter->first_layer(), 0);
  for (const int64_t layer : {0, 2}) {
    const auto at_heads = adapter->attention_delta(layer, queries);
    const auto at_block = adapter->block_delta(layer, block);
    ASSERT_EQ(at_heads.defined(), !hidden);
    ASSERT_EQ(at_block.defined(), hidden);
    const auto& query = method.query == Query::kPreRope ? before : after;
    const auto want = hidden ? plain(layer, block) : plain(layer, query);
    const auto& got = hidden ? at_block : at_heads;
    EXPECT_TRUE(torch::allclose(got, want, 1e-4, 1e-5));
  }
  EXPECT_FALSE(adapter->attention_delta(1, queries).defined());
  EXPECT_FALSE(adapter->block_delta(1, block).defined());
}

TEST_P(PrefixMemoryTest, RoundTripsToTheBit) {
  randomize(*adapter);
  const ScratchFolder folder;
  ASSERT_TRUE(adapter->save(folder.path(), "base").ok());
  auto started = method;
  started.init = folder.path().string();
  const auto other = tiny_adapter(started, config, 9);
  for (const auto& [name, value] : named(*adapter)) {
    EXPECT_TRUE(torch::equal(named(*other).at(name), value)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, PrefixMemoryTest, testing::ValuesIn(settings()),
                         [](const auto& info) { return info.param.name; });

TEST(PrefixMemory, MlpWeightsBeginLikeTorchsLinear) {
  const PrefixMemoryMethod method{
      .feature_map = Map::kMlp, .feature_dim = 512, .layers = {"1"}, .feature_lr_ratio = 0.5};
  const auto adapter = tiny_adapter(method, tiny_config(true));
  const auto& parameters = adapter->parameters();
  ASSERT_EQ(parameters.size(), 3U);
  EXPECT_EQ(adapter->first_layer(), 1);
  const std::string name = "model.layers.1.self_attn.prefix_memory.";
  EXPECT_EQ(parameters[0].name, name + "M");
  EXPECT_TRUE(torch::equal(parameters[0].value, torch::zeros({4, 512, 8})));
  EXPECT_EQ(parameters[0].learning_rate_ratio, 1);
  const double bound = 1 / std::sqrt(8.0);
  for (size_t i = 1; i < 3; ++i) {
    const auto& value = parameters[i].value;
    EXPECT_EQ(parameters[i].learning_rate_ratio, 0.5);
    EXPECT_LE(value.abs().max().item<double>(), bound);
    EXPECT_NEAR(value.square().mean().item<double>(), bound * bound / 3, 0.03 * bound * bound);
    EXPECT_TRUE(value.requires_grad() && value.is_leaf());
  }
  EXPECT_EQ(parameters[1].value.sizes(), (std::vector<int64_t>{4, 512, 8}));
  EXPECT_EQ(parameters[2].value.sizes(), (std::vector<int64_t>{4, 512}));
  EXPECT_EQ(parameters[2].name, name + "b");
}

TEST(PrefixMemory, MlpWeightsDependOnSeedAndNameAlone) {
  const auto weights = [](std::vector<std::string> layers, uint64_t seed) {
    const PrefixMemoryMethod method{.feature_map = Map::kMlp, .layers = std::move(layers)};
    return named(*tiny_adapter(method, tiny_config(true), seed));
  };
  const auto all = weights({"all"}, 3), other = weights({"all"}, 4);
  const std::string w = "model.layers.2.self_attn.prefix_memory.W";
  EXPECT_TRUE(torch::equal(weights({"2"}, 3).at(w), all.at(w)));
  EXPECT_FALSE(torch::equal(other.at(w), all.at(w)));
  EXPECT_FALSE(torch::equal(all.at("model.layers.1.self_attn.prefix_memory.W"), all.at(w)));
}

TEST(PrefixMemory, RefusesALayerThatTheModelLacks) {
  const auto made = make_adapter(PrefixMemoryMethod{.layers = {"1-3"}}, {tiny_config(true)});
  EXPECT_EQ(made.status().message(),
            "method.layers: it names layer 3; allowed: up to 2, the model's last");
}

class PrefixMemoryFilesTest : public testing::Test {
 protected:
  void save(const PrefixMemoryMethod& method) const {
    ASSERT_TRUE(tiny_adapter(method, config)->save(folder.path(), "base").ok());
  }
  Status load(const PrefixMemoryMethod& method) const {
    return tiny_adapter(method, config)->load(folder.path());
  }
  json stored() const { return json::parse(read_file(file).value()); }

  const ModelConfig config = tiny_config(true);
  const ScratchFolder folder;
  const std::filesystem::path file = folder.path() / "adapter_config.json";
};

TEST_F(PrefixMemoryFilesTest, TheConfigSaysWhatItIs) {
  save({.feature_map = Map::kMlp, .feature_dim = 6, .query = Query::kPreRope, .layers = {"1-2"}});
  EXPECT_EQ(stored(), json({{"method", "prefix_memory"},
                            {"base_model_name_or_path", "base"},
                            {"feature_map", "mlp"},
                            {"feature_dim", 6},
                            {"query", "pre_rope"},
                            {"scope", "head"},
                            {"layers", {1, 2}}}));
}

TEST_F(PrefixMemoryFilesTest, TakesFoldersOfBeforeTheNewerKeys) {
  save({});
  json config = stored();
  for (const char* key : {"feature_dim", "scope", "layers"}) config.erase(key);
  folder.write("adapter_config.json", config.dump());
  const Status loaded = load({});
  EXPECT_TRUE(loaded.ok()) << loaded.message();
  EXPECT_THAT(load({.scope = Scope::kHidden}).message(),
              EndsWith("scope is missing; allowed: hidden"));
  EXPECT_THAT(load({.layers = {"0"}}).message(), EndsWith("layers is missing; allowed: [0]"));
}

TEST_F(PrefixMemoryFilesTest, RefusesOtherSettings) {
  save({});
  EXPECT_THAT(load({.feature_map = Map::kGelu}).message(),
              EndsWith("feature_map is \"elu\"; allowed: gelu"));
  EXPECT_THAT(load({.query = Query::kPreRope}).message(),
              EndsWith("query is \"post_rope\"; allowed: pre_rope"));
  EXPECT_THAT(load({.scope = Scope::kHidden}).message(),
              EndsWith("scope is \"head\"; allowed: hidden"));
  EXPECT_THAT(load({.layers = {"0-1"}}).message(), EndsWith("layers is [0,1,2]; allowed: [0,1]"));
  const auto made = make_adapter(
      PrefixMemoryMethod{.feature_map = Map::kGelu, .init = folder.path().string()}, {config});
  EXPECT_THAT(made.status().message(), HasSubstr("method.init: " + file.string()));
}

}  // namespace
}  // namespace prefixmem::trainer
