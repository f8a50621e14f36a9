// Adapter folders: what is written is read back to the bit; what does not fit is refused.
#include "worker/trainer/adapters/adapter_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "tests/unit/trainer/tiny_adapters.h"
#include "worker/trainer/model/safetensors.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;

const char* const kWeights = "adapter_model.safetensors";
const char* const kConfig = "adapter_config.json";

std::vector<torch::Tensor> copies(Adapter& adapter) {
  std::vector<torch::Tensor> values;
  for (const auto& parameter : adapter.parameters()) {
    values.push_back(parameter.value.detach().clone());
  }
  return values;
}

void expect_values(Adapter& adapter, const std::vector<torch::Tensor>& values) {
  ASSERT_EQ(adapter.parameters().size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_TRUE(torch::equal(adapter.parameters()[i].value, values[i]))
        << adapter.parameters()[i].name;
  }
}

class AdapterFilesTest : public testing::Test {
 protected:
  // A trained adapter of the method in the folder.
  std::unique_ptr<Adapter> saved(const MethodSpec& method) {
    auto adapter = tiny_adapter(method, config);
    randomize(*adapter);
    const Status status = adapter->save(folder.path(), "base/model");
    EXPECT_TRUE(status.ok()) << status.message();
    return adapter;
  }

  // Loads the folder into a new adapter, which must refuse it in one sentence and stay as it was.
  std::string refusal(const MethodSpec& method, Code code = Code::kInvalidArgument) {
    const auto adapter = tiny_adapter(method, config, 9);
    const auto before = copies(*adapter);
    const Status status = adapter->load(folder.path());
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_THAT(status.message(), HasSubstr(folder.path().string()));
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
    expect_values(*adapter, before);
    return status.message();
  }

  json stored_config() const { return json::parse(read_file(folder.path() / kConfig).value()); }
  void set(const std::string& key, const json& value) const {
    json object = stored_config();
    object[key] = value;
    folder.write(kConfig, object.dump());
  }
  void rewrite(const std::vector<NamedTensor>& tensors) const {
    ASSERT_TRUE(write_safetensors(folder.path() / kWeights, tensors, {{"format", "pt"}}).ok());
  }

  const ModelConfig config = tiny_config(true);
  const ScratchFolder folder;
};

TEST_F(AdapterFilesTest, RoundTripsToTheBit) {
  for (const MethodSpec& method : {MethodSpec(PrefixMemoryMethod{}), MethodSpec(kTinyLora)}) {
    const auto first = saved(method);
    const std::string bytes = read_file(folder.path() / kWeights).value();
    const auto second = tiny_adapter(method, config, 9);
    const Status loaded = second->load(folder.path());
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    expect_values(*second, copies(*first));
    ASSERT_TRUE(second->save(folder.path(), "base/model").ok());
    EXPECT_TRUE(read_file(folder.path() / kWeights).value() == bytes);
  }
}

TEST_F(AdapterFilesTest, LoadedValuesAreStillTrained) {
  saved(kTinyLora);
  const auto adapter = tiny_adapter(kTinyLora, config);
  const auto* const place = adapter->parameters()[0].value.const_data_ptr();
  ASSERT_TRUE(adapter->load(folder.path()).ok());
  for (const auto& parameter : adapter->parameters()) {
    EXPECT_TRUE(parameter.value.is_leaf() && parameter.value.requires_grad());
  }
  EXPECT_EQ(adapter->parameters()[0].value.const_data_ptr(), place);
}

TEST_F(AdapterFilesTest, TakesOtherFloatTypes) {
  const auto first = saved(PrefixMemoryMethod{});
  std::vector<NamedTensor> tensors;
  std::vector<torch::Tensor> rounded;
  for (const auto& [name, value, ratio] : first->parameters()) {
    tensors.push_back({name, value.detach().to(torch::kBFloat16)});
    rounded.push_back(tensors.back().value.to(torch::kFloat));
  }
  rewrite(tensors);
  const auto second = tiny_adapter(PrefixMemoryMethod{}, config);
  ASSERT_TRUE(second->load(folder.path()).ok());
  expect_values(*second, rounded);
}

TEST_F(AdapterFilesTest, RefusesAMissingOrDamagedFolder) {
  EXPECT_THAT(refusal(kTinyLora, Code::kNotFound), HasSubstr(kConfig));
  saved(kTinyLora);
  const auto weights = folder.path() / kWeights;
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 1);
  EXPECT_THAT(refusal(kTinyLora, Code::kDataLoss), HasSubstr(kWeights));
  std::filesystem::rename(weights, folder.path() / "adapter_model.bin");
  EXPECT_THAT(refusal(kTinyLora),
              EndsWith("adapter_model.bin is a pickle, which may run code as it is read; allowed: "
                       "adapter_model.safetensors"));
  folder.write(kConfig, "{\"r\": 3");
  EXPECT_THAT(refusal(kTinyLora, Code::kDataLoss), HasSubstr(kConfig));
  folder.write(kConfig, "[]");
  EXPECT_THAT(refusal(kTinyLora, Code::kDataLoss), HasSubstr(kConfig));
}

TEST_F(AdapterFilesTest, RefusesAnotherMethodsFolder) {
  saved(kTinyLora);
  EXPECT_THAT(refusal(PrefixMemoryMethod{}),
              EndsWith("peft_type is \"LORA\"; allowed: prefix_memory"));
  saved(PrefixMemoryMethod{});
  EXPECT_THAT(refusal(kTinyLora), EndsWith("method is \"prefix_memory\"; allowed: LORA"));
  set("feature_map", "gelu");
  EXPECT_THAT(refusal(PrefixMemoryMethod{}), EndsWith("feature_map is \"gelu\"; allowed: elu"));
}

TEST_F(AdapterFilesTest, RefusesAnotherModelsShapes) {
  const auto adapter = saved(PrefixMemoryMethod{});
  std::vector<NamedTensor> tensors;
  for (const auto& [name, value, ratio] : adapter->parameters()) {
    tensors.push_back({name, value.detach()});
  }
  tensors.back().value = torch::zeros({4, 8, 6});
  rewrite(tensors);
  EXPECT_THAT(refusal(PrefixMemoryMethod{}),
              EndsWith("model.layers.2.self_attn.prefix_memory.M has shape [4,8,6]; allowed: "
                       "[4,8,8]"));
  tensors.back().value = torch::zeros({4, 8, 8}, torch::kLong);
  rewrite(tensors);
  EXPECT_THAT(refusal(PrefixMemoryMethod{}), HasSubstr("holds no floating-point numbers"));
}

}  // namespace
}  // namespace prefixmem::trainer
