#include "worker/trainer/model/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/trainer/scratch_folder.h"

namespace prefixmem::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ConfigFile, NamesFolderAndFile) {
  const ScratchFolder scratch;
  EXPECT_EQ(load_model_config("/nowhere/model").status().to_string(),
            "NOT_FOUND: model folder /nowhere/model does not exist");
  const Status missing = load_model_config(scratch.path()).status();
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("config.json"));
  scratch.write("config.json", "{}");
  EXPECT_THAT(load_model_config(scratch.path()).status().message(),
              AllOf(HasSubstr("config.json"), HasSubstr("model_type is missing")));
  scratch.write(
      "config.json",
      R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5,
       "num_attention_heads": 8, "vocab_size": 512, "hidden_act": "silu", "rms_norm_eps": 1e-5,
       "max_position_embeddings": 1024})");
  EXPECT_TRUE(load_model_config(scratch.path()).ok());
}

}  // namespace
}  // namespace prefixmem::trainer
