// Full fine-tuning: the decoder's weights as parameters, and the folder that they become.
#include "worker/trainer/adapters/full.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <set>

#include "common/files.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "tests/unit/trainer/tiny_transformer.h"
#include "worker/trainer/data/pack.h"
#include "worker/trainer/model/weight_folder.h"
#include "worker/trainer/model/weight_folder_writer.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class FullTest : public ::testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<FullAdapter> unfreeze() {
    return FullAdapter::make({.model = model_->config(), .decoder = model_.get()});
  }
  // A folder as the base of these parameters would have it.
  fs::path write_base(std::vector<Parameter>& parameters, torch::Dtype dtype) const {
    const fs::path base = scratch_.path() / "base";
    fs::create_directory(base);
    std::vector<TensorShape> shapes;
    for (const auto& p : parameters) shapes.push_back({p.name, dtype, p.value.sizes().vec()});
    WeightFolderWriter writer(base, shapes);
    for (const auto& p : parameters) EXPECT_TRUE(writer.append(p.value.to(dtype)).ok());
    EXPECT_TRUE(writer.finish().ok());
    EXPECT_TRUE(write_file_atomic(base / "config.json", "{\"a\": 1}").ok());
    EXPECT_TRUE(write_file_atomic(base / "tokenizer.json", "{}").ok());
    return base;
  }

  torch::Tensor loss() {
    RaggedBuilder builder;
    builder.add({1, 2, 3, 4, 5, 6, 7});
    for (int64_t i = 2; i < 7; ++i) builder.label(0, i - 1, static_cast<int32_t>(i + 10));
    const RaggedBatch batch = std::move(builder).build();
    return -model_
                ->token_log_probs(model_->hidden(batch, nullptr, batch.label_sources),
                                  batch.label_ids)
                .sum();
  }

  const ScratchFolder scratch_;
  std::unique_ptr<Transformer> model_ = tiny_transformer(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Gemma, FullTest, ::testing::Bool());

TEST_P(FullTest, EveryWeightIsALeafOnce) {
  auto full = unfreeze();
  std::set<std::string> names;
  std::set<const void*> places;
  for (const Parameter& parameter : full->parameters()) {
    EXPECT_TRUE(parameter.value.is_leaf() && parameter.value.requires_grad()) << parameter.name;
    EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name;
    EXPECT_TRUE(places.insert(parameter.value.const_data_ptr()).second) << parameter.name;
  }
  EXPECT_EQ(names.count("lm_head.weight"), GetParam() ? 0U : 1U);  // the tied one is the embedding
  EXPECT_EQ(names.count("model.layers.2.self_attn.q_proj.bias"), GetParam() ? 0U : 1U);
  EXPECT_EQ(names.count("model.layers.0.post_feedforward_layernorm.weight"), GetParam() ? 1U : 0U);
  EXPECT_EQ(full->parameters().front().name, "model.embed_tokens.weight");
}

// By central differences: the value of each tensor that moves the loss most.
TEST_P(FullTest, GradientsAreSlopesOfTheLoss) {
  auto full = unfreeze();
  loss().backward();
  const torch::NoGradGuard no_grad;
  for (Parameter& parameter : full->parameters()) {
    ASSERT_TRUE(parameter.value.grad().defined()) << parameter.name;
    const torch::Tensor gradient = parameter.value.grad().reshape({-1});
    const int64_t at = gradient.abs().argmax().item<int64_t>();
    torch::Tensor value = parameter.value.view({-1})[at];
    const float before = value.item<float>(), step = 1e-2F;
    value.fill_(before + step);
    const double above = loss().item<double>();
    value.fill_(before - step);
    const double below = loss().item<double>();
    value.fill_(before);
    const double slope = gradient[at].item<double>();
    EXPECT_NEAR(slope, (above - below) / (2 * step), 2e-2 * std::abs(slope) + 1e-3)
        << parameter.name;
  }
}

TEST_P(FullTest, ComputesWithWhatIsWrittenToThem) {
  const double before = loss().item<double>();
  auto full = unfreeze();
  EXPECT_EQ(loss().item<double>(), before);
  for (Parameter& parameter : full->parameters()) {
    const double unchanged = loss().item<double>();
    parameter.value.data().view({-1}).mul_(1.5).add_(0.1);
    EXPECT_NE(loss().item<double>(), unchanged) << parameter.name;
  }
}

TEST_P(FullTest, SavesInTheDtypeOfTheBaseAndLoads) {
  auto full = unfreeze();
  const fs::path base = write_base(full->parameters(), torch::kBFloat16);
  for (Parameter& parameter : full->parameters()) parameter.value.data().add_(0.01);
  const fs::path out = scratch_.path() / "out";
  fs::create_directory(out);
  const Status saved = full->save(out, base);
  ASSERT_TRUE(saved.ok()) << saved.message();
  EXPECT_EQ(*read_file(out / "config.json"), "{\"a\": 1}");
  EXPECT_TRUE(fs::exists(out / "tokenizer.json"));
  const auto files = WeightFolder::open(out);
  ASSERT_TRUE(files.ok());
  for (Parameter& parameter : full->parameters()) {
    const auto stored = files->take(parameter.name, parameter.value.sizes().vec());
    ASSERT_TRUE(stored.ok()) << stored.status().message();
    EXPECT_TRUE(stored->equal(parameter.value.to(torch::kBFloat16))) << parameter.name;
    parameter.value.data().zero_();
  }
  ASSERT_TRUE(full->load(out).ok());
  for (const Parameter& parameter : full->parameters()) {
    const auto stored = files->take(parameter.name, parameter.value.sizes().vec());
    EXPECT_TRUE(parameter.value.detach().equal(stored->to(torch::kFloat32))) << parameter.name;
  }
}

// A rank that does not write still answers for its part of each value.
TEST_P(FullTest, ARankWithoutAFolderAsksForEveryValue) {
  auto full = unfreeze();
  std::vector<size_t> asked;
  const auto value = [&](size_t index) -> Result<torch::Tensor> {
    asked.push_back(index);
    return torch::Tensor();
  };
  EXPECT_TRUE(full->save_values("", "nowhere", value).ok());
  EXPECT_EQ(asked.size(), full->parameters().size());
  asked.clear();
  EXPECT_EQ(full->save_values(scratch_.path(), scratch_.path() / "none", value).code(),
            Code::kNotFound);
  EXPECT_EQ(asked.size(), full->parameters().size());
}

TEST(WeightFolderWriter, CutsIntoShardsWithAnIndex) {
  const ScratchFolder scratch;
  const std::vector<TensorShape> shapes = {{"a", torch::kFloat32, {4}},
                                           {"b", torch::kFloat32, {4}},
                                           {"c", torch::kFloat32, {9}},
                                           {"d", torch::kFloat32, {}}};
  WeightFolderWriter writer(scratch.path(), shapes, 32);
  for (const TensorShape& shape : shapes) {
    ASSERT_TRUE(writer.append(torch::full(shape.shape, static_cast<double>(shape.bytes()))).ok());
  }
  ASSERT_TRUE(writer.finish().ok());
  EXPECT_TRUE(fs::exists(scratch.path() / "model-00003-of-00003.safetensors"));
  const auto files = WeightFolder::open(scratch.path());
  ASSERT_TRUE(files.ok()) << files.status().message();
  for (const TensorShape& shape : shapes) {
    EXPECT_TRUE(files->take(shape.name, shape.shape)
                    ->equal(torch::full(shape.shape, static_cast<double>(shape.bytes()))));
  }
}

TEST(SafetensorsWriter, IsWholeOrNotThere) {
  const ScratchFolder scratch;
  const fs::path file = scratch.path() / "weights.safetensors";
  {
    auto writer = SafetensorsWriter::create(file, {{"a", torch::kFloat32, {4}}}, {});
    ASSERT_TRUE(writer.ok() && writer->append(torch::ones({3})).ok());
    const auto early = writer->finish();
    EXPECT_EQ(early.status().code(), Code::kInternal);
    EXPECT_THAT(early.status().message(), HasSubstr("12 bytes of data where its header has 16"));
  }
  EXPECT_TRUE(fs::is_empty(scratch.path()));
  auto writer = SafetensorsWriter::create(file, {{"a", torch::kFloat32, {4}}},
                                          {{"sha256", std::string(SafetensorsWriter::kDigest)}});
  ASSERT_TRUE(writer.ok() && writer->append(torch::ones({1})).ok());
  ASSERT_TRUE(writer->append(torch::ones({3})).ok());
  const SafetensorsWriter::Written written = writer->finish().value();
  EXPECT_EQ(written.bytes, static_cast<int64_t>(fs::file_size(file)));
  const auto read = SafetensorsFile::open(file);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read->tensor("a")->equal(torch::ones({4})));
  EXPECT_EQ(written.digest, sha256_hex(read->data()));
  EXPECT_EQ(read->metadata().at("sha256"), written.digest);
}

}  // namespace
}  // namespace prefixmem::trainer
