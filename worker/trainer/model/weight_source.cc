#include "worker/trainer/model/weight_source.h"

#include "worker/trainer/model/gguf_weights.h"
#include "worker/trainer/model/model_path.h"
#include "worker/trainer/model/weight_folder.h"

namespace prefixmem::trainer {

Result<std::unique_ptr<WeightSource>> open_weights(const std::filesystem::path& model,
                                                   const ModelConfig& config) {
  PM_ASSIGN(const ModelPath path, find_model(model));
  if (path.gguf.empty()) {
    PM_ASSIGN(WeightFolder folder, WeightFolder::open(path.folder));
    return std::unique_ptr<WeightSource>(std::make_unique<WeightFolder>(std::move(folder)));
  }
  PM_ASSIGN(GgufFile file, GgufFile::open(path.gguf));
  return std::unique_ptr<WeightSource>(std::make_unique<GgufWeights>(std::move(file), config));
}

}  // namespace prefixmem::trainer
