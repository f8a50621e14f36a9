// New tokens of several cached rows as one stream: what each attends to is its own cache.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <vector>

#include "worker/trainer/model/row_cache.h"
#include "worker/trainer/ops/attention_plan.h"

namespace prefixmem::trainer {

class RowExtension {
 public:
  // tokens[i], at least one, of caches[i], which is distinct and outlives this.
  RowExtension(const std::vector<RowCache*>& caches,
               const std::vector<std::vector<int32_t>>& tokens, torch::Device device);

  const torch::Tensor& tokens() const { return tokens_; }        // int64 [T]
  const torch::Tensor& positions() const { return positions_; }  // int64 [T]
  const torch::Tensor& last() const { return last_; }  // int64 [rows]: each row's last token

  // Query, key and value of the stream, [T, heads, d] each: writes keys and values of `layer` to
  // the caches and returns the attention's output, [T, heads, d]. window: as in plan_attention.
  torch::Tensor attend(int64_t layer, const torch::Tensor& query, const torch::Tensor& key,
                       const torch::Tensor& value, int64_t window, double scale);

  // Once every layer has its keys and values.
  void finish();

 private:
  struct Row {
    RowCache* cache;
    int64_t begin, count;                    // in the stream
    std::map<int64_t, AttentionPlan> plans;  // by window
  };
  const AttentionPlan& plan_of(Row& row, int64_t window) const;

  const torch::Device device_;
  std::vector<Row> rows_;
  torch::Tensor tokens_, positions_, last_;
};

}  // namespace prefixmem::trainer
