// Metrics as sums over rows, to which each micro-batch and each rank adds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/spec/job_spec.h"

namespace prefixmem::trainer {

// accuracy, macro_f1: of each label l, at 3 l, the rows that are of it and were given it, those
// given it, those of it. The other metrics: a sum and what to divide it by.
using Tally = std::vector<double>;

// Of no row. `labels`: how many there are to choose from.
Tally empty_tally(Metric metric, size_t labels);

// A row that is of label `truth` and was given `given`.
void count_label(Tally& tally, int64_t truth, int64_t given);

// The metric's value; not a number where no row was counted.
//
// macro_f1 is the mean of F1 = 2 hits / (given + of it) over the labels that some row is of or was
// given: f1_score(average="macro") of scikit-learn.
double metric_value(Metric metric, const Tally& tally);

}  // namespace prefixmem::trainer
