#include "worker/trainer/adapters/full.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <array>
#include <optional>
#include <system_error>

#include "worker/trainer/model/decoder.h"
#include "worker/trainer/model/weight_folder.h"
#include "worker/trainer/model/weight_folder_writer.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;

// All but the weights that a model folder may hold, those of the tokenizer in every age.
constexpr std::array<const char*, 12> kCopied = {"config.json",
                                                 "generation_config.json",
                                                 "tokenizer.json",
                                                 "tokenizer.model",
                                                 "tokenizer_config.json",
                                                 "special_tokens_map.json",
                                                 "added_tokens.json",
                                                 "chat_template.jinja",
                                                 "chat_template.json",
                                                 "vocab.json",
                                                 "merges.txt",
                                                 "vocab.txt"};

Status copy_side_files(const fs::path& base, const fs::path& folder) {
  for (const char* name : kCopied) {
    std::error_code error;
    if (!fs::exists(base / name, error)) continue;
    fs::copy_file(base / name, folder / name, fs::copy_options::overwrite_existing, error);
    if (error) return from_errno("copying " + (base / name).string(), error.value());
  }
  return {};
}

Result<std::vector<TensorShape>> shapes_as_in(const fs::path& base,
                                              const std::vector<Parameter>& parameters) {
  PM_ASSIGN(const WeightFolder files, WeightFolder::open(base));
  std::vector<TensorShape> shapes;
  for (const Parameter& parameter : parameters) {
    const auto shape = parameter.value.sizes().vec();
    PM_ASSIGN(const torch::Tensor stored, files.take(parameter.name, shape));
    shapes.push_back({parameter.name, stored.scalar_type(), shape});
  }
  return shapes;
}

// One tensor after the other into a folder that holds all else.
class FolderOutput {
 public:
  Status open(const fs::path& folder, const fs::path& base,
              const std::vector<Parameter>& parameters) {
    PM_TRY(copy_side_files(base, folder));
    PM_ASSIGN(shapes_, shapes_as_in(base, parameters));
    writer_.emplace(folder, shapes_);
    return {};
  }
  Status append(size_t index, const torch::Tensor& values) {
    return writer_->append(values.to(shapes_[index].dtype));
  }
  Status finish() { return writer_->finish(); }

 private:
  std::vector<TensorShape> shapes_;
  std::optional<WeightFolderWriter> writer_;
};

}  // namespace

std::unique_ptr<FullAdapter> FullAdapter::make(const AdapterContext& context) {
  return std::unique_ptr<FullAdapter>(new FullAdapter(context.decoder->unfreeze()));
}

Status FullAdapter::save(const fs::path& folder, const std::string& base_model) const {
  return save_values(folder, base_model, [&](size_t index) -> Result<torch::Tensor> {
    return parameters_[index].value.detach().cpu();
  });
}

Status FullAdapter::save_values(const fs::path& folder, const std::string& base_model,
                                const WholeValue& value) const {
  std::optional<FolderOutput> output;  // where this rank writes
  Status written;                      // the values of all are asked for whatever becomes of it
  if (!folder.empty()) written = output.emplace().open(folder, base_model, parameters_);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    PM_ASSIGN(const torch::Tensor whole, value(i));
    if (output && written.ok()) written = output->append(i, whole);
  }
  PM_TRY(written);
  return output ? output->finish() : Status();
}

Status FullAdapter::load(const fs::path& folder) {
  PM_ASSIGN(const WeightFolder files, WeightFolder::open(folder));
  const torch::NoGradGuard no_grad;
  for (Parameter& parameter : parameters_) {
    PM_ASSIGN(const torch::Tensor stored,
              files.take(parameter.name, parameter.value.sizes().vec()));
    parameter.value.copy_(stored);
  }
  return {};
}

}  // namespace prefixmem::trainer
