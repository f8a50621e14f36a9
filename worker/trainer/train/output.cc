#include "worker/trainer/train/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "common/fd.h"
#include "common/files.h"
#include "worker/trainer/train/event_object.h"

namespace prefixmem::trainer {

namespace fs = std::filesystem;

namespace {

constexpr const char* kUnfinished = "adapter.unfinished";

Status move(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return {};
  return from_errno("renaming " + from.string() + " to " + to.string(), error.value());
}

nlohmann::ordered_json counts_object(const RowCounts& counts) {
  return {{"total", counts.rows}, {"too_long", counts.too_long}};
}

}  // namespace

void remove_folder(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  std::vector<fs::path> inside;
  for (const auto& entry : fs::directory_iterator(folder)) inside.push_back(entry.path());
  for (const auto& path : inside) {
    if (fs::is_directory(path)) {
      remove_folder(path);
    } else {
      fs::remove(path);
    }
  }
  fs::remove(folder);
}

Result<int64_t> sync_files(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) {
      PM_ASSIGN(const int64_t inside, sync_files(entry.path()));
      bytes += inside;
      continue;
    }
    const Fd file(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return from_errno("opening " + entry.path().string(), errno);
    if (fsync(file.get()) != 0) return from_errno("syncing " + entry.path().string(), errno);
    bytes += static_cast<int64_t>(entry.file_size());
  }
  PM_TRY(sync_folder(folder));
  return bytes;
}

Status prepare_output(const fs::path& out, bool resume) {
  for (const char* name :
       {"metrics.jsonl", "checkpoints", "result.json", "adapter", "best_adapter"}) {
    if (resume || !fs::exists(out / name) || fs::is_empty(out / name)) continue;
    return failed_precondition("--out " + out.string() + " already holds a run (" + name +
                               "); add --resume to go on with it, or choose another folder");
  }
  return make_folders(out / "checkpoints");
}

Result<fs::path> begin_adapter(const fs::path& out) {
  const fs::path unfinished = out / kUnfinished;
  remove_folder(unfinished);
  PM_TRY(make_folders(unfinished));
  return unfinished;
}

Result<int64_t> publish_adapter(const fs::path& out, const std::string& name) {
  PM_ASSIGN(const int64_t bytes, sync_files(out / kUnfinished));
  const fs::path place = out / name;
  PM_TRY(make_folders(place.parent_path()));
  remove_folder(place);
  PM_TRY(move(out / kUnfinished, place));
  PM_TRY(sync_folder(place.parent_path()));
  PM_TRY(sync_folder(out));
  return bytes;
}

Status keep_only(const fs::path& out, const std::string& folder, const std::string& name) {
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(out / folder)) {
    if (entry.path().filename() != name) others.push_back(entry.path());
  }
  for (const auto& other : others) {
    const fs::path aside = out / kUnfinished;
    PM_TRY(move(other, aside));
    remove_folder(aside);
  }
  return {};
}

Status write_result(const fs::path& out, const Status& status, const ResultEvent& result,
                    const Progress& progress, const Dataset& data) {
  nlohmann::ordered_json object = {{"status", code_name(status.code())}};
  if (!status.ok()) object["message"] = status.message();
  object.update(event_object(result));
  object["evals"] = nlohmann::ordered_json::array();
  for (const EvalEvent& e : progress.evals) object["evals"].push_back(event_object(e));
  object["rows"] = {{"train", counts_object(data.train_counts)},
                    {"eval", counts_object(data.eval_counts)}};
  return write_file_atomic(out / "result.json", object.dump(2) + "\n");
}

}  // namespace prefixmem::trainer
