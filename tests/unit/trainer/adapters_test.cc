// What adapters add to a model: nothing at first, then what their formula says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/unit/trainer/tiny_adapters.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kModules = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                           "gate_proj", "up_proj", "down_proj"};

RaggedBatch two_rows() {
  RaggedBuilder builder;
  const int32_t prompt = builder.add({3, 1, 4, 1, 5, 9, 2, 6});
  builder.add({5, 3, 5}, prompt);
  builder.add({8, 9, 7, 9, 3});
  return std::move(builder).build();
}

torch::Tensor hidden_of(Transformer& model, Adapter* adapter) {
  const RaggedBatch batch = two_rows();
  return model.hidden(batch, adapter, torch::arange(batch.token_count(), torch::kLong)).detach();
}

void expect_close(const torch::Tensor& got, const torch::Tensor& want) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LT((got - want).abs().max().item<double>(), 1e-5 * want.abs().max().item<double>());
}

class AdaptersTest : public testing::TestWithParam<bool> {
 protected:
  const ModelConfig config = tiny_config(GetParam());
  const std::unique_ptr<Transformer> model = tiny_transformer(GetParam());
};

TEST_P(AdaptersTest, StepZeroIsTheBase) {
  const auto base = hidden_of(*model, nullptr);
  for (const MethodSpec& method : {MethodSpec(PrefixMemoryMethod{}), MethodSpec(LoraMethod{})}) {
    const auto adapter = tiny_adapter(method, config);
    EXPECT_TRUE(torch::equal(hidden_of(*model, adapter.get()), base));
    EXPECT_EQ(adapter->first_layer(), 0);
  }
}

// The formula of PrefixMemory in elementary operations.
class PlainMemory : public TinyAdapter {
 public:
  PlainMemory(const ModelConfig& config, Adapter& memories)
      : TinyAdapter(config), memories_(memories) {}
  torch::Tensor linear_delta(const LinearCall&) override { return {}; }
  torch::Tensor attention_delta(int64_t layer, const Queries& queries) override {
    const torch::Tensor& query = queries.after_rotary;
    const auto features = torch::where(query > 0, query, query.exp() - 1);
    return (features.unsqueeze(-1) * memories_.parameters()[layer].value).sum(-2);
  }

 private:
  Adapter& memories_;
};

TEST_P(AdaptersTest, PrefixMemoryFollowsItsFormula) {
  const auto adapter = tiny_adapter(PrefixMemoryMethod{}, config);
  randomize(*adapter);
  PlainMemory plain(config, *adapter);
  const auto with = hidden_of(*model, adapter.get());
  expect_close(with, hidden_of(*model, &plain));
  EXPECT_FALSE(torch::allclose(with, hidden_of(*model, nullptr), 1e-2, 1e-2));
}

// W x + (alpha / r) B A x is a model whose W is W + (alpha / r) B A.
std::unique_ptr<Transformer> merged(bool gemma, Adapter& lora, const std::vector<Site>& sites,
                                    double scale) {
  const torch::NoGradGuard no_grad;
  const ModelConfig config = tiny_config(gemma);
  ModelWeights weights = tiny_weights(config);
  size_t next = 0;
  for (auto& layer : weights.layers) {
    for (const Site site : sites) {
      const auto& a = lora.parameters()[next++].value;
      const auto& b = lora.parameters()[next++].value;
      layer.linear[static_cast<size_t>(site)].weight.add_(b.matmul(a) * scale);
    }
  }
  EXPECT_EQ(next, lora.parameters().size());
  return std::make_unique<Transformer>(config, DecoderOptions{.dtype = torch::kFloat32},
                                       std::move(weights));
}

TEST_P(AdaptersTest, LoraEqualsMergedWeights) {
  const auto base = hidden_of(*model, nullptr);
  std::vector<std::pair<std::vector<std::string>, std::vector<Site>>> cases = {
      {{"all-linear"},
       {Site::kQ, Site::kK, Site::kV, Site::kO, Site::kGate, Site::kUp, Site::kDown}},
      {{"v_proj", "q_proj", "v_proj"}, {Site::kQ, Site::kV}}};
  for (size_t i = 0; i < kModules.size(); ++i) {
    cases.push_back({{kModules[i]}, {static_cast<Site>(i)}});
  }
  for (const auto& [names, sites] : cases) {
    const auto adapter = tiny_adapter(LoraMethod{3, 12, names}, config);
    randomize(*adapter);
    const auto with = hidden_of(*model, adapter.get());
    expect_close(with, hidden_of(*merged(GetParam(), *adapter, sites, 4), nullptr));
    EXPECT_FALSE(torch::allclose(with, base, 1e-2, 1e-2)) << names[0];
  }
}

TEST_P(AdaptersTest, EveryParameterGetsAGradient) {
  for (const MethodSpec& method : {MethodSpec(PrefixMemoryMethod{}), MethodSpec(LoraMethod{})}) {
    const auto adapter = tiny_adapter(method, config);
    randomize(*adapter);
    const RaggedBatch batch = two_rows();
    const auto last = torch::tensor({10, 15}, torch::kLong);
    model->token_log_probs(model->hidden(batch, adapter.get(), last), last).sum().backward();
    for (const auto& [name, value, ratio] : adapter->parameters()) {
      ASSERT_TRUE(value.grad().defined()) << name;
      EXPECT_EQ(value.grad().scalar_type(), torch::kFloat);
      EXPECT_GT(value.grad().norm().item<double>(), 0) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, AdaptersTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Windowed" : "Plain"; });

TEST(PrefixMemory, IsOneZeroMatrixForEachQueryHeadAndLayer) {
  const auto adapter = tiny_adapter(PrefixMemoryMethod{}, tiny_config(true));
  ASSERT_EQ(adapter->parameters().size(), 3U);
  EXPECT_EQ(adapter->parameter_count(), 3 * 4 * 8 * 8);
  for (size_t i = 0; i < 3; ++i) {
    const auto& [name, value, ratio] = adapter->parameters()[i];
    EXPECT_EQ(name, "model.layers." + std::to_string(i) + ".self_attn.prefix_memory.M");
    EXPECT_TRUE(torch::equal(value, torch::zeros({4, 8, 8})));
    EXPECT_TRUE(value.requires_grad() && value.is_leaf());
  }
}

TEST(Lora, StartsLikePeft) {
  const auto adapter = tiny_adapter(LoraMethod{512, 16, {"down_proj"}}, tiny_config(false));
  const auto& [name, a, ratio] = adapter->parameters()[0];
  EXPECT_EQ(name, "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight");
  EXPECT_EQ(a.sizes(), (std::vector<int64_t>{512, 24}));
  const double bound = 1 / std::sqrt(24.0);
  EXPECT_LE(a.abs().max().item<double>(), bound);
  EXPECT_NEAR(a.mean().item<double>(), 0, 0.03 * bound);
  EXPECT_NEAR(a.square().mean().item<double>(), bound * bound / 3, 0.01 * bound * bound);
  EXPECT_TRUE(torch::equal(adapter->parameters()[1].value, torch::zeros({16, 512})));
}

TEST(Lora, InitialWeightsDependOnSeedAndNameAlone) {
  const ModelConfig config = tiny_config(true);
  const auto values = [&](const std::vector<std::string>& modules, uint64_t seed) {
    const auto adapter = tiny_adapter(LoraMethod{4, 16, modules}, config, seed);
    std::map<std::string, torch::Tensor> named;
    for (const auto& [name, value, ratio] : adapter->parameters()) named[name] = value;
    return named;
  };
  torch::manual_seed(1);
  const auto all = values({"all-linear"}, 7);
  torch::manual_seed(2);
  for (const auto& [name, value] : values({"k_proj", "up_proj"}, 7)) {
    EXPECT_TRUE(torch::equal(value, all.at(name))) << name;
  }
  const auto other = values({"all-linear"}, 8);
  std::vector<torch::Tensor> seen;
  for (const auto& [name, value] : all) {
    if (name.find("lora_A") == std::string::npos) continue;
    EXPECT_FALSE(torch::equal(value, other.at(name))) << name;
    for (const auto& before : seen) EXPECT_FALSE(torch::equal(value, before)) << name;
    seen.push_back(value);
  }
}

torch::Tensor delta_of(Adapter& adapter, int64_t layer, Site site, const torch::Tensor& x) {
  return adapter.linear_delta({layer, site, x, {}, {}});
}

TEST(Lora, AccumulatesInFp32InABf16Run) {
  const auto adapter = tiny_adapter(LoraMethod{1, 1, {"q_proj"}}, tiny_config(false));
  for (auto& parameter : adapter->parameters()) parameter.value.data().fill_(1);
  const auto x = torch::ones({4096, 16}, torch::kBFloat16);
  const auto delta = delta_of(*adapter, 0, Site::kQ, x);
  EXPECT_EQ(delta.scalar_type(), torch::kBFloat16);
  EXPECT_TRUE(torch::equal(delta, torch::full({4096, 32}, 16, torch::kBFloat16)));
  delta.sum().backward();
  delta_of(*adapter, 0, Site::kQ, x.narrow(0, 0, 1)).sum().backward();
  const auto &a = adapter->parameters()[0].value, &b = adapter->parameters()[1].value;
  EXPECT_TRUE(torch::equal(a.grad(), torch::full({1, 16}, 32.0F * 4097)));
  EXPECT_TRUE(torch::equal(b.grad(), torch::full({32, 1}, 16.0F * 4097)));
}

TEST(Lora, LeavesOtherModulesAlone) {
  const auto adapter = tiny_adapter(LoraMethod{4, 16, {"k_proj"}}, tiny_config(false));
  const auto x = torch::ones({2, 16});
  const auto query = torch::ones({2, 4, 8});
  EXPECT_FALSE(delta_of(*adapter, 0, Site::kQ, x).defined());
  EXPECT_FALSE(adapter->attention_delta(0, {query, query}).defined());
  EXPECT_TRUE(delta_of(*adapter, 2, Site::kK, x).defined());
}

TEST(Lora, RefusesModulesThatTheModelLacks) {
  const auto refusal = [](const std::vector<std::string>& modules) {
    const auto made = make_adapter(LoraMethod{4, 16, modules}, {tiny_config(false)});
    EXPECT_EQ(made.status().code(), Code::kInvalidArgument);
    return made.status().message();
  };
  EXPECT_THAT(refusal({"q_proj", "lm_head"}),
              HasSubstr("method.target_modules names \"lm_head\"; allowed: q_proj, k_proj"));
  EXPECT_THAT(refusal({}), HasSubstr("method.target_modules is []; allowed: q_proj"));
  EXPECT_THAT(refusal({"all-linear", "q_proj"}), HasSubstr("or all-linear alone"));
}

TEST(Adapters, MethodNoneHasNone) {
  const auto made = make_adapter(NoMethod{}, {tiny_config(true)});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(*made, nullptr);
}

}  // namespace
}  // namespace prefixmem::trainer
