#include "worker/trainer/train/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "common/files.h"

namespace prefixmem::trainer {

namespace fs = std::filesystem;

namespace {

Status sync_path(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return from_errno("opening " + path.string(), errno);
  const int failed = fsync(file) == 0 ? 0 : errno;
  close(file);
  return failed == 0 ? Status() : from_errno("syncing " + path.string(), failed);
}

Result<int64_t> sync_folder(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    PM_TRY(sync_path(entry.path()));
    bytes += static_cast<int64_t>(entry.file_size());
  }
  PM_TRY(sync_path(folder));
  return bytes;
}

}  // namespace

Status prepare_output(const fs::path& out, bool resume) {
  for (const char* name : {"metrics.jsonl", "checkpoints", "result.json", "adapter"}) {
    if (resume || !fs::exists(out / name)) continue;
    return failed_precondition("--out " + out.string() + " already holds a run (" + name +
                               "); add --resume to go on with it, or choose another folder");
  }
  std::error_code error;
  fs::create_directories(out / "checkpoints", error);
  if (error) return from_errno("creating " + (out / "checkpoints").string(), error.value());
  return {};
}

Result<int64_t> write_adapter(const fs::path& out, const Adapter& adapter,
                              const std::string& base_model) {
  const fs::path unfinished = out / "adapter.unfinished";
  fs::remove_all(unfinished);
  fs::create_directory(unfinished);
  PM_TRY(adapter.save(unfinished, base_model));
  PM_ASSIGN(const int64_t bytes, sync_folder(unfinished));
  fs::remove_all(out / "adapter");
  fs::rename(unfinished, out / "adapter");
  PM_TRY(sync_path(out));
  return bytes;
}

Status write_result(const fs::path& out, const Status& status, const ResultEvent& result,
                    const Progress& progress) {
  nlohmann::ordered_json object = {{"status", code_name(status.code())}};
  if (!status.ok()) object["message"] = status.message();
  object["steps"] = result.steps;
  object["final_loss"] = result.final_loss;
  object["wall_seconds"] = result.wall_seconds;
  object["tokens_per_second"] = result.tokens_per_second;
  object["trainable_parameters"] = result.trainable_parameters;
  object["evals"] = nlohmann::ordered_json::array();
  for (const EvalEvent& e : progress.evals) {
    object["evals"].push_back({{"step", e.step}, {"metric", e.metric}, {"value", e.value},
                               {"rows", e.rows}, {"seconds", e.seconds}});
  }
  return write_file_atomic(out / "result.json", object.dump(2) + "\n");
}

}  // namespace prefixmem::trainer
