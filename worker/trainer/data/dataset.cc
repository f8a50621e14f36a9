#include "worker/trainer/data/dataset.h"

#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "worker/trainer/data/rows.h"
#include "worker/trainer/data/templates.h"

namespace prefixmem::trainer {
namespace {

struct Rows {
  std::vector<Row> train, eval;
};

RowLimit limit_of(const DataSpec& data, const Positions& positions) {
  const int64_t most = positions.model - positions.prefix;
  if (data.max_tokens > 0 && data.max_tokens <= most) {
    return {data.max_tokens, data.overflow, "data.max_tokens"};
  }
  std::string source = "the model's max_position_embeddings";
  if (positions.prefix > 0) {
    source += " of " + std::to_string(positions.model) + " less " +
              std::to_string(positions.prefix) + " virtual tokens";
  }
  return {most, data.overflow, std::move(source)};
}

Result<Rows> read_all(const DataSpec& data) {
  Rows rows;
  if (!data.train.empty()) {
    PM_ASSIGN(rows.train, read_rows(data.train, data));
  }
  if (!data.eval.empty()) {
    PM_ASSIGN(rows.eval, read_rows(data.eval, data));
  }
  return rows;
}

// Of text_label alone, from all training rows, before few_shot chooses.
Result<std::vector<std::string>> label_set(const Rows& rows, const DataSpec& data) {
  std::vector<std::string> labels;
  if (data.format != DataFormat::kTextLabel) return labels;
  labels = distinct_labels(rows.train.empty() ? rows.eval : rows.train);
  PM_TRY(check_label_words(data, labels));
  return labels;
}

Status check_eval_labels(const std::vector<Row>& rows, const RowEncoder& encoder,
                         const DataSpec& data) {
  for (const Row& row : rows) {
    if (encoder.label_index(row.label) >= 0) continue;
    return invalid_argument(row_name(data.eval, row.line) + ": label \"" + row.label +
                            "\" does not occur in " + data.train);
  }
  return {};
}

Status check_prompts(const std::vector<Example>& rows, const std::string& file) {
  for (const Example& row : rows) {
    if (row.prompt_tokens > 0) continue;
    return invalid_argument(row_name(file, row.line) +
                            ": the prompt has no token; eval.mode label_likelihood and generate "
                            "need one to continue from");
  }
  return {};
}

bool continues_prompts(EvalMode mode) {
  return mode == EvalMode::kLabelLikelihood || mode == EvalMode::kGenerate;
}

std::string digest_of(const std::vector<Example>& examples) {
  Sha256 digest;
  for (const Example& example : examples) {
    const int64_t lengths[2] = {static_cast<int64_t>(example.ids.size()), example.prompt_tokens};
    digest.update(lengths, sizeof lengths);
    digest.update(example.ids.data(), example.ids.size() * sizeof(int32_t));
  }
  return digest.finish_hex();
}

Status encode_rows(Rows rows, const JobSpec& spec, const RowEncoder& encoder, Dataset& out) {
  if (!std::holds_alternative<NoMethod>(spec.method)) {
    PM_ASSIGN(auto train, encoder.encode_all(std::move(rows.train), spec.data.train));
    out.train = std::move(train.examples);
    out.train_counts = train.counts;
  }
  PM_ASSIGN(auto eval, encoder.encode_all(std::move(rows.eval), spec.data.eval));
  out.eval = std::move(eval.examples);
  out.eval_counts = eval.counts;
  for (const auto& [key, counts] :
       {std::pair("data.train", out.train_counts), std::pair("data.eval", out.eval_counts)}) {
    const std::string note = overflow_note(key, counts, encoder.limit());
    if (!note.empty()) out.notes.push_back(note);
  }
  return {};
}

}  // namespace

std::string rows_wanted(const JobSpec& spec, const Positions& positions) {
  JobSpec wanted;
  wanted.data = spec.data;
  wanted.eval.mode = spec.eval.mode;
  if (std::holds_alternative<NoMethod>(spec.method)) wanted.method = spec.method;
  return to_yaml(wanted) + "positions " + std::to_string(positions.model) + " " +
         std::to_string(positions.prefix);
}

Result<Dataset> load_dataset(const JobSpec& spec, const TextCodec& codec,
                             const Positions& positions) {
  const DataSpec& data = spec.data;
  PM_ASSIGN(Rows rows, read_all(data));
  PM_ASSIGN(auto labels, label_set(rows, data));
  const RowEncoder encoder(codec, data, std::move(labels), limit_of(data, positions));
  if (data.format == DataFormat::kTextLabel) {
    PM_TRY(check_eval_labels(rows.eval, encoder, data));
  }
  if (data.few_shot) {
    PM_ASSIGN(rows.train, select_few_shot(std::move(rows.train), *data.few_shot, data.train));
  }
  Dataset out;
  PM_TRY(encode_rows(std::move(rows), spec, encoder, out));
  if (!data.eval.empty() && spec.eval.mode == EvalMode::kLabelLikelihood) {
    PM_ASSIGN(out.label_ids, encoder.encode_labels());
  }
  if (continues_prompts(spec.eval.mode)) PM_TRY(check_prompts(out.eval, data.eval));
  out.digest = digest_of(out.train);
  return out;
}

}  // namespace prefixmem::trainer
