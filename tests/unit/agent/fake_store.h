// A coordinator's store in memory.
#pragma once

#include <deque>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "common/files.h"
#include "common/thread_annotations.h"
#include "worker/agent/transfer/artifact_store.h"

namespace prefixmem::agent {

// Thread-safe.
class FakeStore final : public ArtifactStore {
 public:
  Status upload(const AttemptKey&, Artifact artifact, const std::filesystem::path& folder,
                std::stop_token) override {
    const auto bytes = read_file(folder / artifact.path);
    const MutexLock lock(mutex_);
    if (!answers_.empty()) {
      const Status answer = answers_.front();
      answers_.pop_front();
      if (!answer.ok()) return answer;
    }
    if (!bytes.ok()) return bytes.status();
    const std::string& state = artifact.state_digest;
    uploads_.push_back(artifact.kind + " " + artifact.path + " " + *bytes +
                       (state.empty() ? "" : " of state " + state));
    return {};
  }
  Status fetch(const std::string& job_id, const Artifact& artifact,
               const std::filesystem::path& file, std::stop_token) override {
    if (artifact.sha256 == kDamaged) return data_loss("the bytes are others");
    return write_file_atomic(file, job_id + " " + artifact.sha256);
  }
  static constexpr const char* kDamaged = "damaged";  // the digest of what cannot be fetched

  // What the next uploads are answered.
  void answer(std::initializer_list<Status> answers) {
    const MutexLock lock(mutex_);
    answers_ = answers;
  }
  // "kind path content", with the digest of a checkpoint's state, in the order of arrival.
  std::vector<std::string> uploads() const {
    const MutexLock lock(mutex_);
    return uploads_;
  }

 private:
  mutable Mutex mutex_;
  std::deque<Status> answers_ PM_GUARDED_BY(mutex_);
  std::vector<std::string> uploads_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::agent
