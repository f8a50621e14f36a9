// Loads an adapter's folder and its base, and compares their attention on a few rows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/diagnosis/diagnosis.h"
#include "worker/trainer/model/transformer.h"

namespace prefixmem::trainer {

struct DiagnoseOptions {
  std::string base_model;  // empty: the one that the folder's golden probe names
  // Rows: `texts`, or else held-out rows of this job spec (its training rows where it has none).
  std::filesystem::path spec;
  std::vector<std::string> texts;
  int64_t rows = 8;  // of the spec, at most: a sample by its eval.seed
};

// On the CPU in fp32, a row at a time; maps and spectra in fp64. `folder` as in verify_folder. Of a
// row the model reads what it reads in training, of a preference pair the chosen answer.
//
// INVALID_ARGUMENT where no rows are given, a text has no token or does not fit the model's
// positions; FAILED_PRECONDITION where a whole model is of another shape than its base; otherwise
// as verify_folder, load_job_spec and load_dataset.
Result<Diagnosis> diagnose_folder(const std::filesystem::path& folder,
                                  const DiagnoseOptions& options);

// Held-out rows of a job (its training rows where it has none) as its model reads them, of a
// preference pair the chosen answer: at most `count`, a sample by eval.seed.
std::vector<std::vector<int32_t>> diagnosed_rows(const JobSpec& spec, const Dataset& data,
                                                 int64_t count);

// Compares a model's attention with that of an adapted one on rows of at least one token each, and
// adds what it finds to `diagnosis`: rows, tokens, layers. `adapter` may be null; `adapted` may be
// the base itself. In the models' dtype.
void compare_attention(Transformer& base, Transformer& adapted, Adapter* adapter,
                       const std::vector<std::vector<int32_t>>& rows, Diagnosis& diagnosis);

}  // namespace prefixmem::trainer
