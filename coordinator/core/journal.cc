#include "coordinator/core/journal.h"

namespace prefixmem {
namespace {

constexpr int kCheckpointsKept = 2;  // a damaged newest one leaves another to resume from
constexpr int kCheckpointsOfASuccess = 1;

}  // namespace

bool Journal::empty() const {
  return jobs_.empty() && sweeps_.empty() && workers_.empty() && ended_.empty() &&
         events_.empty() && artifacts_.empty() && messages_.empty();
}

void Journal::write(store::Transaction& transaction, const Live& live) const {
  for (const std::string& id : jobs_) {
    const LiveJob& job = live.jobs.at(id);
    transaction.update_job(job.record);
    if (job.attempt) transaction.put_attempt(*job.attempt);
  }
  for (const std::string& id : sweeps_) transaction.update_sweep(live.sweeps.at(id).shown);
  for (const store::AttemptRecord& attempt : ended_) transaction.put_attempt(attempt);
  for (const v1::JobEvent& event : events_) transaction.add_event(event);
  write_artifacts(transaction, live);
  for (const std::string& id : workers_) {
    const auto found = live.workers.find(id);
    if (found == live.workers.end()) {
      transaction.drop_worker(id);
    } else {
      transaction.put_worker(found->second.info);
    }
  }
}

void Journal::write_artifacts(store::Transaction& transaction, const Live& live) const {
  for (const auto& [job_id, artifact] : artifacts_) {
    transaction.add_artifact(job_id, artifact);
    if (artifact.kind() == "checkpoint") {
      transaction.keep_newest_checkpoints(job_id, kCheckpointsKept);
    } else {
      transaction.keep_newest_version(job_id, artifact.path());
    }
  }
  for (const std::string& id : jobs_) {
    if (live.jobs.at(id).record.job.state() != v1::JOB_STATE_SUCCEEDED) continue;
    transaction.keep_newest_checkpoints(id, kCheckpointsOfASuccess);
  }
}

std::set<std::string> Journal::deliver() {
  Journal done = std::exchange(*this, Journal());
  for (auto& [link, message] : done.messages_) link->send(std::move(message));
  done.jobs_.merge(done.sweeps_);
  return std::move(done.jobs_);
}

}  // namespace prefixmem
