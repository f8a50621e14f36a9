#include "coordinator/core/model_configs.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/content/content_name.h"
#include "common/spec/utf8.h"
#include "coordinator/core/content_files.h"

namespace prefixmem {
namespace {

constexpr size_t kMostKnown = 1000;
constexpr int kMostTold = 100;

Result<ModelConfig> read_config(store::Reader& reader, const store::Blobs& blobs,
                                const std::string& model) {
  PM_ASSIGN(const FolderList files, content_files(reader, blobs, model));
  const auto file = std::find_if(files.begin(), files.end(),
                                 [](const FolderFile& one) { return one.path == "config.json"; });
  if (file == files.end()) return not_found("it has no config.json");
  if (file->bytes > kMaxModelConfigBytes) return invalid_argument("it is no configuration");
  PM_ASSIGN(const std::string text, read_blob(blobs, file->sha256, kMaxModelConfigBytes));
  return parse_model_config(text);
}

// Content does not change, but may still be uploaded, or its store be away.
bool may_come(Code code) {
  return code == Code::kFailedPrecondition || code == Code::kUnavailable ||
         code == Code::kResourceExhausted;
}

}  // namespace

Result<ToldModels> told_models(const google::protobuf::RepeatedPtrField<v1::ModelConfig>& configs) {
  if (configs.size() > kMostTold) {
    return invalid_argument(fmt::format("model_configs has {} entries; allowed: at most {}",
                                        configs.size(), kMostTold));
  }
  ToldModels told;
  for (const v1::ModelConfig& one : configs) {
    if (one.config_json().size() > kMaxSentConfigBytes) {
      return invalid_argument(fmt::format(
          "the config_json of model \"{}\" has {} bytes; allowed: at most {}",
          spec::shortened(one.model(), 200), one.config_json().size(), kMaxSentConfigBytes));
    }
    auto config = parse_model_config(one.config_json());
    if (!config.ok()) continue;
    told[one.model()] = std::make_shared<const ToldModel>(ToldModel{one, *std::move(config)});
  }
  return told;
}

std::shared_ptr<const ModelConfig> ModelConfigs::known(const std::string& model) {
  const MutexLock lock(mutex_);
  const auto found = known_.find(model);
  return found == known_.end() ? nullptr : found->second;
}

std::shared_ptr<const ModelConfig> ModelConfigs::of(const std::string& model) {
  if (!names_content(model)) return nullptr;
  {
    const MutexLock lock(mutex_);
    const auto found = known_.find(model);
    if (found != known_.end()) return found->second;
  }
  auto config = read_config(reader_, blobs_, model);
  std::shared_ptr<const ModelConfig> read;
  if (config.ok()) {
    read = std::make_shared<const ModelConfig>(std::move(*config));
  } else {
    spdlog::info("memory of jobs with {} is not predicted: {}", model, config.status().message());
    if (may_come(config.status().code())) return nullptr;
  }
  const MutexLock lock(mutex_);
  if (known_.size() >= kMostKnown) known_.clear();
  known_[model] = read;
  return read;
}

}  // namespace prefixmem
