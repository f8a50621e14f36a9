// What ragged batches promise: a row costs and gives the same in any company.
#include "worker/trainer/model/transformer.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <random>

#include "tests/unit/trainer/tiny_transformer.h"

namespace prefixmem::trainer {
namespace {

std::vector<int32_t> tokens_of(int64_t count, int32_t start) {
  std::vector<int32_t> tokens(count);
  for (int64_t i = 0; i < count; ++i) tokens[i] = static_cast<int32_t>((start + 7 * i) % 40);
  return tokens;
}

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

torch::Tensor all_rows(const RaggedBatch& batch) {
  return torch::arange(batch.token_count(), torch::kLong);
}

RaggedBatch batch_of(const std::vector<std::vector<int32_t>>& rows) {
  RaggedBuilder builder;
  for (const auto& row : rows) builder.add(row);
  return std::move(builder).build();
}

void expect_close(const torch::Tensor& got, const torch::Tensor& want) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LT((got - want).abs().max().item<double>(), 2e-5);
}

class TransformerTest : public testing::TestWithParam<bool> {
 protected:
  const std::unique_ptr<Transformer> model = tiny_transformer(GetParam());
  TinyAdapter adapter{model->config()};
};

TEST_P(TransformerTest, RowsDoNotSeeEachOther) {
  const auto one = tokens_of(11, 3), two = tokens_of(6, 9);
  const auto both = batch_of({one, two});
  const auto alone = batch_of({two});
  const auto hidden = model->hidden(both, &adapter, all_rows(both));
  expect_close(hidden.slice(0, 11), model->hidden(alone, &adapter, all_rows(alone)));
}

TEST_P(TransformerTest, SharedBeginningsAreExactWithGradients) {
  const auto prompt = tokens_of(9, 1), left = tokens_of(4, 20), right = tokens_of(3, 5);
  RaggedBuilder shared;
  const int32_t root = shared.add(prompt);
  for (const auto& tail : {left, right}) {
    const int32_t leaf = shared.add(tail, root);
    shared.label(root, -1, tail[0]);
    for (size_t i = 0; i + 1 < tail.size(); ++i) shared.label(leaf, i, tail[i + 1]);
  }
  RaggedBuilder separate;
  for (const auto& tail : {left, right}) {
    const int32_t row = separate.add(joined(prompt, tail));
    separate.label(row, 8, tail[0]);
    for (size_t i = 0; i + 1 < tail.size(); ++i) separate.label(row, 9 + i, tail[i + 1]);
  }
  const std::vector<torch::Tensor> parameters = {adapter.parameters()[0].value,
                                                 adapter.parameters()[1].value};
  const auto score = [&](const RaggedBatch& batch) {
    const auto hidden = model->hidden(batch, &adapter, batch.label_sources);
    const auto scores = model->token_log_probs(hidden, batch.label_ids);
    return std::pair(scores.detach(), torch::autograd::grad({scores.sum()}, parameters));
  };
  const auto [scores, gradients] = score(std::move(shared).build());
  const auto [wanted, wanted_gradients] = score(std::move(separate).build());
  expect_close(scores, wanted);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const double error = (gradients[i] - wanted_gradients[i]).norm().item<double>();
    EXPECT_LT(error, 1e-5 * wanted_gradients[i].norm().item<double>());
  }
}

TEST_P(TransformerTest, SourcesPickRowsInAnyOrder) {
  const auto batch = batch_of({tokens_of(8, 2), tokens_of(5, 30)});
  const auto sources = torch::tensor({12, 3, 3, 0}, torch::kLong);
  const auto all = model->hidden(batch, &adapter, all_rows(batch));
  expect_close(model->hidden(batch, &adapter, sources), all.index_select(0, sources));
  EXPECT_EQ(model->hidden(batch, &adapter, torch::empty({0}, torch::kLong)).size(0), 0);
}

TEST_P(TransformerTest, GenerationMatchesTheWholeRow) {
  const auto row = tokens_of(300, 4);
  const auto batch = batch_of({row});
  const torch::NoGradGuard no_grad;
  const auto hidden = model->hidden(batch, &adapter, all_rows(batch));
  const auto cache = model->new_cache();
  const auto extend = [&](int64_t begin, int64_t end) {
    return model->extend(*cache, {row.begin() + begin, row.begin() + end}, &adapter);
  };
  expect_close(extend(0, 6), hidden.slice(0, 5, 6));
  expect_close(extend(6, 7), hidden.slice(0, 6, 7));
  expect_close(extend(7, 280), hidden.slice(0, 279, 280));
  for (int64_t i = 280; i < 300; ++i) expect_close(extend(i, i + 1), hidden.slice(0, i, i + 1));
}

TEST_P(TransformerTest, RowsExtendTogetherAsAlone) {
  const auto start = tokens_of(9, 2);
  const std::vector<std::vector<int32_t>> parts = {tokens_of(300, 3), tokens_of(1, 8),
                                                   tokens_of(6, 5)};
  const auto begun = model->new_cache();
  model->extend(*begun, start, &adapter);
  std::vector<std::shared_ptr<RowCache>> rows = {model->copy(*begun), model->new_cache(), begun};
  std::vector<RowCache*> caches;
  for (const auto& row : rows) caches.push_back(row.get());
  for (int round = 0; round < 3; ++round) {
    const auto together = model->extend_rows(caches, parts, &adapter);
    for (size_t i = 0; i < parts.size(); ++i) {
      std::vector<int32_t> whole = i == 1 ? std::vector<int32_t>() : start;
      for (int k = 0; k <= round; ++k) whole = joined(whole, parts[i]);
      const auto alone = model->new_cache();
      const auto row = static_cast<int64_t>(i);
      expect_close(together.slice(0, row, row + 1), model->extend(*alone, whole, &adapter));
      EXPECT_EQ(rows[i]->length, static_cast<int64_t>(whole.size()));
    }
  }
}

TEST_P(TransformerTest, RecordsNoGraphBelowTheFirstAdapter) {
  const auto batch = batch_of({tokens_of(8, 2)});
  TinyAdapter late(model->config(), 2);
  const auto sources = all_rows(batch);
  EXPECT_FALSE(model->hidden(batch, nullptr, sources).requires_grad());
  const auto depth = [&](Adapter& which) {
    int64_t nodes = 0;
    const auto hidden = model->hidden(batch, &which, sources);
    std::vector<torch::autograd::Node*> open = {hidden.grad_fn().get()};
    while (!open.empty()) {
      auto* node = open.back();
      open.pop_back();
      ++nodes;
      for (const auto& edge : node->next_edges()) {
        if (edge.function) open.push_back(edge.function.get());
      }
    }
    return nodes;
  };
  EXPECT_LT(3 * depth(late), depth(adapter));
}

TEST_P(TransformerTest, ScoresAreLogSoftmaxOfLogits) {
  const auto batch = batch_of({tokens_of(8, 2)});
  const auto hidden = model->hidden(batch, nullptr, all_rows(batch));
  const auto ids = torch::arange(8, torch::kLong);
  const auto plain = model->logits(hidden).log_softmax(1).gather(1, ids.unsqueeze(1)).squeeze(1);
  expect_close(model->token_log_probs(hidden, ids), plain);
}

// A prefix that is the keys and values of tokens: the rest of a row is as if they were there.
class GivenPrefix : public TinyAdapter {
 public:
  GivenPrefix(Transformer& model, const std::vector<int32_t>& tokens)
      : TinyAdapter(model.config()), length_(static_cast<int64_t>(tokens.size())) {
    const auto cache = model.new_cache();
    model.extend(*cache, tokens, nullptr);
    for (int64_t layer = 0; layer < model.config().num_layers; ++layer) {
      prefix_.push_back({cache->keys(layer, length_), cache->values(layer, length_)});
    }
  }
  torch::Tensor linear_delta(const LinearCall&) override { return {}; }
  torch::Tensor attention_delta(int64_t, const Queries&) override { return {}; }
  int64_t prefix_length() const override { return length_; }
  std::vector<Prefix> prefix(torch::Dtype) override { return prefix_; }

 private:
  const int64_t length_;
  std::vector<Prefix> prefix_;
};

TEST_P(TransformerTest, APrefixOfComputedTokensActsAsTheTokens) {
  const auto before = tokens_of(7, 2), row = tokens_of(9, 5), other = tokens_of(4, 30);
  GivenPrefix prefix(*model, before);
  RaggedBuilder behind;
  const int32_t root = behind.add(row);
  behind.add(other, root);
  behind.add(other);
  const auto batch = std::move(behind).build();
  const auto whole = batch_of({joined(joined(before, row), other), joined(before, other)});
  const auto got = model->hidden(batch, &prefix, all_rows(batch));
  const auto want = model->hidden(whole, nullptr, all_rows(whole));
  expect_close(got.slice(0, 0, 13), want.slice(0, 7, 20));
  expect_close(got.slice(0, 13, 17), want.slice(0, 27, 31));
}

TEST_P(TransformerTest, GenerationBeginsWithThePrefix) {
  const auto row = tokens_of(12, 5);
  GivenPrefix prefix(*model, tokens_of(7, 2));
  const auto batch = batch_of({row});
  const auto hidden = model->hidden(batch, &prefix, all_rows(batch));
  const auto cache = model->new_cache();
  const auto extend = [&](int64_t begin, int64_t end) {
    return model->extend(*cache, {row.begin() + begin, row.begin() + end}, &prefix);
  };
  expect_close(extend(0, 6), hidden.slice(0, 5, 6));
  for (int64_t i = 6; i < 12; ++i) expect_close(extend(i, i + 1), hidden.slice(0, i, i + 1));
  EXPECT_EQ(cache->length, 7 + 12);
}

// A tree that grows below any of its segments is as if it had been there at once.
void expect_grows(Transformer& model, Adapter& adapter, bool few) {
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): equal on every run
  const auto cache = model.new_cache();
  std::vector<Segment> segments;
  RaggedBuilder whole;
  std::vector<torch::Tensor> parts;
  for (int round = 0; round < 5; ++round) {
    RaggedBuilder more(segments);
    const int64_t before = whole.token_count();
    for (int i = 0; i < (few ? 2 : 30); ++i) {
      const auto count = static_cast<int64_t>(segments.size());
      const auto parent =
          round == 0 ? -1 : static_cast<int32_t>(random() % static_cast<uint32_t>(count));
      const auto length = static_cast<int64_t>(1 + random() % (few ? 70 : 9));
      const auto tokens = tokens_of(length, static_cast<int32_t>(random() % 30));
      ASSERT_EQ(more.add(tokens, parent), whole.add(tokens, parent));
    }
    RaggedBatch batch = std::move(more).build();
    const int64_t count = batch.token_count();
    // In any order, and one twice.
    batch.label_sources = torch::cat(
        {torch::arange(count, torch::kLong).flip(0), torch::tensor({count / 2}, torch::kLong)});
    EXPECT_EQ(batch.first_segment, static_cast<int64_t>(segments.size()));
    const torch::Tensor hidden = model.grow(*cache, batch, &adapter);
    EXPECT_FALSE(hidden.requires_grad());
    expect_close(hidden[count], hidden[count - 1 - count / 2]);
    parts.push_back(hidden.slice(0, 0, count).flip(0));
    EXPECT_EQ(whole.token_count(), before + count);
    segments = std::move(batch.segments);
  }
  const torch::NoGradGuard no_grad;
  const auto batch = std::move(whole).build();
  expect_close(torch::cat(parts), model.hidden(batch, &adapter, all_rows(batch)));
}

TEST_P(TransformerTest, ATreeGrowsAsIfItWereThereAtOnce) {
  GivenPrefix prefix(*model, tokens_of(7, 2));
  for (const bool few : {false, true}) {
    expect_grows(*model, adapter, few);
    expect_grows(*model, prefix, few);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TransformerTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Windowed" : "Plain"; });

}  // namespace
}  // namespace prefixmem::trainer
