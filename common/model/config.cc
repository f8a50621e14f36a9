#include "common/model/config.h"

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "common/model/config_families.h"
#include "common/model/config_fields.h"
#include "common/model/strict_json.h"

namespace prefixmem {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;

}  // namespace

Result<ModelConfig> read_model_config(const std::filesystem::path& file) {
  PM_ASSIGN(const std::string text, read_file(file, kMaxModelConfigBytes));
  auto config = parse_model_config(text);
  if (!config.ok()) return config.status().with_context(file.string());
  return config;
}

Result<ModelConfig> parse_model_config(std::string_view text) {
  PM_ASSIGN(const json root, parse_strict_json(text, kMaxDepth));
  ConfigFields fields(root);
  const size_t family =
      fields.choice("model_type", {"llama", "mistral", "qwen2", "qwen3", "gemma3_text"});
  PM_TRY(fields.status());
  ModelConfig config;
  config.family = root["model_type"];
  constexpr void (*kRead[])(ConfigFields&, ModelConfig&) = {read_llama, read_mistral, read_qwen2,
                                                            read_qwen3, read_gemma3};
  kRead[family](fields, config);
  PM_TRY(fields.status());
  return config;
}

}  // namespace prefixmem
