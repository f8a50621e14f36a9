// Models of GGUF files: what their metadata mean, their weights by Hugging Face's names, their
// place.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/trainer/gguf_bytes.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "worker/trainer/data/codec.h"
#include "worker/trainer/model/gguf_config.h"
#include "worker/trainer/model/gguf_weights.h"
#include "worker/trainer/model/model_path.h"

namespace prefixmem::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The metadata of a small model, vocabulary 5, and what `add` adds.
template <typename Add>
std::string file_of(const std::string& architecture, Add add) {
  GgufBytes file;
  file.text("general.architecture", architecture);
  const auto size = [&](const char* key, uint32_t value) {
    file.number(architecture + "." + key, value);
  };
  size("context_length", 64);
  size("embedding_length", 8);
  size("block_count", 3);
  size("feed_forward_length", 12);
  size("attention.head_count", 2);
  file.number(architecture + ".attention.layer_norm_rms_epsilon", 1e-5F);
  file.tensor("token_embd.weight", {8, 5}, kF32, std::string(160, '\0'));
  add(file);
  return file.bytes();
}

std::string file_of(const std::string& architecture) {
  return file_of(architecture, [](GgufBytes&) {});
}

ModelConfig read(const std::string& bytes) {
  const auto config = gguf_model_config(*GgufFile::over(bytes));
  if (!config.ok()) throw std::runtime_error(config.status().to_string());
  return *config;
}

template <typename Add>
std::string refusal(const std::string& architecture, Add add) {
  const std::string bytes = file_of(architecture, add);
  const Status status = gguf_model_config(*GgufFile::over(bytes)).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.to_string();
  return status.message();
}

std::vector<int64_t> windows(const ModelConfig& config) {
  std::vector<int64_t> all;
  for (const LayerConfig& layer : config.layers) all.push_back(layer.sliding_window);
  return all;
}

TEST(GgufConfig, Llama) {
  const ModelConfig config = read(file_of("llama"));
  EXPECT_EQ(config.family, "llama");
  EXPECT_EQ(config.hidden_size, 8);
  EXPECT_EQ(config.intermediate_size, 12);
  EXPECT_EQ(config.num_layers, 3);
  EXPECT_EQ(config.num_attention_heads, 2);
  EXPECT_EQ(config.num_key_value_heads, 2);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.vocab_size, 5);
  EXPECT_EQ(config.max_position_embeddings, 64);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_FALSE(config.qkv_bias || config.mlp_bias);
  EXPECT_EQ(windows(config), std::vector<int64_t>(3, 0));
}

TEST(GgufConfig, TensorsSayWhatKeysDoNot) {
  const ModelConfig config = read(file_of("llama", [](GgufBytes& file) {
    file.tensor("output.weight", {8, 5}, kF32, std::string(160, '\0'));
    file.tensor("blk.0.attn_q.bias", {8}, kF32, std::string(32, '\0'));
    file.tensor("blk.0.ffn_gate.bias", {12}, kF32, std::string(48, '\0'));
  }));
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_TRUE(config.qkv_bias && config.o_bias && config.mlp_bias);
}

TEST(GgufConfig, LlamaWithAWindowIsMistral) {
  const ModelConfig config = read(file_of("llama", [](GgufBytes& file) {
    file.number("llama.attention.sliding_window", uint32_t{16});
  }));
  EXPECT_EQ(config.family, "mistral");
  EXPECT_EQ(windows(config), std::vector<int64_t>(3, 16));
}

TEST(GgufConfig, Qwen) {
  EXPECT_TRUE(read(file_of("qwen2")).qkv_bias);
  const ModelConfig config = read(file_of("qwen3", [](GgufBytes& file) {
    file.number("qwen3.attention.head_count_kv", uint32_t{1});
    file.number("qwen3.attention.key_length", uint32_t{16});
    file.number("qwen3.attention.value_length", uint32_t{16});
  }));
  EXPECT_TRUE(config.qk_norm);
  EXPECT_EQ(config.num_key_value_heads, 1);
  EXPECT_EQ(config.head_dim, 16);
}

TEST(GgufConfig, Gemma3) {
  const auto sliding = [](GgufBytes& file) {
    file.number("gemma3.attention.sliding_window", uint32_t{16});
  };
  const ModelConfig usual = read(file_of("gemma3", sliding));
  EXPECT_EQ(usual.family, "gemma3_text");
  EXPECT_EQ(usual.attention_scale, 0.5);  // head_dim 4
  EXPECT_EQ(windows(usual), std::vector<int64_t>(3, 16));
  const ModelConfig period = read(file_of("gemma3", [&](GgufBytes& file) {
    sliding(file);
    file.number("gemma3.attention.sliding_window_pattern", uint32_t{2});
    file.number("gemma3.rope.freq_base_swa", 400.0F);
  }));
  EXPECT_EQ(windows(period), (std::vector<int64_t>{16, 0, 16}));
  EXPECT_NEAR(period.ropes[1].inv_freq[1], 0.05, 1e-8);
  const ModelConfig listed = read(file_of("gemma3", [&](GgufBytes& file) {
    sliding(file);
    file.list("gemma3.attention.sliding_window_pattern", kBoolType, 3, {"\0\0\1", 3});
  }));
  EXPECT_EQ(windows(listed), (std::vector<int64_t>{0, 0, 16}));
}

TEST(GgufConfig, Ropes) {
  const auto frequency = [](auto add) { return read(file_of("llama", add)).ropes[0].inv_freq[1]; };
  const auto base = [](GgufBytes& file) { file.number("llama.rope.freq_base", 1e4F); };
  EXPECT_NEAR(frequency(base), 0.01, 1e-9);
  EXPECT_NEAR(frequency([&](GgufBytes& file) {
                base(file);
                file.text("llama.rope.scaling.type", "linear");
                file.number("llama.rope.scaling.factor", 4.0F);
              }),
              0.0025, 1e-9);
  EXPECT_NEAR(frequency([&](GgufBytes& file) {
                base(file);
                file.tensor("rope_freqs.weight", {2}, kF32, floats({1, 8}));
              }),
              0.00125, 1e-9);
  for (const auto& factors : {std::vector<float>{1}, {1, 0}, {1, NAN}, {1, INFINITY}, {1, 2, 3}}) {
    const std::string bytes = file_of("llama", [&](GgufBytes& file) {
      file.tensor("rope_freqs.weight", {factors.size()}, kF32, floats(factors));
    });
    EXPECT_EQ(gguf_model_config(*GgufFile::over(bytes)).status().code(), Code::kDataLoss);
  }
}

TEST(GgufConfig, RefusesWhatItCannotRunByName) {
  const auto nothing = [](GgufBytes&) {};
  EXPECT_EQ(refusal("phi3", nothing),
            "it: general.architecture is \"phi3\"; allowed: llama, qwen2, qwen3, gemma3");
  const auto key = [](const char* name, uint32_t value) {
    return refusal("llama", [&](GgufBytes& file) { file.number(name, value); });
  };
  EXPECT_EQ(key("split.count", 3),
            "it: split.count is 3; allowed: 1; the parts of a split file must be joined first");
  EXPECT_EQ(key("llama.expert_count", 8), "it: llama.expert_count is 8; allowed: 0");
  EXPECT_EQ(key("llama.rope.dimension_count", 2),
            "it: llama.rope.dimension_count is 2; allowed: 4");
  EXPECT_THAT(key("llama.pooling_type", 1), HasSubstr("llama.pooling_type is not supported"));
  EXPECT_THAT(key("general.quantization_version", 1), HasSubstr("allowed: 2"));
  const std::string yarn =
      refusal("qwen3", [](GgufBytes& file) { file.text("qwen3.rope.scaling.type", "yarn"); });
  EXPECT_EQ(yarn, "it: qwen3.rope.scaling.type is \"yarn\"; allowed: none, linear");
  EXPECT_EQ(refusal("gemma3", nothing),
            "it: gemma3.attention.sliding_window is missing; allowed: a whole number from 1 to "
            "2147483648");
  EXPECT_THAT(refusal("llama", [](GgufBytes& file) { file.text("general.type", "adapter"); }),
              HasSubstr("general.type is \"adapter\"; allowed: \"model\""));
}

TEST(GgufWeights, UndoesThePermutationOfLlama) {
  const std::string bytes = file_of("llama", [](GgufBytes& file) {
    file.tensor("blk.1.attn_q.bias", {8}, kF32, floats({0, 1, 2, 3, 4, 5, 6, 7}));
    file.tensor("blk.1.attn_v.bias", {8}, kF32, floats({0, 1, 2, 3, 4, 5, 6, 7}));
    file.tensor("blk.1.attn_k.weight", {1, 4}, kF32, floats({0, 1, 2, 3}));
  });
  GgufWeights weights(*GgufFile::over(bytes), read(bytes));
  const auto values = [&](const char* name, const std::vector<int64_t>& shape) {
    const at::Tensor flat = weights.take(name, shape, at::kFloat)->flatten();
    return std::vector<float>(flat.const_data_ptr<float>(),
                              flat.const_data_ptr<float>() + flat.numel());
  };
  EXPECT_THAT(values("model.layers.1.self_attn.q_proj.bias", {8}),
              ElementsAre(0, 2, 1, 3, 4, 6, 5, 7));
  EXPECT_THAT(values("model.layers.1.self_attn.k_proj.weight", {4, 1}), ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(values("model.layers.1.self_attn.v_proj.bias", {8}),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(GgufWeights, TakesTheOneOffGemmasNorms) {
  const auto both = [](GgufBytes& file) {
    file.number("gemma3.attention.sliding_window", uint32_t{16});
    file.tensor("blk.2.post_attention_norm.weight", {2}, kF32, floats({1.5, 3}));
    file.tensor("blk.2.attn_q.weight", {1, 4}, kF32, floats({0, 1, 2, 3}));
  };
  const std::string bytes = file_of("gemma3", both);
  GgufWeights weights(*GgufFile::over(bytes), read(bytes));
  const auto norm = weights.take("model.layers.2.post_attention_layernorm.weight", {2}, at::kFloat);
  EXPECT_TRUE(at::equal(*norm, at::tensor({0.5, 2.0}, at::kFloat)));
  const auto query = weights.take("model.layers.2.self_attn.q_proj.weight", {4, 1}, at::kFloat);
  EXPECT_TRUE(at::equal(*query, at::arange(4, at::kFloat).view({4, 1})));
}

TEST(GgufWeights, NamesWhatIsMissingWrongOrLeft) {
  const std::string bytes = file_of("llama", [](GgufBytes& file) {
    file.tensor("blk.0.ffn_gate_inp.weight", {8}, kF32, std::string(32, '\0'));
    file.tensor("rope_freqs.weight", {2}, kF32, floats({1, 1}));
  });
  GgufWeights weights(*GgufFile::over(bytes), read(bytes));
  const auto why = [&](const char* name, const std::vector<int64_t>& shape) {
    return weights.take(name, shape, at::kFloat).status().to_string();
  };
  EXPECT_EQ(why("model.norm.weight", {8}), "DATA_LOSS: it has no tensor output_norm.weight");
  EXPECT_THAT(why("model.embed_tokens.weight", {8, 5}),
              HasSubstr("tensor token_embd.weight has shape [5,8]; its metadata ask for [8,5]"));
  EXPECT_EQ(weights.finish().to_string(),
            "INVALID_ARGUMENT: it: tensor \"blk.0.ffn_gate_inp.weight\" is not part of a llama "
            "model as its metadata describe it");
}

TEST(ModelPath, FindsFolderOrFile) {
  const ScratchFolder scratch;
  EXPECT_EQ(find_model(scratch.path() / "no").status().code(), Code::kNotFound);
  EXPECT_TRUE(find_model(scratch.path())->gguf.empty());
  const auto file = scratch.write("m.gguf", "");
  EXPECT_EQ(find_model(scratch.path())->gguf, file);
  EXPECT_EQ(find_model(file)->gguf, file);
  EXPECT_EQ(find_model(file)->folder, scratch.path());
  scratch.write("n.gguf", "");
  EXPECT_THAT(find_model(scratch.path()).status().message(),
              HasSubstr("holds 2 GGUF files, m.gguf and n.gguf; allowed: one"));
  const auto other = scratch.write("model.safetensors", "");
  EXPECT_TRUE(find_model(scratch.path())->gguf.empty());
  EXPECT_EQ(find_model(other).status().code(), Code::kInvalidArgument);
}

TEST(ModelPath, AFileAloneHasNoTokenizer) {
  const ScratchFolder scratch;
  const auto file = scratch.write("m.gguf", "");
  for (const auto& model : {file, scratch.path()}) {
    const Status status = load_codec(model).status();
    EXPECT_EQ(status.code(), Code::kNotFound);
    EXPECT_THAT(status.message(), HasSubstr("m.gguf has no tokenizer.json beside it; allowed:"));
  }
}

}  // namespace
}  // namespace prefixmem::trainer
