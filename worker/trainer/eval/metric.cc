#include "worker/trainer/eval/metric.h"

namespace prefixmem::trainer {
namespace {

constexpr size_t kCounts = 3;

struct LabelCounts {
  double hits, given, of_it;
};

std::vector<LabelCounts> by_label(const Tally& tally) {
  std::vector<LabelCounts> labels;
  for (size_t at = 0; at + kCounts <= tally.size(); at += kCounts) {
    labels.push_back({tally[at], tally[at + 1], tally[at + 2]});
  }
  return labels;
}

double accuracy(const Tally& tally) {
  double hits = 0, rows = 0;
  for (const LabelCounts& label : by_label(tally)) {
    hits += label.hits;
    rows += label.of_it;
  }
  return hits / rows;
}

double macro_f1(const Tally& tally) {
  double sum = 0, labels = 0;
  for (const LabelCounts& label : by_label(tally)) {
    const double seen = label.given + label.of_it;
    if (seen == 0) continue;
    sum += 2 * label.hits / seen;
    labels += 1;
  }
  return sum / labels;
}

}  // namespace

Tally empty_tally(Metric metric, size_t labels) {
  return Tally(mode_of(metric) == EvalMode::kLabelLikelihood ? kCounts * labels : 2);
}

void count_label(Tally& tally, int64_t truth, int64_t given) {
  tally[kCounts * truth] += truth == given ? 1 : 0;
  tally[kCounts * given + 1] += 1;
  tally[kCounts * truth + 2] += 1;
}

double metric_value(Metric metric, const Tally& tally) {
  if (metric == Metric::kAccuracy) return accuracy(tally);
  if (metric == Metric::kMacroF1) return macro_f1(tally);
  return tally[0] / tally[1];
}

}  // namespace prefixmem::trainer
