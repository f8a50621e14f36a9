#include "worker/trainer/model/config_file.h"

#include "worker/trainer/model/gguf_config.h"
#include "worker/trainer/model/model_path.h"

namespace prefixmem::trainer {

Result<ModelConfig> load_model_config(const std::filesystem::path& model) {
  PM_ASSIGN(const ModelPath path, find_model(model));
  if (!path.gguf.empty()) {
    PM_ASSIGN(const GgufFile weights, GgufFile::open(path.gguf));
    return gguf_model_config(weights);
  }
  return read_model_config(path.folder / "config.json");
}

}  // namespace prefixmem::trainer
