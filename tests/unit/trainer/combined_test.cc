// Several adapters at once: their sum, their names, their folders.
#include "worker/trainer/adapters/combined.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "common/files.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "tests/unit/trainer/tiny_adapters.h"
#include "worker/trainer/train/flat_parameters.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;

const PrefixMemoryMethod kMemory{.layers = {"1-2"}};
const PrefixTuningMethod kPrefix{.num_virtual_tokens = 3};

class CombinedTest : public testing::Test {
 protected:
  torch::Tensor hidden(Adapter* adapter) const {
    RaggedBuilder builder;
    builder.add({3, 1, 4, 1, 5, 9});
    return model->hidden(std::move(builder).build(), adapter, torch::arange(6, torch::kLong));
  }

  const ModelConfig config = tiny_config(true);
  const std::unique_ptr<Transformer> model = tiny_transformer(true);
  const ScratchFolder folder;
};

// With one part at zero, the whole is the other part.
TEST_F(CombinedTest, IsTheSumOfItsParts) {
  const auto both = tiny_adapter(CombinedMethod{{kMemory, kTinyLora}}, config);
  randomize(*both);
  EXPECT_EQ(both->first_layer(), 0);
  const auto with = hidden(both.get());
  for (const auto& [name, other] :
       {std::pair<std::string, MethodSpec>{"prefix_memory/", kTinyLora}, {"lora/", kMemory}}) {
    const auto alone = tiny_adapter(other, config);
    size_t next = 0;
    for (auto& parameter : both->parameters()) {
      const bool gone = parameter.name.starts_with(name);
      if (!gone) alone->parameters()[next++].value.data().copy_(parameter.value);
    }
    const auto kept = tiny_adapter(CombinedMethod{{kMemory, kTinyLora}}, config);
    for (size_t i = 0; i < both->parameters().size(); ++i) {
      auto& value = kept->parameters()[i].value;
      const bool gone = kept->parameters()[i].name.starts_with(name);
      value.data().copy_(gone ? torch::zeros_like(value) : both->parameters()[i].value);
    }
    EXPECT_EQ(next, alone->parameters().size());
    EXPECT_TRUE(torch::equal(hidden(kept.get()), hidden(alone.get())));
    EXPECT_FALSE(torch::allclose(hidden(kept.get()), with, 1e-2, 1e-2));
  }
}

TEST_F(CombinedTest, DeltasOfOneSiteAdd) {
  const auto both = tiny_adapter(CombinedMethod{{kMemory, kTinyLora}}, config);
  randomize(*both);
  const auto x = torch::randn({2, 16});
  const auto query = torch::randn({2, 4, 8});
  EXPECT_TRUE(both->linear_delta({0, Site::kQ, x, {}, {}, {}}).defined());
  EXPECT_FALSE(both->linear_delta({0, Site::kK, x, {}, {}, {}}).defined());
  EXPECT_FALSE(both->attention_delta(0, {query, query}).defined());
  EXPECT_TRUE(both->attention_delta(1, {query, query}).defined());
}

TEST_F(CombinedTest, NamesAreUniqueAndTheTensorsAreThePartsOwn) {
  const auto all = tiny_adapter(CombinedMethod{{kMemory, kPrefix, kTinyLora}}, config);
  std::set<std::string> names;
  for (const auto& parameter : all->parameters()) names.insert(parameter.name);
  EXPECT_EQ(names.size(), all->parameters().size());
  EXPECT_EQ(names.count("prefix_memory/model.layers.1.self_attn.prefix_memory.M"), 1U);
  EXPECT_EQ(names.count("prefix_tuning/prompt_embeddings"), 1U);
  EXPECT_EQ(all->prefix_length(), 3);

  FlatParameters flat(all->parameters());
  hidden(all.get()).square().sum().backward();
  EXPECT_GT(flat.gradients().norm().item<double>(), 0);
  const torch::NoGradGuard no_grad;
  flat.values().fill_(0.5);
  EXPECT_TRUE(torch::equal(all->prefix(torch::kFloat)[1].key, torch::full({3, 2, 8}, 0.5F)));
}

TEST_F(CombinedTest, EachPartHasAFolderAsIfItWereAlone) {
  const auto first = tiny_adapter(CombinedMethod{{kMemory, kPrefix, kTinyLora}}, config);
  randomize(*first);
  ASSERT_TRUE(first->save(folder.path(), "base").ok());
  const json stored = json::parse(read_file(folder.path() / "adapter_config.json").value());
  EXPECT_EQ(stored["method"], "combined");
  EXPECT_EQ(stored["parts"], json({"prefix_memory", "prefix_tuning", "lora"}));

  const auto second = tiny_adapter(CombinedMethod{{kMemory, kPrefix, kTinyLora}}, config, 9);
  ASSERT_TRUE(second->load(folder.path()).ok());
  for (size_t i = 0; i < first->parameters().size(); ++i) {
    EXPECT_TRUE(torch::equal(first->parameters()[i].value, second->parameters()[i].value));
  }
  EXPECT_TRUE(tiny_adapter(kTinyLora, config)->load(folder.path() / "lora").ok());
}

TEST_F(CombinedTest, EachPartStartsFromItsOwnFolder) {
  const auto lora = tiny_adapter(kTinyLora, config, 5);
  randomize(*lora);
  ASSERT_TRUE(lora->save(folder.path(), "base").ok());
  LoraMethod started = kTinyLora;
  started.init = folder.path().string();
  const auto both = tiny_adapter(CombinedMethod{{kMemory, started}}, config);
  EXPECT_TRUE(torch::equal(both->parameters()[2].value, lora->parameters()[0].value));
  started.r = 4;
  const auto refused = make_adapter(CombinedMethod{{kMemory, started}}, {config});
  EXPECT_THAT(refused.status().message(), EndsWith("r is 3; allowed: 4"));
}

TEST_F(CombinedTest, RefusesOtherParts) {
  ASSERT_TRUE(
      tiny_adapter(CombinedMethod{{kMemory, kTinyLora}}, config)->save(folder.path(), "").ok());
  const auto refusal = [&](const MethodSpec& method) {
    return tiny_adapter(method, config)->load(folder.path()).message();
  };
  EXPECT_THAT(refusal(CombinedMethod{{kPrefix, kTinyLora}}),
              EndsWith("parts is [\"prefix_memory\",\"lora\"]; allowed: "
                       "[\"prefix_tuning\",\"lora\"]"));
  EXPECT_THAT(refusal(kMemory), HasSubstr("method is \"combined\"; allowed: prefix_memory"));
}

}  // namespace
}  // namespace prefixmem::trainer
