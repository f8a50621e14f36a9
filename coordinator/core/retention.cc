// Content that nothing names any more goes after a while.
#include <spdlog/spdlog.h>

#include <chrono>

#include "common/content/content_name.h"
#include "coordinator/core/content_files.h"
#include "coordinator/core/coordinator.h"

namespace prefixmem {
namespace {

constexpr Millis kBetweenSweeps = std::chrono::hours(1);
// What is left of a broken upload for whoever goes on with it.
constexpr Millis kUnfinishedAge = std::chrono::hours(24);

}  // namespace

void Coordinator::sweep_content() {
  const MutexLock writing(write_mutex_);
  const MonotonicTime now = environment_.clock.monotonic();
  if (now < next_content_sweep_) return;
  next_content_sweep_ = now + kBetweenSweeps;
  if (const Status swept = drop_unused_content(); !swept.ok()) {
    spdlog::error("dropping content: {}", swept.message());
  }
}

// What is in use is used now, so that it stays for a while after its last job has ended. An upload
// and whoever asks for content do the same with the right to write or with the blob pinned.
Status Coordinator::drop_unused_content() {
  PM_TRY(read_used_lists());
  const WallTime now = environment_.clock.wall();
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  int dropped = 0;
  Status committed;
  {
    const MutexLock lock(mutex_);  // no job comes meanwhile that names what goes
    PM_ASSIGN(const auto used, used_content());
    for (const std::string& sha256 : used) transaction.use_content(sha256, now);
    dropped = transaction.drop_content(now - config_.keep_content);
    committed = transaction.commit();
    files_moved_ |= dropped > 0;
  }
  PM_TRY(note_commit(committed, begin, 0));
  if (dropped > 0) spdlog::info("dropped {} files of content that nothing named", dropped);
  PM_ASSIGN(const int broken, blobs().drop_unfinished(kUnfinishedAge));
  if (broken > 0) spdlog::info("dropped {} uploads that nobody has gone on with", broken);
  return {};
}

// Lists that are far away come near, while nobody waits for the lock.
Status Coordinator::read_used_lists() {
  std::set<std::string> names;
  {
    const MutexLock lock(mutex_);
    PM_ASSIGN(names, used_names());
  }
  return files_behind(names).status();
}

Result<std::set<std::string>> Coordinator::used_content() {
  PM_ASSIGN(const auto names, used_names());
  return files_behind(names);
}

Result<std::set<std::string>> Coordinator::used_names() {
  std::set<std::string> names;
  for (const auto& [id, job] : live_.jobs) collect_content_names(job.record.job.spec(), names);
  for (const auto& [id, sweep] : live_.sweeps) {  // all trials of a grid are jobs
    if (sweep.is_search()) PM_TRY(collect_content_names(sweep.spec, names));
  }
  PM_ASSIGN(const auto models, reader().models());
  for (const v1::Model& model : models) names.insert(model.content());
  return names;
}

Result<std::set<std::string>> Coordinator::files_behind(const std::set<std::string>& names) {
  std::set<std::string> digests;
  for (const std::string& name : names) {
    PM_ASSIGN(const ContentName content, parse_content_name(name));
    digests.insert(content.sha256);
    if (!content.folder) continue;
    const auto files = read_folder_list(blobs(), content.sha256);
    if (files.ok()) {
      for (const FolderFile& file : *files) digests.insert(file.sha256);
    } else if (files.status().code() == Code::kUnavailable) {
      return files.status();  // what is away is whole: nothing is swept until it is back
    } else {  // nobody can tell what was in it, and the rest is to be swept all the same
      spdlog::error("{} is in use but damaged: {}", name, files.status().message());
    }
  }
  return digests;
}

}  // namespace prefixmem
