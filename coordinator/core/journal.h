// What has changed in memory and is not yet durable, and what may be said once it is.
//
// Everything the coordinator does goes through here: it changes its memory, notes the change, and
// one transaction writes all notes; only then are the messages sent that rest on them.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/live.h"
#include "coordinator/core/worker_link.h"
#include "coordinator/store/store.h"

namespace prefixmem {

// Not thread-safe.
class Journal {
 public:
  // The job's record and its placed attempt, as they will be at the commit.
  void job_changed(const std::string& job_id) { jobs_.insert(job_id); }
  void sweep_changed(const std::string& sweep_id) { sweeps_.insert(sweep_id); }
  void attempt_ended(store::AttemptRecord attempt) { ended_.push_back(std::move(attempt)); }
  void worker_changed(const std::string& worker_id) { workers_.insert(worker_id); }
  void add(v1::JobEvent event) { events_.push_back(std::move(event)); }
  void add(const std::string& job_id, v1::Artifact artifact) {
    artifacts_.emplace_back(job_id, std::move(artifact));
  }
  // After the commit, in this order; `link` may be null: then nothing is sent.
  void send(std::shared_ptr<WorkerLink> link, v1::CoordinatorMessage message) {
    if (link) messages_.emplace_back(std::move(link), std::move(message));
  }

  bool empty() const;
  size_t events() const { return events_.size(); }

  // Of a job's checkpoints the newest two are kept, and only the newest once it has succeeded.
  void write(store::Transaction& transaction, const Live& live) const;
  // After the commit: sends, forgets all notes and returns the jobs and sweeps that have changed.
  std::set<std::string> deliver();

 private:
  void write_artifacts(store::Transaction& transaction, const Live& live) const;

  std::set<std::string> jobs_;
  std::set<std::string> sweeps_;
  std::set<std::string> workers_;
  std::vector<store::AttemptRecord> ended_;
  std::vector<v1::JobEvent> events_;
  std::vector<std::pair<std::string, v1::Artifact>> artifacts_;
  std::vector<std::pair<std::shared_ptr<WorkerLink>, v1::CoordinatorMessage>> messages_;
};

}  // namespace prefixmem
