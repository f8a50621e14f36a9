#include "worker/trainer/data/dataset_cache.h"

#include <algorithm>
#include <vector>

#include "common/files.h"
#include "common/sha256.h"
#include "worker/trainer/data/dataset_file.h"
#include "worker/trainer/model/model_path.h"

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;
using Clock = fs::file_time_type::clock;

constexpr const char* kExtension = ".rows";

// What a file holds and, by its extension, how it is read.
Result<std::string> identity_of(const std::string& file) {
  if (file.empty()) return file;
  PM_ASSIGN(const std::string sum, sha256_of_file(file));
  return sum + fs::path(file).extension().string();
}

struct Entry {
  fs::path file;
  fs::file_time_type used;
  int64_t bytes;
};

// Newest first. A file that another process removes meanwhile is none.
Result<std::vector<Entry>> entries_of(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    // Also what a writer that died left behind.
    if (at->path().filename().string().find(kExtension) == std::string::npos) continue;
    std::error_code gone;
    const auto used = at->last_write_time(gone);
    const auto bytes = gone ? 0 : at->file_size(gone);
    if (!gone) entries.push_back({at->path(), used, static_cast<int64_t>(bytes)});
  }
  if (error) return from_errno("reading " + folder.string(), error.value());
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used > b.used; });
  return entries;
}

}  // namespace

Result<std::string> dataset_key(const JobSpec& spec, const Positions& positions) {
  JobSpec contents = spec;
  PM_ASSIGN(contents.data.train, identity_of(spec.data.train));
  PM_ASSIGN(contents.data.validation, identity_of(spec.data.validation));
  PM_ASSIGN(contents.data.eval, identity_of(spec.data.eval));
  if (spec.eval.data) {
    PM_ASSIGN(contents.eval.data->eval, identity_of(spec.eval.data->eval));
  }
  Sha256 key;
  PM_TRY(update_from_file(key, "/proc/self/exe"));
  key.update(rows_wanted(contents, positions));
  PM_ASSIGN(const ModelPath model, find_model(spec.model));
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}) {
    const fs::path file = model.folder / name;
    key.update(name);
    if (fs::exists(file)) PM_TRY(update_from_file(key, file));
  }
  return key.finish_hex();
}

Result<Dataset> DatasetCache::load(const JobSpec& spec, const TextCodec& codec,
                                   const Positions& positions) const {
  const auto key = dataset_key(spec, positions);
  if (!key.ok()) return load_dataset(spec, codec, positions);  // which names the file at fault
  const fs::path file = folder_ / (*key + kExtension);
  auto kept = read_dataset(file);
  if (kept.ok()) {
    std::error_code read_only;  // it then looks older than it is
    fs::last_write_time(file, Clock::now(), read_only);
    return kept;
  }
  PM_ASSIGN(Dataset data, load_dataset(spec, codec, positions));
  const Status written = keep(file, data);
  if (kept.status().code() != Code::kNotFound) {
    data.notes.push_back("the rows are encoded anew: " + kept.status().message());
  }
  if (!written.ok()) {
    data.notes.push_back("the encoded rows are not kept: " + written.message());
  }
  return data;
}

Status DatasetCache::keep(const fs::path& file, const Dataset& data) const {
  PM_TRY(make_folders(folder_));
  PM_TRY(write_dataset(file, data));
  return trim();
}

Status DatasetCache::trim() const {
  PM_ASSIGN(const auto entries, entries_of(folder_));
  int64_t bytes = 0;
  for (const Entry& entry : entries) {
    bytes += entry.bytes;
    if (bytes <= max_bytes_ || entry.file == entries.front().file) continue;
    std::error_code error;
    fs::remove(entry.file, error);
    if (error) return from_errno("removing " + entry.file.string(), error.value());
  }
  return {};
}

}  // namespace prefixmem::trainer
