// What adapters add to a model: nothing at first, then what their formula says.
#include <gtest/gtest.h>

#include "tests/unit/trainer/tiny_adapters.h"

namespace prefixmem::trainer {
namespace {

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

TEST(Adapters, MethodNoneHasNone) {
  const auto made = make_adapter(NoMethod{}, {tiny_config(true)});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(*made, nullptr);
}

}  // namespace
}  // namespace prefixmem::trainer
