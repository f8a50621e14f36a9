// The attention of one layer with an adapter against the same without it, row after row.
#pragma once

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <vector>

#include "common/model/config.h"
#include "worker/trainer/diagnosis/attention_map.h"
#include "worker/trainer/diagnosis/attention_record.h"
#include "worker/trainer/diagnosis/diagnosis.h"

namespace prefixmem::trainer {

// A mean of numbers and of those at each place of a row.
class PositionMean {
 public:
  // fp64 [T] of one row.
  void add(const torch::Tensor& values);
  double mean() const;
  std::vector<double> by_position() const;

 private:
  std::vector<double> sums_;
  std::vector<int64_t> counts_;
};

class LayerComparison {
 public:
  LayerComparison(const ModelConfig& config, int64_t layer);

  // The same row in both models; the base has no prefix.
  void add(const AttentionRecord& base, const AttentionRecord& adapted);
  // After at least one row.
  LayerDiagnosis result() const;

 private:
  // Squared Frobenius norms.
  struct Norms {
    double change = 0, base = 0;
    void add(const torch::Tensor& adapted_part, const torch::Tensor& base_part);
    double ratio() const;
  };
  struct Head {
    Norms output;
    PositionMean map_change, input_map_change, prefix_mass;
  };
  static constexpr size_t kKinds = 3;  // of Term::Kind

  // Adds one head's maps; gives the prefix's term, [T, d].
  torch::Tensor add_maps(int64_t head, const AttentionRecord& base, const AttentionRecord& adapted);
  Term term_of(Term::Kind kind) const;

  const int64_t heads_;
  const int64_t group_;  // query heads of one key head
  const int64_t window_;
  const double scale_;
  Norms output_;
  std::vector<Head> of_head_;
  PositionMean map_change_, prefix_mass_;
  std::array<std::vector<torch::Tensor>, kKinds> terms_;  // of each row [T, heads, d]; may be empty
};

}  // namespace prefixmem::trainer
