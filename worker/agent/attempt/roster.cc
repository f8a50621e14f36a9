#include "worker/agent/attempt/roster.h"

#include "common/log.h"

namespace prefixmem::agent {

void Roster::assign(GangAssignment assignment) {
  {
    const MutexLock lock(mutex_);
    if (assignment.is_member()) return take_part(std::move(assignment));
    std::vector<Assignment> unknown;
    for (Assignment& one : assignment.attempts) {
      if (!attempts_.contains(one.key)) unknown.push_back(std::move(one));
    }
    assignment.attempts = std::move(unknown);
    if (assignment.attempts.empty()) return;
    if (closed_) {
      for (const Assignment& one : assignment.attempts) {
        answers_.push_back({one.key, AttemptEnd{unavailable(*closed_), ""}});
      }
    } else {
      join(assignment);
      if (!assignment.attempts.empty()) start(std::move(assignment));
    }
  }
  bell_.ring();
}

// Where nothing is started any more, the head hears of it from the coordinator, as of a member
// lost.
void Roster::take_part(GangAssignment assignment) {
  const AttemptKey key = assignment.attempts.front().key;
  if (closed_ || members_.contains(key)) return;
  spdlog::info("{} has {} of its {} ranks here, in the gang of worker {}", key.text(),
               assignment.ranks_here(), assignment.ranks, assignment.head().worker);
  auto gpus = gpus_for(assignment.ranks_here());
  members_[key] = std::make_shared<Member>(std::move(assignment), std::move(gpus), world_,
                                           [this] { bell_.ring(); });
}

void Roster::join(GangAssignment& assignment) {
  if (assignment.gang.empty()) return;
  for (const auto& run : holding_slots()) {
    if (run->name() != assignment.gang) continue;
    std::vector<Assignment> left;
    for (Assignment& one : assignment.attempts) {
      Attempt* const joined = run->join(one);
      if (joined == nullptr) {
        left.push_back(std::move(one));
        continue;
      }
      spdlog::info("{} ({}) joins the gang {}", one.key.text(), one.job_name, run->name());
      attempts_[one.key] = {run, joined};
    }
    assignment.attempts = std::move(left);
  }
}

void Roster::start(GangAssignment assignment) {
  for (const Assignment& one : assignment.attempts) {
    spdlog::info("{} ({}) starts with {} ranks in a gang of {}", one.key.text(), one.job_name,
                 assignment.ranks, assignment.attempts.size());
  }
  auto gpus = gpus_for(assignment.ranks_here());
  const auto run = std::make_shared<GangRun>(std::move(assignment), std::move(gpus), world_,
                                             [this] { bell_.ring(); });
  for (Attempt* attempt : run->attempts()) attempts_[attempt->key()] = {run, attempt};
}

std::vector<std::string> Roster::gpus_for(int ranks) const {
  const auto& gpus = world_.options.device.gpus;
  if (gpus.size() < 2) return {};
  std::map<std::string, int> gangs_on;
  for (const auto& run : holding_slots()) {
    for (const std::string& id : run->gpus()) ++gangs_on[id];
  }
  for (const auto& [key, member] : members_) {
    if (!member->holds_slots()) continue;
    for (const std::string& id : member->gpus()) ++gangs_on[id];
  }
  return choose_gpus(gpus, gangs_on, ranks);
}

void Roster::cancel(const AttemptKey& key, const std::string& reason, std::optional<Millis> grace) {
  spdlog::info("{} is to stop: {}", key.text(), reason);
  if (const auto attempt = find(key)) {
    attempt->stop(StopKind::kCancel, reason, grace);
    return;
  }
  if (const auto member = find_member(key)) return member->stop();
  {
    const MutexLock lock(mutex_);
    answers_.push_back({key, AttemptEnd{cancelled(reason), ""}});
  }
  bell_.ring();
}

void Roster::abandon(const std::vector<AttemptKey>& stale) {
  for (const AttemptKey& key : stale) {
    spdlog::warn("{} is not current any more and is killed", key.text());
    if (const auto attempt = find(key)) {
      attempt->stop(StopKind::kAbandon, "the attempt is not current any more");
    } else if (const auto member = find_member(key)) {
      member->stop();
    }
  }
  bell_.ring();
}

void Roster::shut_down(const std::string& reason) {
  {
    const MutexLock lock(mutex_);
    closed_ = reason;
  }
  bell_.ring();
  for (const auto& attempt : all()) attempt->stop(StopKind::kShutDown, reason);
}

bool Roster::draining() const {
  const MutexLock lock(mutex_);
  return closed_.has_value();
}

void Roster::acknowledge_events(const AttemptKey& key, int64_t up_to) {
  if (const auto attempt = find(key)) attempt->acknowledge_events(up_to);
}

void Roster::acknowledge_end(const AttemptKey& key) {
  if (const auto attempt = find(key)) attempt->acknowledge_end();
}

void Roster::on_note(Note note) {
  if (const auto member = find_member(note.key)) return member->on_note(std::move(note));
  std::shared_ptr<GangRun> run;
  {
    const MutexLock lock(mutex_);
    const auto at = attempts_.find(note.key);
    if (at != attempts_.end()) run = at->second.run;
  }
  if (run) run->on_note(std::move(note));
}

std::optional<Note> Roster::next_note() {
  for (const auto& member : all_members()) {
    if (auto note = member->next_note()) return note;
  }
  for (const auto& run : runs()) {
    if (auto note = run->next_note()) return note;
  }
  return std::nullopt;
}

void Roster::rewind() {
  for (const auto& attempt : all()) attempt->rewind();
  for (const auto& member : all_members()) member->rewind();
  for (const auto& run : runs()) run->rewind();
  bell_.ring();
}

std::optional<AttemptReport> Roster::next_report() {
  const MutexLock lock(mutex_);
  if (!answers_.empty()) {
    AttemptReport report = std::move(answers_.front());
    answers_.pop_front();
    return report;
  }
  auto at = attempts_.upper_bound(last_told_);
  for (size_t i = 0; i < attempts_.size(); ++i, ++at) {
    if (at == attempts_.end()) at = attempts_.begin();
    if (auto report = at->second.attempt->next_report()) {
      last_told_ = at->first;
      return report;
    }
  }
  return std::nullopt;
}

void Roster::sweep() {
  std::vector<std::shared_ptr<void>> finished;  // destroyed without the lock
  {
    const MutexLock lock(mutex_);
    std::erase_if(members_, [&](const auto& entry) {
      if (!entry.second->finished()) return false;
      finished.push_back(entry.second);
      return true;
    });
    std::erase_if(attempts_, [&](const auto& entry) {
      if (!entry.second.attempt->finished()) return false;
      finished.push_back(entry.second.run);
      return true;
    });
  }
  if (finished.empty()) return;
  finished.clear();
  emptied_.notify_all();
}

bool Roster::wait_until_empty(MonotonicTime deadline) {
  const MutexLock lock(mutex_);
  const auto empty = [this]() PM_REQUIRES(mutex_) { return attempts_.empty() && members_.empty(); };
  while (!empty()) {
    if (!emptied_.wait_until(mutex_, deadline)) return empty();
  }
  return true;
}

std::shared_ptr<Attempt> Roster::find(const AttemptKey& key) const {
  const MutexLock lock(mutex_);
  const auto at = attempts_.find(key);
  if (at == attempts_.end()) return nullptr;
  return {at->second.run, at->second.attempt};
}

std::vector<std::shared_ptr<Attempt>> Roster::all() const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Attempt>> found;
  for (const auto& [key, entry] : attempts_) found.emplace_back(entry.run, entry.attempt);
  return found;
}

std::shared_ptr<Member> Roster::find_member(const AttemptKey& key) const {
  const MutexLock lock(mutex_);
  const auto at = members_.find(key);
  return at == members_.end() ? nullptr : at->second;
}

std::vector<std::shared_ptr<Member>> Roster::all_members() const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Member>> found;
  for (const auto& [key, member] : members_) found.push_back(member);
  return found;
}

std::set<std::shared_ptr<GangRun>> Roster::runs() const {
  const MutexLock lock(mutex_);
  std::set<std::shared_ptr<GangRun>> found;
  for (const auto& [key, entry] : attempts_) found.insert(entry.run);
  return found;
}

std::set<std::shared_ptr<GangRun>> Roster::holding_slots() const {
  std::set<std::shared_ptr<GangRun>> found;
  for (const auto& [key, entry] : attempts_) {
    if (entry.run->holds_slots()) found.insert(entry.run);
  }
  return found;
}

std::map<AttemptKey, Millis> Roster::known() const {
  std::map<AttemptKey, Millis> ages;
  for (const auto& attempt : all()) ages[attempt->key()] = attempt->age();
  return ages;
}

std::vector<AttemptKey> Roster::members() const {
  std::vector<AttemptKey> keys;
  for (const auto& member : all_members()) keys.push_back(member->key());
  return keys;
}

std::vector<AttemptKey> Roster::running() const {
  std::vector<AttemptKey> keys = members();
  for (const auto& attempt : all()) {
    if (!attempt->closed()) keys.push_back(attempt->key());
  }
  return keys;
}

int Roster::used_slots() const {
  const MutexLock lock(mutex_);
  int slots = 0;
  for (const auto& run : holding_slots()) slots += run->ranks();
  for (const auto& [key, member] : members_) slots += member->holds_slots() ? member->ranks() : 0;
  return slots;
}

int64_t Roster::spooled_events() const {
  int64_t events = 0;
  for (const auto& attempt : all()) events += attempt->spooled();
  return events;
}

}  // namespace prefixmem::agent
