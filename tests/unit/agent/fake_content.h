// A coordinator's content in memory.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/thread_annotations.h"
#include "worker/agent/transfer/content_source.h"

namespace prefixmem::agent {

// Thread-safe.
class FakeContent final : public ContentSource {
 public:
  // Names of what is then there.
  ContentName add(const std::string& name, const std::string& bytes) {
    const MutexLock lock(mutex_);
    const std::string sha256 = sha256_hex(bytes);
    contents_[sha256] = bytes;
    return {sha256, name};
  }
  ContentName add_folder(const std::string& name, const std::map<std::string, std::string>& files) {
    FolderList list;
    for (const auto& [path, bytes] : files) {
      list.push_back({path, static_cast<int64_t>(bytes.size()), add(path, bytes).sha256});
    }
    return {add("", print_folder_list(list)).sha256, name, true};
  }

  Status fetch(const std::string& sha256, const std::filesystem::path& file, const Admit& admit,
               std::stop_token stop) override {
    std::string bytes;
    std::function<void()> meanwhile;
    {
      const MutexLock lock(mutex_);
      fetched_.push_back(sha256);
      if (!contents_.contains(sha256)) return not_found("there is no content " + sha256);
      bytes = contents_.at(sha256);
      meanwhile = on_fetch_;
    }
    PM_TRY(admit(static_cast<int64_t>(bytes.size())));
    if (meanwhile) meanwhile();
    if (stop.stop_requested()) return cancelled("the transfer was stopped");
    Status answer;
    {
      const MutexLock lock(mutex_);
      if (!answers_.empty()) {
        answer = answers_.front();
        answers_.pop_front();
      }
    }
    PM_TRY(answer);
    return write_file_atomic(file, bytes);
  }

  // What the next fetches end with, after they were let in.
  void answer(std::initializer_list<Status> answers) {
    const MutexLock lock(mutex_);
    answers_ = answers;
  }
  // Called in the middle of each fetch.
  void on_fetch(std::function<void()> call) {
    const MutexLock lock(mutex_);
    on_fetch_ = std::move(call);
  }
  // Digests in the order in which they were asked for.
  std::vector<std::string> fetched() const {
    const MutexLock lock(mutex_);
    return fetched_;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::string> contents_ PM_GUARDED_BY(mutex_);
  std::deque<Status> answers_ PM_GUARDED_BY(mutex_);
  std::function<void()> on_fetch_ PM_GUARDED_BY(mutex_);
  std::vector<std::string> fetched_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::agent
