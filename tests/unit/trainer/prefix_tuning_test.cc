// Prefix-Tuning: how a prefix begins, what it does to a row, what its folder holds.
#include "worker/trainer/adapters/prefix_tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "tests/unit/trainer/tiny_adapters.h"
#include "worker/trainer/data/encode.h"
#include "worker/trainer/model/safetensors.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using Init = PrefixTuningMethod::Init;

constexpr int64_t kFlat = int64_t{3} * 2 * 2 * 8;  // layers · 2 · key heads · head_dim

// A token for each letter behind one for the beginning.
class LetterCodec : public TextCodec {
 public:
  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special) const override {
    std::vector<int32_t> ids;
    if (add_special) ids.push_back(1);
    for (const char c : text) ids.push_back(c - 'a' + 2);
    return ids;
  }
  Result<std::string> decode(const std::vector<int32_t>&) const override {
    return internal_error("not used");
  }
  Result<std::string> render_chat(const std::string&, bool) const override {
    return internal_error("not used");
  }
  int32_t eos_id() const override { return 0; }
};

RaggedBatch one_row(const std::vector<int32_t>& tokens) {
  RaggedBuilder builder;
  builder.add(tokens);
  return std::move(builder).build();
}

torch::Tensor hidden_of(Transformer& model, const std::vector<int32_t>& tokens, Adapter* adapter) {
  const auto sources = torch::arange(static_cast<int64_t>(tokens.size()), torch::kLong);
  return model.hidden(one_row(tokens), adapter, sources);
}

TEST(PrefixTuning, BeginsLikeTorchsEmbedding) {
  const auto adapter =
      tiny_adapter(PrefixTuningMethod{.num_virtual_tokens = 200}, tiny_config(true));
  ASSERT_EQ(adapter->parameters().size(), 1U);
  const auto& [name, value, ratio] = adapter->parameters()[0];
  EXPECT_EQ(name, "prompt_embeddings");
  EXPECT_EQ(value.sizes(), (std::vector<int64_t>{200, kFlat}));
  EXPECT_NEAR(value.mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(value.square().mean().item<double>(), 1, 0.03);
  EXPECT_NEAR(value.pow(4).mean().item<double>(), 3, 0.3);
  EXPECT_EQ(adapter->prefix_length(), 200);
  EXPECT_TRUE(value.requires_grad() && value.is_leaf());
}

TEST(PrefixTuning, MayBeginAtZero) {
  const auto adapter = tiny_adapter(
      PrefixTuningMethod{.num_virtual_tokens = 3, .init_weights = PrefixTuningMethod::Init::kZero},
      tiny_config(true));
  const torch::Tensor& value = adapter->parameters()[0].value;
  EXPECT_TRUE(torch::equal(value, torch::zeros({3, kFlat})));
  EXPECT_TRUE(value.requires_grad() && value.is_leaf());
  EXPECT_EQ(adapter->prefix_length(), 3);
}

TEST(PrefixTuning, InitialWeightsDependOnTheSeed) {
  const auto value = [](uint64_t seed) {
    return tiny_adapter(PrefixTuningMethod{}, tiny_config(true), seed)->parameters()[0].value;
  };
  EXPECT_TRUE(torch::equal(value(1), value(1)));
  EXPECT_FALSE(torch::equal(value(1), value(2)));
}

TEST(PrefixTuning, EachLayersKeyComesBeforeItsValue) {
  const auto adapter = tiny_adapter(PrefixTuningMethod{.num_virtual_tokens = 2}, tiny_config(true));
  adapter->parameters()[0].value.data().copy_(torch::arange(2 * kFlat).view({2, kFlat}));
  const auto layers = adapter->prefix(torch::kFloat);
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[0].key.sizes(), (std::vector<int64_t>{2, 2, 8}));
  EXPECT_EQ(layers[0].value[0][0][0].item<int64_t>(), 16);
  EXPECT_EQ(layers[1].key[0][1][3].item<int64_t>(), 32 + 8 + 3);
  EXPECT_EQ(layers[2].value[1][0][0].item<int64_t>(), kFlat + 80);
  EXPECT_EQ(adapter->prefix(torch::kBFloat16)[0].key.scalar_type(), torch::kBFloat16);
}

class PrefixTuningTest : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Adapter> from_text(const std::string& text, int64_t tokens) {
    return std::move(make_adapter(text_method(text, tokens), context())).value();
  }
  PrefixTuningMethod text_method(const std::string& text, int64_t tokens) const {
    return {.num_virtual_tokens = tokens, .init_weights = Init::kText, .init_text = text};
  }
  AdapterContext context() const { return {config, 1, torch::kCPU, model.get(), &codec}; }

  const ModelConfig config = tiny_config(GetParam());
  const std::unique_ptr<Transformer> model = tiny_transformer(GetParam());
  const LetterCodec codec;
};

// The base reads 1 (the beginning), then letters; what follows is as if they stood there.
TEST_P(PrefixTuningTest, AFreshPrefixOfTextActsAsTheText) {
  const auto adapter = from_text("hello", 5);
  const std::vector<int32_t> whole{1, 9, 6, 13, 13, 20, 21, 22, 23, 24};
  const auto want = hidden_of(*model, whole, nullptr).slice(0, 5);
  const auto got = hidden_of(*model, {20, 21, 22, 23, 24}, adapter.get());
  EXPECT_TRUE(torch::allclose(got, want, 1e-4, 2e-5));
}

TEST_P(PrefixTuningTest, RefusesATextOfFewerTokens) {
  const auto made = make_adapter(text_method("abc", 5), context());
  EXPECT_EQ(made.status().code(), Code::kInvalidArgument);
  EXPECT_EQ(made.status().message(),
            "method.init_text has 4 tokens; allowed: at least 5, which is "
            "method.num_virtual_tokens");
}

TEST_P(PrefixTuningTest, EveryParameterGetsItsGradient) {
  for (const bool projection : {false, true}) {
    const auto adapter = tiny_adapter(
        PrefixTuningMethod{.num_virtual_tokens = 3, .prefix_projection = projection}, config);
    const std::vector<int32_t> row{5, 3, 5};
    const auto loss = [&] { return hidden_of(*model, row, adapter.get()).square().sum(); };
    loss().backward();
    for (const auto& [name, value, ratio] : adapter->parameters()) {
      ASSERT_TRUE(value.grad().defined()) << name;
      const torch::NoGradGuard no_grad;
      const double slope = value.grad().norm().item<double>();
      const auto direction = value.grad() / slope;
      value.add_(direction, 1e-2);
      const double above = loss().item<double>();
      value.add_(direction, -2e-2);
      const double below = loss().item<double>();
      value.add_(direction, 1e-2);
      EXPECT_NEAR((above - below) / 2e-2, slope, 0.02 * slope) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, PrefixTuningTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Windowed" : "Plain"; });

TEST(PrefixTuning, TheProjectionIsAnMlpOverAnEmbedding) {
  const PrefixTuningMethod method{
      .num_virtual_tokens = 3, .prefix_projection = true, .encoder_hidden_size = 5};
  const auto adapter = tiny_adapter(method, tiny_config(true));
  const auto& p = adapter->parameters();
  ASSERT_EQ(p.size(), 5U);
  EXPECT_EQ(p[0].value.sizes(), (std::vector<int64_t>{3, 16}));
  EXPECT_EQ(p[1].value.sizes(), (std::vector<int64_t>{5, 16}));
  EXPECT_EQ(p[3].value.sizes(), (std::vector<int64_t>{kFlat, 5}));
  const auto inner = (p[0].value.matmul(p[1].value.t()) + p[2].value).tanh();
  const auto flat = inner.matmul(p[3].value.t()) + p[4].value;
  const auto layers = adapter->prefix(torch::kFloat);
  EXPECT_TRUE(torch::allclose(layers[1].value.flatten(1), flat.slice(1, 48, 64)));
}

class PrefixTuningFilesTest : public testing::Test {
 protected:
  std::unique_ptr<Adapter> saved(const PrefixTuningMethod& method) {
    auto adapter = tiny_adapter(method, config);
    EXPECT_TRUE(adapter->save(folder.path(), "base").ok());
    return adapter;
  }
  Status load(const PrefixTuningMethod& method) {
    return tiny_adapter(method, config)->load(folder.path());
  }
  void set(const std::string& key, const json& value) {
    json stored = json::parse(read_file(file).value());
    stored[key] = value;
    folder.write("adapter_config.json", stored.dump());
  }

  const ModelConfig config = tiny_config(true);
  const ScratchFolder folder;
  const std::filesystem::path file = folder.path() / "adapter_config.json";
};

TEST_F(PrefixTuningFilesTest, IsInPeftsFormat) {
  saved({.num_virtual_tokens = 4});
  const json stored = json::parse(read_file(file).value());
  EXPECT_EQ(stored["peft_type"], "PREFIX_TUNING");
  EXPECT_EQ(stored["num_attention_heads"], 2);
  EXPECT_EQ(stored["token_dim"], 16);
  EXPECT_EQ(stored["num_layers"], 3);
  const auto weights = SafetensorsFile::open(folder.path() / "adapter_model.safetensors").value();
  ASSERT_EQ(weights.tensors().size(), 1U);
  EXPECT_EQ(weights.tensor("prompt_embeddings")->sizes(), (std::vector<int64_t>{4, kFlat}));
}

TEST_F(PrefixTuningFilesTest, RoundTripsToTheBit) {
  const auto first = saved({.num_virtual_tokens = 4});
  const auto second = tiny_adapter(
      PrefixTuningMethod{.num_virtual_tokens = 4, .init = folder.path().string()}, config, 8);
  EXPECT_TRUE(torch::equal(first->parameters()[0].value, second->parameters()[0].value));
}

TEST_F(PrefixTuningFilesTest, AProjectedPrefixIsLoadedAsAPlainOne) {
  const auto projected = saved({.num_virtual_tokens = 4, .prefix_projection = true});
  set("prefix_projection", true);  // as PEFT leaves it
  const auto plain = tiny_adapter(PrefixTuningMethod{.num_virtual_tokens = 4}, config);
  ASSERT_TRUE(plain->load(folder.path()).ok());
  for (size_t layer = 0; layer < 3; ++layer) {
    EXPECT_TRUE(torch::equal(projected->prefix(torch::kFloat)[layer].key,
                             plain->prefix(torch::kFloat)[layer].key));
  }
  EXPECT_EQ(load({.num_virtual_tokens = 4, .prefix_projection = true}).message(),
            folder.path().string() +
                " holds a prefix as it came out of a projection, not the projection; allowed: "
                "with prefix_projection false");
}

TEST_F(PrefixTuningFilesTest, RefusesAnotherPrefix) {
  saved({.num_virtual_tokens = 4});
  EXPECT_THAT(load({.num_virtual_tokens = 5}).message(),
              EndsWith("num_virtual_tokens is 4; allowed: 5"));
  set("num_attention_heads", 4);
  EXPECT_THAT(load({.num_virtual_tokens = 4}).message(),
              EndsWith("num_attention_heads is 4; allowed: 2"));
  set("peft_type", "PROMPT_TUNING");
  EXPECT_THAT(load({.num_virtual_tokens = 4}).message(),
              HasSubstr("peft_type is \"PROMPT_TUNING\"; allowed: PREFIX_TUNING"));
}

TEST_F(PrefixTuningFilesTest, RefusesAPrefixAsLongAsTheModel) {
  const auto made = make_adapter(PrefixTuningMethod{.num_virtual_tokens = 4096}, {config});
  EXPECT_EQ(made.status().message(),
            "method.num_virtual_tokens is 4096; allowed: below 4096, the model's "
            "max_position_embeddings");
}

}  // namespace
}  // namespace prefixmem::trainer
