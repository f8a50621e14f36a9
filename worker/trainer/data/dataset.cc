#include "worker/trainer/data/dataset.h"

#include <optional>

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

Result<Rows> read_all(const JobSpec& spec) {
  const std::string file = eval_file(spec);
  Rows rows;
  if (!spec.data.train.empty()) {
    PM_ASSIGN(rows.train, read_rows(spec.data.train, spec.data));
  }
  if (!file.empty()) {
    PM_ASSIGN(rows.eval, read_rows(file, eval_data(spec)));
  }
  return rows;
}

// Validation rows without a file of their own leave the training rows, whether they are scored now
// or not: a setting is chosen and tested with the same rows to train on.
Status set_apart(const JobSpec& spec, Rows& rows) {
  if (!spec.data.holdout || !spec.data.validation.empty() || rows.train.empty()) return {};
  PM_ASSIGN(auto held_out, take_holdout(rows.train, spec.data));
  if (scores_holdout(spec)) rows.eval = std::move(held_out);
  return {};
}

// The file whose rows are scored.
std::string scored_file(const JobSpec& spec) {
  return scores_holdout(spec) ? spec.data.train : eval_file(spec);
}

// Of text_label alone: data.labels, or those of `rows`.
Result<std::vector<std::string>> label_set(const std::vector<Row>& rows, const DataSpec& data) {
  std::vector<std::string> labels;
  if (data.format != DataFormat::kTextLabel) return labels;
  labels = data.labels.empty() ? distinct_labels(rows) : data.labels;
  PM_TRY(check_label_words(data, labels));
  return labels;
}

// Where the labels of rows are looked for, for messages.
std::string label_place(const DataSpec& data) {
  return data.labels.empty() ? "does not occur in " + data.train : "is not in data.labels";
}

Status check_labels(const std::vector<Row>& rows, const std::string& file,
                    const RowEncoder& encoder, const DataSpec& data) {
  if (data.format != DataFormat::kTextLabel) return {};
  for (const Row& row : rows) {
    if (encoder.label_index(row.label) >= 0) continue;
    return invalid_argument(row_name(file, row.line) + ": label \"" + row.label + "\" " +
                            label_place(data));
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

// The encoders of training rows and of held-out rows.
struct Encoders {
  RowEncoder train;
  std::optional<RowEncoder> own;  // where eval.data reads held-out rows in another way

  const RowEncoder& eval() const { return own ? *own : train; }
};

Result<Encoders> make_encoders(const JobSpec& spec, const Rows& rows, const TextCodec& codec,
                               const Positions& positions) {
  const bool read_apart = &eval_data(spec) != &spec.data;
  const bool only_eval = rows.train.empty() && !read_apart;
  PM_ASSIGN(auto labels, label_set(only_eval ? rows.eval : rows.train, spec.data));
  Encoders encoders{RowEncoder(codec, spec.data, std::move(labels), limit_of(spec.data, positions)),
                    {}};
  if (!read_apart) return encoders;
  const DataSpec& held_out = *spec.eval.data;
  auto own = label_set(rows.eval, held_out);
  PM_TRY(own.status().with_context("eval.data"));
  encoders.own.emplace(codec, held_out, std::move(own).value(), limit_of(held_out, positions));
  return encoders;
}

Status check_all_labels(const JobSpec& spec, const Rows& rows, const Encoders& encoders) {
  PM_TRY(check_labels(rows.train, spec.data.train, encoders.train, spec.data));
  if (spec.eval.mode == EvalMode::kGenerate) return {};
  return check_labels(rows.eval, scored_file(spec), encoders.eval(), eval_data(spec));
}

Status encode_rows(Rows rows, const JobSpec& spec, const Encoders& encoders, Dataset& out) {
  if (!std::holds_alternative<NoMethod>(spec.method)) {
    PM_ASSIGN(auto train, encoders.train.encode_all(std::move(rows.train), spec.data.train));
    out.train = std::move(train.examples);
    out.train_counts = train.counts;
  }
  PM_ASSIGN(auto eval, encoders.eval().encode_all(std::move(rows.eval), scored_file(spec)));
  out.eval = std::move(eval.examples);
  out.eval_counts = eval.counts;
  const auto note = [&](const std::string& key, const RowCounts& counts,
                        const RowEncoder& encoder) {
    std::string text = overflow_note(key, counts, encoder.limit());
    if (!text.empty()) out.notes.push_back(std::move(text));
  };
  note("data.train", out.train_counts, encoders.train);
  note(eval_key(spec), out.eval_counts, encoders.eval());
  return {};
}

}  // namespace

std::string rows_wanted(const JobSpec& spec, const Positions& positions) {
  JobSpec wanted;
  wanted.data = spec.data;
  wanted.eval.mode = spec.eval.mode;
  wanted.eval.data = spec.eval.data;
  wanted.eval.split = spec.eval.split;
  if (std::holds_alternative<NoMethod>(spec.method)) wanted.method = spec.method;
  return to_yaml(wanted) + "positions " + std::to_string(positions.model) + " " +
         std::to_string(positions.prefix);
}

Result<Dataset> load_dataset(const JobSpec& spec, const TextCodec& codec,
                             const Positions& positions) {
  const DataSpec& data = spec.data;
  PM_ASSIGN(Rows rows, read_all(spec));
  PM_ASSIGN(const Encoders encoders, make_encoders(spec, rows, codec, positions));
  PM_TRY(check_all_labels(spec, rows, encoders));
  PM_TRY(set_apart(spec, rows));
  if (data.few_shot) {
    PM_ASSIGN(rows.train, select_few_shot(std::move(rows.train), *data.few_shot, data.train));
  }
  Dataset out;
  PM_TRY(encode_rows(std::move(rows), spec, encoders, out));
  if (!scored_file(spec).empty() && spec.eval.mode == EvalMode::kLabelLikelihood) {
    PM_ASSIGN(out.label_ids, encoders.eval().encode_labels());
  }
  if (continues_prompts(spec.eval.mode)) PM_TRY(check_prompts(out.eval, scored_file(spec)));
  out.digest = digest_of(out.train);
  return out;
}

}  // namespace prefixmem::trainer
