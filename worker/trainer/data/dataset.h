// The rows of a job as tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/encode.h"

namespace prefixmem::trainer {

struct Dataset {
  // examples_per_row of each row (example.h), by data.format and eval_data(spec).format.
  std::vector<Example> train, eval;
  std::vector<std::vector<int32_t>> label_ids;  // eval.mode label_likelihood only
  std::string digest;                           // of every token of `train`, in order
  RowCounts train_counts, eval_counts;
  std::vector<std::string> notes;  // on rows that were too long, for people
};

struct Positions {
  int64_t model = 0;   // its max_position_embeddings
  int64_t prefix = 0;  // those of them that an adapter's virtual tokens take
};

// All of a spec that load_dataset looks at: specs with equal texts want the same rows of the same
// files.
std::string rows_wanted(const JobSpec& spec, const Positions& positions);

// Reads, chooses and encodes the rows; a pure function of files, spec and tokenizer. Rows are held
// once as text, then once as tokens. data.max_tokens does not go beyond the positions that are
// left. few_shot chooses before data.overflow drops. Errors as read_rows, select_few_shot,
// check_label_words and RowEncoder; a label outside of its set (of held-out rows not under
// eval.mode generate); a prompt without a token where the evaluation continues from it.
Result<Dataset> load_dataset(const JobSpec& spec, const TextCodec& codec,
                             const Positions& positions);

}  // namespace prefixmem::trainer
