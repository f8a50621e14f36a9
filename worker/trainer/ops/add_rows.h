// Sums of a tensor and of runs of rows, in one node of the graph.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace prefixmem::trainer {

// To be added to rows [begin, begin + values.size(0)).
struct RowsToAdd {
  int64_t begin = 0;
  torch::Tensor values;
};

// x [T, …] with the values of disjoint runs added. The gradient of each run is a view of x's own.
torch::Tensor add_rows(const torch::Tensor& x, const std::vector<RowsToAdd>& runs);
// The same in place; no backward may have kept x.
torch::Tensor add_rows_in_place(const torch::Tensor& x, const std::vector<RowsToAdd>& runs);

}  // namespace prefixmem::trainer
