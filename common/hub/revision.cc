#include "common/hub/revision.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/content/folder_list.h"
#include "common/content/hub_name.h"
#include "common/content/model_name.h"
#include "common/sha256.h"

namespace prefixmem {
namespace {

using nlohmann::json;

constexpr std::string_view kWeights = ".safetensors";
constexpr std::string_view kGguf = ".gguf";
constexpr int64_t kMostBytes = int64_t{1} << 42;  // of a file; the sum of a list of them is one too

// model.safetensors and its shards; others of that ending are adapters or another program's.
bool is_weights(std::string_view path) {
  return path.starts_with("model") && path.ends_with(kWeights);
}

bool is_beside_weights(std::string_view path) {
  const auto ends = [&](std::string_view ending) { return path.ends_with(ending); };
  const auto begins = [&](std::string_view beginning) { return path.starts_with(beginning); };
  return ends(".json") || ends(".jinja") || begins("LICENSE") || begins("NOTICE");
}

// Throws json::exception.
HubFile file_of(const json& entry) {
  HubFile file;
  file.path = entry.at("rfilename").get<std::string>();
  file.bytes = entry.at("size").get<int64_t>();
  const auto large = entry.find("lfs");
  if (large != entry.end() && !large->is_null()) {
    file.sha256 = large->at("sha256").get<std::string>();
  } else {
    file.blob = entry.at("blobId").get<std::string>();
  }
  return file;
}

bool is_sound(const HubFile& file) {
  const bool named = file.sha256.empty() ? is_commit_name(file.blob) : is_sha256(file.sha256);
  return named && file.bytes >= 0 && file.bytes <= kMostBytes && stays_below(file.path);
}

}  // namespace

Result<HubRevision> parse_revision(std::string_view text) {
  HubRevision revision;
  std::vector<HubFile> weights, ggufs;
  try {
    const json answer = json::parse(text);
    revision.commit = answer.at("sha").get<std::string>();
    for (const json& entry : answer.at("siblings")) {
      const auto& path = entry.at("rfilename").get_ref<const std::string&>();
      if (path.find('/') != path.npos) continue;
      if (is_weights(path)) weights.push_back(file_of(entry));
      if (path.ends_with(kGguf)) ggufs.push_back(file_of(entry));
      if (is_beside_weights(path)) revision.files.push_back(file_of(entry));
    }
  } catch (const json::exception& error) {
    return data_loss(std::string("the Hub's answer is not what it documents: ") + error.what());
  }
  const auto& chosen = weights.empty() ? ggufs : weights;
  revision.files.insert(revision.files.end(), chosen.begin(), chosen.end());
  std::sort(revision.files.begin(), revision.files.end(),
            [](const HubFile& a, const HubFile& b) { return a.path < b.path; });
  if (is_commit_name(revision.commit) &&
      std::all_of(revision.files.begin(), revision.files.end(), is_sound)) {
    return revision;
  }
  return data_loss("the Hub's answer has a digest, a size or a path that is none");
}

Status check_hub_files(const HubName& name, const HubRevision& revision) {
  FolderList files;
  std::string ggufs;
  int count = 0;
  for (const HubFile& file : revision.files) {
    files.push_back({file.path, file.bytes, file.sha256});
    if (!file.path.ends_with(".gguf")) continue;
    ggufs += (ggufs.empty() ? "" : ", ") + file.path;
    ++count;
  }
  if (count < 2) return check_model_folder({{}, name.name(), true}, files);
  return failed_precondition("it has no safetensors and " + std::to_string(count) +
                             " GGUF files (" + ggufs +
                             "); allowed: one; fetch the one wanted by hand and add that");
}

}  // namespace prefixmem
