// What has changed in memory and is not yet durable, and what may be said once it is.
//
// Everything the coordinator does goes through here: it changes its memory, notes the change, and
// one transaction writes all notes; only then are the messages sent that rest on them. What is
// noted while a transaction is being written goes into the next, however many calls it comes from.
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
  // The first has number 1, and each `next` one more.
  explicit Journal(int64_t number = 1) : number_(number) {}
  int64_t number() const { return number_; }
  // This one, to be written; what is noted from now on goes into one that follows it.
  Journal take() { return std::exchange(*this, Journal(number_ + 1)); }

  // The job's record and its placed attempt, as they will be at the commit.
  void job_changed(const std::string& job_id) { jobs_.insert(job_id); }
  void job_added(const std::string& job_id) { added_jobs_.push_back(job_id); }
  void sweep_changed(const std::string& sweep_id) { sweeps_.insert(sweep_id); }
  void sweep_added(const std::string& sweep_id) { added_sweeps_.push_back(sweep_id); }
  void add(store::ContentRecord content) { content_.push_back(std::move(content)); }
  void add(store::Submission submission) { submissions_.push_back(std::move(submission)); }
  void attempt_ended(store::AttemptRecord attempt) { ended_.push_back(std::move(attempt)); }
  void worker_changed(const std::string& worker_id) { workers_.insert(worker_id); }
  // What it has used.
  void tenant_changed(const std::string& name) { tenants_.insert(name); }
  void add(v1::JobEvent event) { events_.push_back(std::move(event)); }
  void add(const std::string& job_id, v1::Artifact artifact) {
    artifacts_.emplace_back(job_id, std::move(artifact));
  }
  // All files of the best adapter of that step have come: those that came before are dropped, and
  // once the job has ended those that came after, which are not whole.
  void best_adapter_complete(const std::string& job_id, int64_t step) {
    best_adapters_.emplace_back(job_id, step);
  }
  // After the commit, in this order; `link` may be null: then nothing is sent.
  void send(std::shared_ptr<WorkerLink> link, v1::CoordinatorMessage message) {
    if (link) messages_.emplace_back(std::move(link), std::move(message));
  }

  bool empty() const;
  // Whether files come or go.
  bool has_files() const {
    return !artifacts_.empty() || !ended_.empty() || !best_adapters_.empty();
  }
  size_t events() const { return events_.size(); }

  // Of a job's checkpoints train.keep_checkpoints are kept, without it the newest two, and only the
  // newest once it has succeeded.
  void write(store::Transaction& transaction, Live& live);
  // All of the following once it is durable. Sends what is to be sent.
  void deliver();
  // Drops from memory what has ended and what only stood there until it was written.
  void settle(Live& live) const;
  // Jobs and sweeps of which there is news, the sweeps of those jobs too.
  const std::set<std::string>& news() const { return news_; }

 private:
  void write_jobs(store::Transaction& transaction, Live& live);
  void write_sweeps(store::Transaction& transaction, const Live& live);
  void write_workers(store::Transaction& transaction, const Live& live) const;
  void write_artifacts(store::Transaction& transaction, const Live& live) const;

  int64_t number_;
  std::set<std::string> jobs_;
  std::set<std::string> sweeps_;
  std::set<std::string> workers_;
  std::set<std::string> tenants_;
  std::vector<std::string> added_jobs_, added_sweeps_;  // in their order
  std::vector<store::ContentRecord> content_;
  std::vector<store::Submission> submissions_;
  std::vector<store::AttemptRecord> ended_;
  std::vector<v1::JobEvent> events_;
  std::vector<std::pair<std::string, v1::Artifact>> artifacts_;
  std::vector<std::pair<std::string, int64_t>> best_adapters_;  // job and step
  std::vector<std::pair<std::shared_ptr<WorkerLink>, v1::CoordinatorMessage>> messages_;
  // Known once it is written.
  std::vector<std::string> ended_jobs_, ended_sweeps_;
  std::set<std::string> news_;
};

}  // namespace prefixmem
