#include "worker/trainer/ops/cpu/vocabulary.h"

#include <ATen/ATen.h>
#include <ATen/ceil_div.h>

#include <cmath>
#include <limits>

#include "worker/trainer/ops/cpu/matmul.h"
#include "worker/trainer/ops/cpu/tiles.h"

namespace prefixmem::trainer::cpu {
namespace {

constexpr int64_t kWords = 128;           // rows of the head multiplied at a time
constexpr int64_t kShareWords = 1 << 13;  // rows of the head that one task reads
constexpr float kLowest = -3.0e38F;

// What one share of the vocabulary says of each label: the largest logit, the sum of exp(logit -
// largest), the same times the head's rows, and the label's own logit where it is here.
struct Shares {
  torch::Tensor most, sum, own;  // fp32 [shares, width]
  torch::Tensor weighted;        // fp32 [shares, width, n], or undefined
};

class LabelBlock {
 public:
  LabelBlock(const torch::Tensor& hidden, const torch::Tensor& head, const torch::Tensor& ids,
             bool with_gradient)
      : head_(head), ids_(ids), n_(head.size(1)), width_(padded(hidden.size(0))) {
    const int64_t shares = at::ceil_div(head.size(0), kShareWords);
    const auto wide = at::TensorOptions(at::kFloat);
    shares_ = {at::full({shares, width_}, kLowest, wide),
               at::zeros({shares, width_}, wide),
               at::full({shares, width_}, kLowest, wide),
               {}};
    if (with_gradient) shares_.weighted = at::zeros({shares, width_, n_}, wide);
    const torch::Tensor rows = at::zeros({width_, n_}, hidden.options());
    rows.narrow(0, 0, hidden.size(0)).copy_(hidden);
    packed_ = at::empty({n_, width_}, hidden.options());
    matmul_kernels().pack_transposed({static_cast<const uint16_t*>(rows.data_ptr()), n_}, n_,
                                     width_, static_cast<uint16_t*>(packed_.data_ptr()));
  }

  VocabularyScores compute() {
    parallel_products(shares_.most.size(0), head_.numel() * width_,
                      [this](int64_t share) { read_share(share); });
    return join();
  }

 private:
  void read_share(int64_t share) {
    const int64_t first = share * kShareWords;
    const int64_t last = std::min(first + kShareWords, head_.size(0));
    for (int64_t word = first; word < last; word += kWords) {
      read_words(share, word, std::min(kWords, last - word));
    }
  }

  void read_words(int64_t share, int64_t word, int64_t count) {
    const Tile rows{static_cast<uint16_t*>(head_.data_ptr()) + word * n_, count, n_};
    auto* const logits = scratch<float>(Use::kScores, kWords * width_);
    tile_product(rows, {static_cast<uint16_t*>(packed_.data_ptr()), n_, width_}, logits);
    note_own(share, word, count, logits);
    const LogitBlock block{logits, count, width_};
    auto* const most = row(shares_.most, share);
    std::vector<float> before(most, most + width_);
    softmax_kernels().column_max(block, most);
    rescale(share, before);
    const Tile exps = new_tile(Use::kProbabilities, (count + 1) / 2 * 2, width_);
    softmax_kernels().column_exp(block, most, row(shares_.sum, share), exps.data);
    if (!shares_.weighted.defined()) return;
    if (count % 2 == 1) std::fill_n(exps.data + count * width_, width_, uint16_t{0});
    const Tile pairs = new_tile(Use::kPacked, exps.rows, n_);
    matmul_kernels().pack(rows.all(), count, n_, pairs.data);
    tile_product(transposed(Use::kTransposed, exps), pairs,
                 shares_.weighted.data_ptr<float>() + share * width_ * n_, true);
  }

  void note_own(int64_t share, int64_t word, int64_t count, const float* logits) {
    const auto* const ids = ids_.data_ptr<int64_t>();
    for (int64_t i = 0; i < ids_.size(0); ++i) {
      const int64_t place = ids[i] - word;
      if (place >= 0 && place < count) row(shares_.own, share)[i] = logits[place * width_ + i];
    }
  }

  // Sums relative to `before` become sums relative to the largest logits of now.
  void rescale(int64_t share, const std::vector<float>& before) {
    const float* const most = row(shares_.most, share);
    for (int64_t i = 0; i < width_; ++i) {
      if (before[i] == most[i]) continue;
      const float factor = std::exp(before[i] - most[i]);
      row(shares_.sum, share)[i] *= factor;
      if (!shares_.weighted.defined()) continue;
      float* const line = shares_.weighted.data_ptr<float>() + (share * width_ + i) * n_;
      for (int64_t j = 0; j < n_; ++j) line[j] *= factor;
    }
  }

  VocabularyScores join() const {
    const int64_t labels = ids_.size(0);
    const auto mine = [&](const torch::Tensor& x) { return x.narrow(1, 0, labels); };
    const torch::Tensor most = std::get<0>(mine(shares_.most).max(0));
    const torch::Tensor weight = (mine(shares_.most) - most).exp_();
    const torch::Tensor sum = (mine(shares_.sum) * weight).sum(0);
    VocabularyScores scores{std::get<0>(mine(shares_.own).max(0)) - most - sum.log(), {}};
    if (!shares_.weighted.defined()) return scores;
    const torch::Tensor expected = at::einsum("sl,sln->ln", {weight / sum, mine(shares_.weighted)});
    scores.gradient = head_.index_select(0, ids_).to(at::kFloat) - expected;
    return scores;
  }

  static float* row(const torch::Tensor& x, int64_t i) {
    return x.data_ptr<float>() + i * x.size(1);
  }

  const torch::Tensor head_, ids_;
  const int64_t n_, width_;
  torch::Tensor packed_;
  Shares shares_;
};

}  // namespace

bool scores_vocabulary(const torch::Tensor& hidden, const torch::Tensor& head) {
  return hidden.is_cpu() && hidden.scalar_type() == at::kBFloat16 &&
         head.scalar_type() == at::kBFloat16 && head.is_contiguous() && head.size(1) % 2 == 0;
}

VocabularyScores score_vocabulary(const torch::Tensor& hidden, const torch::Tensor& head,
                                  const torch::Tensor& ids, bool with_gradient) {
  return LabelBlock(hidden, head, ids.contiguous(), with_gradient).compute();
}

}  // namespace prefixmem::trainer::cpu
