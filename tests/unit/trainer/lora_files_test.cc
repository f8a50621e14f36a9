// Folders of LoRA in PEFT's format: what is written, what is taken, what is refused by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/unit/trainer/lora_fixture.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "worker/trainer/model/safetensors.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using Bias = LoraMethod::Bias;

const LoraMethod kRich{.r = 3,
                       .target_modules = {R"(.*\.[02]\..*q_proj)", "down_proj"},
                       .dropout = 0.25,
                       .bias = Bias::kAll,
                       .use_rslora = true,
                       .use_dora = true,
                       .init_weights = LoraMethod::Init::kGaussian};

class LoraFilesTest : public testing::Test {
 protected:
  std::unique_ptr<Adapter> saved(const LoraMethod& method) {
    auto adapter = lora_of(method, *model);
    randomize(*adapter);
    const Status status = adapter->save(folder.path(), "base/model");
    EXPECT_TRUE(status.ok()) << status.message();
    return adapter;
  }

  std::string refusal(const LoraMethod& method) {
    const auto adapter = lora_of(method, *model, 9);
    const auto before = adapter->parameters()[0].value.clone();
    const Status status = adapter->load(folder.path());
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.message();
    EXPECT_THAT(status.message(), HasSubstr(folder.path().string()));
    EXPECT_TRUE(adapter->parameters()[0].value.equal(before));
    return status.message();
  }

  json stored_config() const {
    return json::parse(read_file(folder.path() / "adapter_config.json").value());
  }
  void set(json object, const std::string& key, const json& value) const {
    object[key] = value;
    folder.write("adapter_config.json", object.dump());
  }

  const std::unique_ptr<Transformer> model = tiny_transformer(false);
  const ScratchFolder folder;
};

TEST_F(LoraFilesTest, RoundTripsToTheBit) {
  for (const LoraMethod& method : {kTinyLora, kRich}) {
    const auto first = saved(method);
    const auto second = lora_of(method, *model, 9);
    const Status loaded = second->load(folder.path());
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    for (size_t i = 0; i < first->parameters().size(); ++i) {
      EXPECT_TRUE(first->parameters()[i].value.equal(second->parameters()[i].value));
    }
  }
}

TEST_F(LoraFilesTest, InitStartsFromAFolder) {
  const auto first = saved(kRich);
  LoraMethod method = kRich;
  method.init = folder.path().string();
  const auto second = lora_of(method, *model, 9);
  EXPECT_TRUE(torch::equal(hidden_of(*model, first.get()), hidden_of(*model, second.get())));
  method.r = 4;
  const auto made = make_adapter(method, {model->config(), 1, torch::kCPU, model.get()});
  EXPECT_EQ(made.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(made.status().message(), EndsWith("r is 3; allowed: 4"));
}

TEST_F(LoraFilesTest, IsInPeftsFormat) {
  saved(kTinyLora);
  const json stored = stored_config();
  EXPECT_EQ(stored["peft_type"], "LORA");
  EXPECT_EQ(stored["base_model_name_or_path"], "base/model");
  EXPECT_EQ(stored["r"], 3);
  EXPECT_EQ(stored["lora_alpha"], 12);
  EXPECT_EQ(stored["target_modules"], json({"q_proj", "down_proj"}));
  EXPECT_EQ(stored["bias"], "none");
  const auto file = SafetensorsFile::open(folder.path() / "adapter_model.safetensors").value();
  EXPECT_EQ(file.tensors().size(), 3 * 2 * 2U);
  const std::string layer = "base_model.model.model.layers.2.";
  EXPECT_EQ(file.tensor(layer + "self_attn.q_proj.lora_B.weight")->sizes(),
            (std::vector<int64_t>{32, 3}));
  EXPECT_EQ(file.tensor(layer + "mlp.down_proj.lora_A.weight")->sizes(),
            (std::vector<int64_t>{3, 24}));
}

TEST_F(LoraFilesTest, SaysEveryOption) {
  saved(kRich);
  const json stored = stored_config();
  const json expected = {{"use_dora", true},
                         {"use_rslora", true},
                         {"lora_dropout", 0.25},
                         {"init_lora_weights", "gaussian"},
                         {"bias", "all"}};
  for (const auto& [key, value] : expected.items()) EXPECT_EQ(stored[key], value) << key;
  EXPECT_EQ(stored["target_modules"].size(), 3 + 2U);
  EXPECT_THAT(stored["target_modules"], testing::Contains("model.layers.2.self_attn.q_proj"));
}

TEST_F(LoraFilesTest, RefusesAnotherLora) {
  saved(kTinyLora);
  EXPECT_THAT(refusal({4, 12, kTinyLora.target_modules}), EndsWith("r is 3; allowed: 4"));
  EXPECT_THAT(refusal({3, 16, kTinyLora.target_modules}),
              EndsWith("lora_alpha is 12; allowed: 16"));
  EXPECT_THAT(refusal({3, 12, {"q_proj"}}),
              HasSubstr("mlp.down_proj.lora_A.weight has no place in this model and method"));
  EXPECT_THAT(
      refusal({3, 12, {"q_proj", "down_proj", "k_proj"}}),
      HasSubstr("it has no tensor base_model.model.model.layers.0.self_attn.k_proj.lora_A"));
}

TEST_F(LoraFilesTest, RefusesOtherOptionsByName) {
  saved(kRich);
  LoraMethod method = kRich;
  method.use_dora = false;
  EXPECT_THAT(refusal(method), EndsWith("use_dora is true; allowed: false"));
  method = kRich;
  method.use_rslora = false;
  EXPECT_THAT(refusal(method), EndsWith("use_rslora is true; allowed: false"));
  method = kRich;
  method.bias = Bias::kNone;
  EXPECT_THAT(refusal(method), EndsWith("bias is \"all\"; allowed: none"));
  json old = stored_config();  // of a PEFT that did not know DoRA yet
  old.erase("use_dora");
  folder.write("adapter_config.json", old.dump());
  EXPECT_THAT(refusal(kRich), EndsWith("use_dora is missing; allowed: true"));
}

TEST_F(LoraFilesTest, RefusesVariantsOfPeftByName) {
  saved(kTinyLora);
  const json good = stored_config();
  const std::pair<const char*, json> variants[] = {{"use_dora", true},
                                                   {"use_rslora", true},
                                                   {"bias", "all"},
                                                   {"lora_bias", true},
                                                   {"rank_pattern", {{"q_proj", 4}}},
                                                   {"alpha_pattern", {{"q_proj", 4}}},
                                                   {"init_lora_weights", "pissa"},
                                                   {"modules_to_save", {"lm_head"}},
                                                   {"layer_replication", {{0, 1}}}};
  for (const auto& [key, value] : variants) {
    set(good, key, value);
    EXPECT_THAT(refusal(kTinyLora), HasSubstr(std::string(key) + " is "));
  }
  set(good, "init_lora_weights", "gaussian");
  EXPECT_TRUE(lora_of(kTinyLora, *model)->load(folder.path()).ok());
}

}  // namespace
}  // namespace prefixmem::trainer
