#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "common/model/strict_json.h"
#include "common/sha256.h"
#include "worker/trainer/adapters/adapter_files.h"
#include "worker/trainer/adapters/stored_method.h"
#include "worker/trainer/proof/golden_probe.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFile = "golden_probe.json";
constexpr int kVersion = 1;
constexpr int64_t kMaxBytes = 16 << 20;
constexpr int kMaxDepth = 8;

std::vector<fs::path> weight_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The folder itself, or the parts of a combined adapter.
Result<std::vector<fs::path>> weight_folders(const fs::path& folder) {
  if (holds_whole_model(folder)) return std::vector<fs::path>{folder};
  PM_ASSIGN(const json config, read_adapter_config(folder));
  if (!config.contains("parts")) return std::vector<fs::path>{folder};
  std::vector<fs::path> folders;
  for (const json& part : config["parts"]) {
    if (!part.is_string() || part.get<std::string>().find('/') != std::string::npos) {
      return data_loss((folder / "adapter_config.json").string() + ": parts is " +
                       shown(config["parts"]) + "; allowed: names of its subfolders");
    }
    folders.push_back(folder / part.get<std::string>());
  }
  return folders;
}

bool fits(const GoldenProbe::Sequence& sequence) {
  const auto natural = [](auto id) { return id >= 0; };
  return !sequence.ids.empty() && !sequence.top_ids.empty() &&
         sequence.top_ids.size() == sequence.base.size() &&
         sequence.top_ids.size() == sequence.adapted.size() &&
         std::all_of(sequence.ids.begin(), sequence.ids.end(), natural) &&
         std::all_of(sequence.top_ids.begin(), sequence.top_ids.end(), natural);
}

Result<GoldenProbe> parse_probe(const json& object) {
  GoldenProbe probe;
  try {
    if (object.at("version") != kVersion) {
      return data_loss("version is " + shown(object["version"]) +
                       "; allowed: " + std::to_string(kVersion));
    }
    object.at("base_model").get_to(probe.base_model);
    object.at("dtype").get_to(probe.dtype);
    object.at("adapter_digest").get_to(probe.adapter_digest);
    for (const json& entry : object.at("sequences")) {
      GoldenProbe::Sequence& sequence = probe.sequences.emplace_back();
      entry.at("ids").get_to(sequence.ids);
      entry.at("top_ids").get_to(sequence.top_ids);
      entry.at("base").get_to(sequence.base);
      entry.at("adapted").get_to(sequence.adapted);
      if (!fits(sequence)) return data_loss("a sequence's parts do not go together");
    }
  } catch (const json::exception& error) {
    return data_loss(error.what());
  }
  if (probe.sequences.empty()) return data_loss("it has no sequence");
  return probe;
}

}  // namespace

Result<std::string> weights_digest(const fs::path& folder) {
  PM_ASSIGN(const auto folders, weight_folders(folder));
  Sha256 digest;
  bool any = false;
  for (const fs::path& part : folders) {
    for (const fs::path& file : weight_files(part)) {
      PM_TRY(update_from_file(digest, file));
      any = true;
    }
  }
  if (!any) return not_found(folder.string() + " holds no weights (*.safetensors)");
  return digest.finish_hex();
}

Status write_probe(const fs::path& folder, const GoldenProbe& probe) {
  nlohmann::ordered_json object = {{"version", kVersion},
                                   {"base_model", probe.base_model},
                                   {"dtype", probe.dtype},
                                   {"adapter_digest", probe.adapter_digest},
                                   {"sequences", nlohmann::ordered_json::array()}};
  for (const auto& sequence : probe.sequences) {
    object["sequences"].push_back({{"ids", sequence.ids},
                                   {"top_ids", sequence.top_ids},
                                   {"base", sequence.base},
                                   {"adapted", sequence.adapted}});
  }
  return write_file_atomic(folder / kFile, object.dump(1) + "\n");
}

Result<GoldenProbe> read_probe(const fs::path& folder) {
  const std::string file = (folder / kFile).string();
  PM_ASSIGN(const std::string text, read_file(file, kMaxBytes));
  auto object = parse_strict_json(text, kMaxDepth);
  if (!object.ok()) return object.status().with_context(file);
  auto probe = parse_probe(*object);
  if (!probe.ok()) return probe.status().with_context(file);
  PM_ASSIGN(const std::string digest, weights_digest(folder));
  if (digest == probe->adapter_digest) return probe;
  return data_loss("the weights in " + folder.string() +
                   " were changed after their golden probe was made: their sha256 is " + digest +
                   ", the probe's " + probe->adapter_digest);
}

}  // namespace prefixmem::trainer
