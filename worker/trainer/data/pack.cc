#include "worker/trainer/data/pack.h"

namespace prefixmem::trainer {

RaggedBatch pack_rows(const std::vector<int64_t>& rows, const std::vector<Example>& examples) {
  RaggedBuilder builder;
  for (const int64_t row : rows) {
    const Example& example = examples[row];
    const auto& ids = example.ids;
    const int32_t segment = builder.add({ids.begin(), ids.end() - 1});
    const auto count = static_cast<int64_t>(ids.size());
    for (int64_t i = example.first_label(); i < count; ++i) builder.label(segment, i - 1, ids[i]);
  }
  return std::move(builder).build();
}

}  // namespace prefixmem::trainer
