#include "worker/trainer/model/config_file.h"

#include "common/files.h"
#include "worker/trainer/model/gguf_config.h"
#include "worker/trainer/model/model_path.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kMaxConfigBytes = 16 << 20;

}  // namespace

Result<ModelConfig> load_model_config(const std::filesystem::path& model) {
  PM_ASSIGN(const ModelPath path, find_model(model));
  if (!path.gguf.empty()) {
    PM_ASSIGN(const GgufFile weights, GgufFile::open(path.gguf));
    return gguf_model_config(weights);
  }
  const auto file = path.folder / "config.json";
  PM_ASSIGN(const std::string text, read_file(file, kMaxConfigBytes));
  auto config = parse_model_config(text);
  if (!config.ok()) return config.status().with_context(file.string());
  return config;
}

}  // namespace prefixmem::trainer
