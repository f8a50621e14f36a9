#include "worker/trainer/diagnosis/diagnose.h"

#include <memory>

#include "common/spec/spec_io.h"
#include "worker/trainer/adapters/stored_method.h"
#include "worker/trainer/data/codec.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/diagnosis/layer_comparison.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/proof/golden_probe.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<int32_t>>;

// The base, and what its adapted form is computed with.
struct Models {
  std::unique_ptr<Transformer> base;
  std::unique_ptr<Adapter> adapter;    // null: the adapted form is a whole model
  std::unique_ptr<Transformer> whole;  // that one

  Transformer& adapted() const { return whole ? *whole : *base; }
  Positions positions() const {
    return {base->config().max_position_embeddings, adapter ? adapter->prefix_length() : 0};
  }
};

Status check_shape(const ModelConfig& whole, const ModelConfig& base, const fs::path& folder) {
  const auto shape = [](const ModelConfig& model) {
    return std::to_string(model.num_layers) + " layers of " +
           std::to_string(model.num_attention_heads) + " heads of " +
           std::to_string(model.head_dim);
  };
  if (shape(whole) == shape(base) && whole.hidden_size == base.hidden_size) return {};
  return failed_precondition("the model in " + folder.string() + " has " + shape(whole) +
                             ", its base " + shape(base) + "; they cannot be compared");
}

Result<Models> load_models(const fs::path& folder, Diagnosis& diagnosis) {
  const DecoderOptions fp32{.dtype = torch::kFloat32};
  Models models;
  PM_ASSIGN(models.base, Transformer::load(diagnosis.base_model, fp32));
  if (holds_whole_model(folder)) {
    PM_ASSIGN(models.whole, Transformer::load(folder, fp32));
    PM_TRY(check_shape(models.whole->config(), models.base->config(), folder));
    diagnosis.method = FullMethod::kType;
  } else {
    PM_ASSIGN(const MethodSpec method, stored_method(folder));
    PM_ASSIGN(models.adapter, load_stored_adapter(folder, method, *models.base));
    diagnosis.method = method_name(method);
  }
  diagnosis.prefix_length = models.positions().prefix;
  return models;
}

Result<Rows> encode_texts(const std::vector<std::string>& texts, const TextCodec& codec,
                          const Positions& positions) {
  const int64_t most = positions.model - positions.prefix;
  Rows rows;
  for (const std::string& text : texts) {
    PM_ASSIGN(auto ids, codec.encode(text, true));
    const auto count = static_cast<int64_t>(ids.size());
    if (count < 1 || count > most) {
      return invalid_argument("--text \"" + text + "\" has " + std::to_string(count) +
                              " tokens; allowed: 1 to " + std::to_string(most) +
                              ", the model's positions");
    }
    rows.push_back(std::move(ids));
  }
  return rows;
}

Result<Rows> rows_of_spec(const DiagnoseOptions& options, const TextCodec& codec,
                          const Positions& positions) {
  PM_ASSIGN(const JobSpec spec, load_job_spec(options.spec));
  PM_ASSIGN(const Dataset data, load_dataset(spec, codec, positions));
  return diagnosed_rows(spec, data, options.rows);
}

Result<Rows> choose_rows(const DiagnoseOptions& options, const TextCodec& codec,
                         const Positions& positions) {
  if (!options.texts.empty()) return encode_texts(options.texts, codec, positions);
  if (!options.spec.empty()) return rows_of_spec(options, codec, positions);
  return invalid_argument(
      "no rows are given; allowed: --spec with the job spec whose held-out rows to look at, or "
      "--text");
}

Result<std::string> base_of(const fs::path& folder, const DiagnoseOptions& options) {
  if (!options.base_model.empty()) return options.base_model;
  const auto probe = read_probe(folder);
  if (!probe.ok()) return probe.status().with_context("--model is not given");
  return probe->base_model;
}

}  // namespace

std::vector<std::vector<int32_t>> diagnosed_rows(const JobSpec& spec, const Dataset& data,
                                                 int64_t count) {
  const bool held_out = !data.eval.empty();
  const auto& examples = held_out ? data.eval : data.train;
  const int64_t each = examples_per_row(held_out ? eval_data(spec).format : spec.data.format);
  EvalSpec sample;
  sample.max_rows = count;
  sample.seed = spec.eval.seed;
  Rows rows;
  for (const int64_t row : sample_rows(static_cast<int64_t>(examples.size()) / each, sample)) {
    const auto inputs = examples[row * each].inputs();
    rows.emplace_back(inputs.begin(), inputs.end());
  }
  return rows;
}

void compare_attention(Transformer& base, Transformer& adapted, Adapter* adapter, const Rows& rows,
                       Diagnosis& diagnosis) {
  const ModelConfig& config = base.config();
  std::vector<LayerComparison> layers;
  for (int64_t layer = 0; layer < config.num_layers; ++layer) layers.emplace_back(config, layer);
  for (const auto& ids : rows) {
    const auto before = record_attention(base, nullptr, ids);
    const auto after = record_attention(adapted, adapter, ids);
    for (size_t i = 0; i < layers.size(); ++i) layers[i].add(before[i], after[i]);
    ++diagnosis.rows;
    diagnosis.tokens += static_cast<int64_t>(ids.size());
  }
  for (const LayerComparison& layer : layers) diagnosis.layers.push_back(layer.result());
}

Result<Diagnosis> diagnose_folder(const fs::path& folder, const DiagnoseOptions& options) {
  Diagnosis diagnosis;
  PM_ASSIGN(diagnosis.base_model, base_of(folder, options));
  PM_ASSIGN(const Models models, load_models(folder, diagnosis));
  PM_ASSIGN(const auto codec, load_codec(diagnosis.base_model));
  PM_ASSIGN(const Rows rows, choose_rows(options, *codec, models.positions()));
  compare_attention(*models.base, models.adapted(), models.adapter.get(), rows, diagnosis);
  return diagnosis;
}

}  // namespace prefixmem::trainer
