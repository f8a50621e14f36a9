#include "coordinator/scheduler/queue.h"

#include <limits>

namespace prefixmem::scheduler {
namespace {

template <class Key>
void take_out(std::map<Key, Queue::Line>& lines, const Key& key, const Turn& turn) {
  const auto line = lines.find(key);
  line->second.erase(turn);
  if (line->second.empty()) lines.erase(line);
}

}  // namespace

Kind kind_of(const Job& job) {
  Kind kind{.tenant = job.tenant,
            .ranks = job.is_elastic() ? job.most : job.ranks,
            .least = job.least,
            .device = job.device,
            .bank_limit = job.bank_limit};
  if (!job.time.text.empty()) kind.left = job.time.left;
  kind.bank = job.bank;
  kind.resumes = job.resumes && !job.bank.empty();
  kind.memory = job.memory;
  kind.avoid = job.avoid;
  return kind;
}

Turn turn_of(const Job& job) {
  const int64_t turn = job.turn == 0 ? std::numeric_limits<int64_t>::max() : job.turn;
  return {-job.priority, turn, job.order, job.id};
}

Queue::Queue(const std::vector<Job>& jobs) {
  for (const Job& job : jobs) put(job);
}

Queue::Change Queue::put(const Job& job) {
  if (const Job* known = find(job.id)) {
    if (*known == job) return Change::kNone;
    erase(job.id);
  }
  const Job& kept = jobs_[job.id] = job;
  const Turn turn = turn_of(kept);
  if (!kept.bank.empty()) banks_[kept.bank].emplace(turn, &kept);
  Line& line = lines_[kind_of(kept)];
  const auto place = line.emplace(turn, &kept).first;
  return place == line.begin() ? Change::kFirst : Change::kBehind;
}

void Queue::erase(const std::string& id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  const Job& job = found->second;
  take_out(lines_, kind_of(job), turn_of(job));
  if (!job.bank.empty()) take_out(banks_, job.bank, turn_of(job));
  jobs_.erase(found);
}

const Job* Queue::find(const std::string& id) const {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

const Queue::Line& Queue::of_bank(const std::string& bank) const {
  static const Line kNone;
  const auto found = banks_.find(bank);
  return found == banks_.end() ? kNone : found->second;
}

}  // namespace prefixmem::scheduler
