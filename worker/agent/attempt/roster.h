// The attempts of this worker.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/thread_annotations.h"
#include "worker/agent/attempt/attempt.h"
#include "worker/agent/attempt/bell.h"
#include "worker/agent/attempt/gang_run.h"
#include "worker/agent/attempt/member.h"

namespace prefixmem::agent {

// Thread-safe. Rings its bell when there may be something new for next_report() or something to
// remove.
class Roster {
 public:
  explicit Roster(AttemptWorld world) : world_(std::move(world)) {}

  // Starts those of its attempts that are not known already, in the gang of that name where it runs
  // and otherwise in a gang of their own; or takes part in the gang that another worker heads.
  void assign(GangAssignment assignment);
  // An attempt that is not known is reported as ended all the same, so that the asker has an
  // answer. `grace`: until it is killed; none: AttemptOptions::cancel_grace.
  void cancel(const AttemptKey& key, const std::string& reason,
              std::optional<Millis> grace = std::nullopt);
  // Kills what is not current any more, without reports.
  void abandon(const std::vector<AttemptKey>& stale);
  // The worker goes away: stops all, and starts none any more.
  void shut_down(const std::string& reason);
  // shut_down() was called; true before it causes any report.
  bool draining() const;

  void acknowledge_events(const AttemptKey& key, int64_t up_to);
  void acknowledge_end(const AttemptKey& key);

  // What another worker of a gang says. Of a gang that is not here it is dropped.
  void on_note(Note note);
  std::optional<Note> next_note();

  // A new connection: everything unacknowledged is told again.
  void rewind();
  // What is next to be told, in turn over the attempts.
  std::optional<AttemptReport> next_report();

  // Forgets finished attempts; their folders go with the last of their gang.
  void sweep();
  // Until all have finished and are swept: true; or until `deadline`. Its reports must meanwhile be
  // sent by somebody else.
  bool wait_until_empty(MonotonicTime deadline);

  // With those that wait for acknowledgement; how long each has been here.
  std::map<AttemptKey, Millis> known() const;
  std::vector<AttemptKey> members() const;  // of whose gangs this worker is a member
  std::vector<AttemptKey> running() const;  // both; they may still train
  int used_slots() const;
  int64_t spooled_events() const;
  Bell& bell() { return bell_; }

 private:
  // Each keeps its gang's run alive.
  std::shared_ptr<Attempt> find(const AttemptKey& key) const;
  std::shared_ptr<Member> find_member(const AttemptKey& key) const;
  std::vector<std::shared_ptr<Member>> all_members() const;
  std::set<std::shared_ptr<GangRun>> runs() const;
  std::vector<std::shared_ptr<Attempt>> all() const;
  std::set<std::shared_ptr<GangRun>> holding_slots() const PM_REQUIRES(mutex_);
  // Takes those out that a gang has taken in.
  void join(GangAssignment& assignment) PM_REQUIRES(mutex_);
  void start(GangAssignment assignment) PM_REQUIRES(mutex_);
  void take_part(GangAssignment assignment) PM_REQUIRES(mutex_);
  std::vector<std::string> gpus_for(int ranks) const PM_REQUIRES(mutex_);

  const AttemptWorld world_;
  Bell bell_;

  mutable Mutex mutex_;
  CondVar emptied_;
  // What is not finished; a run goes with the last of its attempts.
  struct Entry {
    std::shared_ptr<GangRun> run;
    Attempt* attempt = nullptr;
  };
  std::map<AttemptKey, Entry> attempts_ PM_GUARDED_BY(mutex_);
  std::map<AttemptKey, std::shared_ptr<Member>> members_ PM_GUARDED_BY(mutex_);
  std::deque<AttemptReport> answers_ PM_GUARDED_BY(mutex_);  // for attempts that are not here
  AttemptKey last_told_ PM_GUARDED_BY(mutex_);
  std::optional<std::string> closed_ PM_GUARDED_BY(mutex_);  // why nothing is started any more
};

}  // namespace prefixmem::agent
