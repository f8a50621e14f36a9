#include "coordinator/core/journal.h"

#include "common/proto/job_state.h"
#include "common/proto/sweep_state.h"

namespace prefixmem {
namespace {

constexpr int kCheckpointsKept = 2;  // a damaged newest one leaves another to resume from
constexpr int kCheckpointsOfASuccess = 1;

int checkpoints_kept(const Live& live, const std::string& job_id, int unless_given) {
  const auto job = live.jobs.find(job_id);
  if (job == live.jobs.end()) return unless_given;
  const v1::TrainSpec& train = job->second.record.job.spec().train();
  return train.has_keep_checkpoints() ? static_cast<int>(train.keep_checkpoints()) : unless_given;
}

}  // namespace

bool Journal::empty() const {
  return jobs_.empty() && sweeps_.empty() && workers_.empty() && tenants_.empty() &&
         added_jobs_.empty() && added_sweeps_.empty() && content_.empty() && submissions_.empty() &&
         ended_.empty() && events_.empty() && artifacts_.empty() && best_adapters_.empty() &&
         messages_.empty();
}

void Journal::write(store::Transaction& transaction, Live& live) {
  write_sweeps(transaction, live);
  for (const store::ContentRecord& content : content_) transaction.add_content(content);
  write_jobs(transaction, live);
  for (const store::AttemptRecord& attempt : ended_) transaction.put_attempt(attempt);
  for (const v1::JobEvent& event : events_) transaction.add_event(event);
  for (const store::Submission& submission : submissions_) transaction.add_submission(submission);
  write_artifacts(transaction, live);
  for (const std::string& name : tenants_) transaction.put_usage(live.tenants.at(name).record);
  write_workers(transaction, live);
}

void Journal::write_sweeps(store::Transaction& transaction, const Live& live) {
  for (const std::string& id : added_sweeps_) {
    const LiveSweep& sweep = live.sweeps.at(id);
    transaction.insert_sweep(sweep.shown);
    for (const auto& [name, model] : sweep.told) transaction.add_told_model(id, model->sent);
  }
  const std::set<std::string> added(added_sweeps_.begin(), added_sweeps_.end());
  sweeps_.insert(added.begin(), added.end());
  for (const std::string& id : sweeps_) {
    const v1::Sweep& shown = live.sweeps.at(id).shown;
    if (!added.contains(id)) transaction.update_sweep(shown);
    if (has_ended(shown.state())) {
      transaction.drop_told_models(id);
      ended_sweeps_.push_back(id);
    }
    news_.insert(id);
  }
}

void Journal::write_jobs(store::Transaction& transaction, Live& live) {
  for (const std::string& id : added_jobs_) transaction.insert_job(live.jobs.at(id).record);
  const std::set<std::string> added(added_jobs_.begin(), added_jobs_.end());
  jobs_.insert(added.begin(), added.end());
  for (const std::string& id : jobs_) {
    const LiveJob& job = live.jobs.at(id);
    if (!added.contains(id)) transaction.update_job(job.record);
    if (job.attempt) transaction.put_attempt(*job.attempt);
    if (has_ended(job.record.job.state())) ended_jobs_.push_back(id);
    news_.insert(id);
    if (!job.record.job.sweep_id().empty()) news_.insert(job.record.job.sweep_id());
  }
}

void Journal::write_workers(store::Transaction& transaction, const Live& live) const {
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
      transaction.keep_newest_checkpoints(job_id, checkpoints_kept(live, job_id, kCheckpointsKept));
    } else {
      transaction.keep_newest_version(job_id, artifact.path());
    }
  }
  for (const std::string& id : jobs_) {
    const v1::Job& job = live.jobs.at(id).record.job;
    if (has_ended(job.state()) && job.spec().train().keep_best()) {
      transaction.keep_best_adapter(id, job.progress().best_adapter_step());
    }
    if (job.state() != v1::JOB_STATE_SUCCEEDED) continue;
    transaction.keep_newest_checkpoints(id, checkpoints_kept(live, id, kCheckpointsOfASuccess));
  }
  for (const auto& [job_id, step] : best_adapters_) {
    transaction.drop_best_adapters_before(job_id, step);
  }
}

void Journal::deliver() {
  for (auto& [link, message] : messages_) link->send(std::move(message));
}

void Journal::settle(Live& live) const {
  for (const std::string& id : ended_jobs_) live.jobs.erase(id);
  for (const std::string& id : ended_sweeps_) live.sweeps.erase(id);
  for (const auto& submission : submissions_) {
    live.unwritten_submissions.erase(submission.idempotency_key);
  }
  for (const auto& [job_id, artifact] : artifacts_) {
    const auto job = live.jobs.find(job_id);
    if (job == live.jobs.end()) continue;
    job->second.unwritten_files -= 1;
    live.moved.insert(job_id);
  }
}

}  // namespace prefixmem
