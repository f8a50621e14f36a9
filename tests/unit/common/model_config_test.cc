// Reading config.json of both ages, and what is refused.
#include "common/model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace prefixmem {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::HasSubstr;

json llama() {
  return {{"model_type", "llama"},
          {"hidden_size", 64},
          {"intermediate_size", 172},
          {"num_hidden_layers", 5},
          {"num_attention_heads", 8},
          {"vocab_size", 512},
          {"hidden_act", "silu"},
          {"num_key_value_heads", 4},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 500000.0},
          {"max_position_embeddings", 512},
          {"torch_dtype", "float32"},
          {"use_cache", true}};
}

json qwen2() {
  json config = llama();
  config["model_type"] = "qwen2";
  return config;
}

json qwen3() {
  json config = llama();
  config["model_type"] = "qwen3";
  return config;
}

json mistral() {
  json config = llama();
  config["model_type"] = "mistral";
  return config;
}

json gemma3() {
  return {{"model_type", "gemma3_text"}, {"hidden_size", 640},       {"intermediate_size", 2048},
          {"num_hidden_layers", 7},      {"num_attention_heads", 4}, {"vocab_size", 262144},
          {"num_key_value_heads", 1},    {"head_dim", 256},          {"query_pre_attn_scalar", 64},
          {"sliding_window", 512}};
}

ModelConfig read(const json& config) {
  const auto read = parse_model_config(config.dump());
  if (!read.ok()) throw std::runtime_error(read.status().to_string());
  return *read;
}

// The message of a config that is refused for what it says.
std::string refusal(const json& config) {
  const Status status = parse_model_config(config.dump()).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.to_string();
  return status.message();
}

std::string refusal(json config, const json& change) {
  config.update(change);
  return refusal(config);
}

std::vector<int64_t> windows(const ModelConfig& config) {
  std::vector<int64_t> all;
  for (const LayerConfig& layer : config.layers) all.push_back(layer.sliding_window);
  return all;
}

TEST(Config, Llama) {
  const ModelConfig config = read(llama());
  EXPECT_EQ(config.family, "llama");
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.num_key_value_heads, 4);
  EXPECT_EQ(config.query_size(), 64);
  EXPECT_EQ(config.key_value_size(), 32);
  EXPECT_EQ(config.max_position_embeddings, 512);
  EXPECT_EQ(config.activation, Activation::kSilu);
  EXPECT_EQ(config.norm_offset, 0);
  EXPECT_EQ(config.embedding_scale, 1);
  EXPECT_DOUBLE_EQ(config.attention_scale, 1 / std::sqrt(8.0));
  EXPECT_FALSE(config.qkv_bias || config.o_bias || config.mlp_bias);
  EXPECT_FALSE(config.tie_word_embeddings || config.qk_norm || config.sandwich_norms);
  EXPECT_EQ(windows(config), std::vector<int64_t>(5, 0));
  ASSERT_EQ(config.ropes.size(), 1);
  EXPECT_EQ(config.ropes[0].inv_freq.size(), 4);
  EXPECT_THAT(config.ropes[0].inv_freq[1], DoubleNear(std::pow(500000, -0.25), 1e-8));
}

TEST(Config, LlamaBiases) {
  json config = llama();
  config.update({{"attention_bias", true}, {"mlp_bias", true}, {"tie_word_embeddings", true}});
  EXPECT_TRUE(read(config).qkv_bias && read(config).o_bias && read(config).mlp_bias);
  EXPECT_TRUE(read(config).tie_word_embeddings);
}

TEST(Config, QueryHeadsWhereNoKeyValueHeadsAreGiven) {
  json config = llama();
  config["num_key_value_heads"] = nullptr;
  EXPECT_EQ(read(config).num_key_value_heads, 8);
}

TEST(Config, BothAgesOfRopeAgree) {
  const json scaling = {{"rope_type", "llama3"},
                        {"factor", 8.0},
                        {"low_freq_factor", 1.0},
                        {"high_freq_factor", 4.0},
                        {"original_max_position_embeddings", 64}};
  json older = llama(), newer = llama();
  older["rope_scaling"] = scaling;
  newer.erase("rope_theta");
  newer["rope_parameters"] = scaling;
  newer["rope_parameters"]["rope_theta"] = 500000.0;
  EXPECT_EQ(read(older).ropes[0].inv_freq, read(newer).ropes[0].inv_freq);
  EXPECT_NE(read(older).ropes[0].inv_freq, read(llama()).ropes[0].inv_freq);
}

TEST(Config, LinearRope) {
  json config = llama();
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 4}};
  const auto plain = read(llama()).ropes[0].inv_freq;
  const auto scaled = read(config).ropes[0].inv_freq;
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(scaled[i], plain[i] / 4);
}

// Values of transformers' llama3 function for theta 10000, head_dim 8.
TEST(Config, Llama3RopeKeepsShortWavesAndStretchesLongOnes) {
  json config = llama();
  config["rope_theta"] = 10000.0;
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 128}};
  const auto frequencies = read(config).ropes[0].inv_freq;
  EXPECT_EQ(frequencies[0], 1);
  const double smooth = (128 * 0.1 / (2 * M_PI) - 1) / 3;
  EXPECT_THAT(frequencies[1], DoubleNear((1 - smooth) * 0.1 / 8 + smooth * 0.1, 1e-8));
  EXPECT_THAT(frequencies[2], DoubleNear(0.01 / 8, 1e-9));
  EXPECT_THAT(frequencies[3], DoubleNear(0.001 / 8, 1e-10));
}

TEST(Config, Qwen2HasBiasesAndSlidesOnlyWhereTold) {
  json config = qwen2();
  config.update({{"sliding_window", 16}, {"max_window_layers", 3}});
  EXPECT_TRUE(read(config).qkv_bias);
  EXPECT_FALSE(read(config).o_bias);
  EXPECT_EQ(windows(read(config)), std::vector<int64_t>(5, 0));
  config["use_sliding_window"] = true;
  EXPECT_EQ(windows(read(config)), (std::vector<int64_t>{0, 0, 0, 16, 16}));
  config["sliding_window"] = nullptr;
  EXPECT_EQ(windows(read(config)), std::vector<int64_t>(5, 0));
}

TEST(Config, Qwen2LayerTypesWin) {
  json config = qwen2();
  config.update({{"sliding_window", 16}, {"use_sliding_window", true}});
  const char* const full = "full_attention";
  const char* const sliding = "sliding_attention";
  config["layer_types"] = {sliding, full, full, full, sliding};
  EXPECT_EQ(windows(read(config)), (std::vector<int64_t>{16, 0, 0, 0, 16}));
  EXPECT_THAT(refusal(config, {{"use_sliding_window", false}}), HasSubstr("use_sliding_window"));
}

TEST(Config, WhatQwenTakesWhereHeadsAreNotGiven) {
  json config = qwen2();
  config.update({{"num_attention_heads", 64}, {"head_dim", 8}, {"num_key_value_heads", nullptr}});
  EXPECT_EQ(read(config).num_key_value_heads, 64);
  config.erase("num_key_value_heads");
  EXPECT_EQ(read(config).num_key_value_heads, 32);
  config["num_attention_heads"] = 8;
  EXPECT_THAT(refusal(config), HasSubstr("num_key_value_heads is missing"));
}

TEST(Config, Qwen3NormsQueriesAndKeys) {
  const ModelConfig config = read(qwen3());
  EXPECT_EQ(config.family, "qwen3");
  EXPECT_TRUE(config.qk_norm);
  EXPECT_FALSE(config.qkv_bias || config.o_bias || config.mlp_bias || config.sandwich_norms);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_DOUBLE_EQ(config.attention_scale, 1 / std::sqrt(128.0));
  EXPECT_EQ(config.query_size(), 1024);
  EXPECT_EQ(windows(config), std::vector<int64_t>(5, 0));
  json changed = qwen3();
  changed.update({{"attention_bias", true}, {"head_dim", 16}, {"max_window_layers", 4}});
  changed.update({{"use_sliding_window", true}, {"sliding_window", 7}});
  EXPECT_TRUE(read(changed).qkv_bias && read(changed).o_bias);
  EXPECT_EQ(read(changed).head_dim, 16);
  EXPECT_EQ(windows(read(changed)), (std::vector<int64_t>{0, 0, 0, 0, 7}));
}

TEST(Config, MistralSlidesInEveryLayer) {
  json config = mistral();
  config.erase("num_key_value_heads");
  EXPECT_EQ(read(config).family, "mistral");
  EXPECT_EQ(read(config).num_key_value_heads, 8);
  EXPECT_EQ(windows(read(config)), std::vector<int64_t>(5, 4096));
  config["sliding_window"] = 16;
  EXPECT_EQ(windows(read(config)), std::vector<int64_t>(5, 16));
  EXPECT_FALSE(read(config).qkv_bias || read(config).qk_norm);
  config["sliding_window"] = nullptr;
  EXPECT_EQ(windows(read(config)), std::vector<int64_t>(5, 0));
}

TEST(Config, MistralRefusesLayersThatTransformersWouldNotBuild) {
  const json full = std::vector<std::string>(5, "full_attention");
  EXPECT_THAT(refusal(mistral(), {{"layer_types", full}}),
              HasSubstr("allowed: a list of 5, each one of sliding_attention"));
  json config = mistral();
  config.update({{"layer_types", full}, {"sliding_window", nullptr}});
  EXPECT_EQ(windows(read(config)), std::vector<int64_t>(5, 0));
  EXPECT_EQ(refusal(mistral(), {{"attention_bias", true}}),
            "attention_bias is true; allowed: false");
}

TEST(Config, Gemma3) {
  const ModelConfig config = read(gemma3());
  EXPECT_EQ(config.norm_offset, 1);
  EXPECT_EQ(config.activation, Activation::kGeluTanh);
  EXPECT_DOUBLE_EQ(config.embedding_scale, std::sqrt(640.0));
  EXPECT_EQ(config.attention_scale, 0.125);
  EXPECT_TRUE(config.qk_norm && config.sandwich_norms && config.tie_word_embeddings);
  EXPECT_EQ(windows(config), (std::vector<int64_t>{512, 512, 512, 512, 512, 0, 512}));
  EXPECT_EQ(config.layers[0].rope, 1);
  EXPECT_EQ(config.layers[5].rope, 0);
  EXPECT_EQ(config.ropes[0].inv_freq.size(), 128);
  EXPECT_THAT(config.ropes[0].inv_freq[64], DoubleNear(1e-3, 1e-9));
  EXPECT_THAT(config.ropes[1].inv_freq[64], DoubleNear(1e-2, 1e-8));
}

TEST(Config, BothAgesOfGemma3Agree) {
  json older = gemma3(), newer = gemma3();
  older.update({{"sliding_window_pattern", 2},
                {"rope_theta", 2e6},
                {"rope_local_base_freq", 3e4},
                {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}}});
  for (int i = 0; i < 7; ++i) {
    newer["layer_types"].push_back(i % 2 == 0 ? "sliding_attention" : "full_attention");
  }
  newer["rope_parameters"] = {
      {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 2e6}}},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 3e4}}}};
  const ModelConfig a = read(older), b = read(newer);
  EXPECT_EQ(windows(a), windows(b));
  EXPECT_EQ(a.ropes[0].inv_freq, b.ropes[0].inv_freq);
  EXPECT_EQ(a.ropes[1].inv_freq, b.ropes[1].inv_freq);
}

TEST(Config, RefusesWhatItCannotRunByName) {
  EXPECT_EQ(refusal(llama(), {{"model_type", "gemma3"}}),
            "model_type is \"gemma3\"; allowed: llama, mistral, qwen2, qwen3, gemma3_text");
  EXPECT_EQ(refusal(llama(), {{"hidden_act", "relu"}}),
            "hidden_act is \"relu\"; allowed: silu, gelu_pytorch_tanh");
  EXPECT_EQ(refusal(llama(), {{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2}}}}),
            "rope_scaling.rope_type is \"dynamic\"; allowed: default, linear, llama3");
  EXPECT_EQ(refusal(gemma3(), {{"final_logit_softcapping", 30.0}}),
            "final_logit_softcapping is 30.0; allowed: null");
  EXPECT_EQ(refusal(gemma3(), {{"use_bidirectional_attention", true}}),
            "use_bidirectional_attention is true; allowed: false");
  EXPECT_THAT(refusal(llama(), {{"quantization_config", {{"bits", 4}}}}),
              HasSubstr("quantization_config is {\"bits\":4}; allowed: null"));
  EXPECT_THAT(refusal(llama(), {{"partial_rotary_factor", 0.5}}),
              HasSubstr("partial_rotary_factor is 0.5"));
  EXPECT_EQ(refusal(qwen2(), {{"attention_dropout", 0.1}}),
            "attention_dropout is 0.1; allowed: 0.0");
  EXPECT_EQ(refusal(mistral(), {{"num_local_experts", 8}}),
            "num_local_experts is 8; allowed: null");
  for (const char* type : {"yarn", "longrope", "su"}) {
    EXPECT_EQ(refusal(qwen3(), {{"rope_parameters", {{"rope_type", type}}}}),
              "rope_parameters.rope_type is \"" + std::string(type) +
                  "\"; allowed: default, linear, llama3");
  }
  EXPECT_THAT(refusal(gemma3(), {{"rope_parameters", {{"rope_theta", 1e4}}}}),
              HasSubstr("rope_parameters.rope_theta is not supported"));
  EXPECT_THAT(refusal(llama(), {{"rope_scaling", {{"mrope_section", {1, 2}}}}}),
              HasSubstr("rope_scaling.mrope_section is not supported"));
}

TEST(Config, RefusesBadValuesByName) {
  const json bad[] = {{{"hidden_size", 0}},
                      {{"hidden_size", "64"}},
                      {{"hidden_size", 1e3}},
                      {{"hidden_size", nullptr}},
                      {{"hidden_size", -1}},
                      {{"hidden_size", 1LL << 40}},
                      {{"num_hidden_layers", 5000}},
                      {{"num_attention_heads", true}},
                      {{"rms_norm_eps", 0}},
                      {{"tie_word_embeddings", "yes"}},
                      {{"rope_theta", -1}},
                      {{"vocab_size", 1.5}},
                      {{"layer_types", {"full_attention"}}},
                      {{"head_dim", 7}},
                      {{"head_dim", 4098}},
                      {{"num_key_value_heads", 3}},
                      {{"rope_scaling", 4}}};
  for (const json& change : bad) {
    const std::string key = change.begin().key();
    EXPECT_THAT(refusal(llama(), change), AllOf(HasSubstr(key), HasSubstr("allowed"))) << change;
  }
  EXPECT_THAT(refusal(llama(), {{"num_attention_heads", 7}, {"num_key_value_heads", 7}}),
              HasSubstr("hidden_size is 64; allowed: a multiple of num_attention_heads"));
  EXPECT_THAT(
      refusal(llama(),
              {{"num_attention_heads", 1}, {"num_key_value_heads", 1}, {"hidden_size", 1 << 24}}),
      HasSubstr("num_attention_heads is 1; allowed: so many that each has at most 4096"));
}

TEST(Config, RefusesTextThatIsNoConfig) {
  for (const char* text : {"", "[]", "3", "{", "{\"a\":1,\"a\":2}", "{\"a\":1e999}", "\xff"}) {
    EXPECT_EQ(parse_model_config(text).status().code(), Code::kDataLoss) << text;
  }
  const std::string deep(100000, '[');
  EXPECT_THAT(parse_model_config("{\"a\":" + deep).status().message(), HasSubstr("deep"));
}

}  // namespace
}  // namespace prefixmem
