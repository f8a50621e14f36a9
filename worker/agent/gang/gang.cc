#include "worker/agent/gang/gang.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/log.h"
#include "worker/agent/gang/child.h"
#include "worker/agent/gang/event_server.h"
#include "worker/agent/gang/family.h"
#include "worker/agent/gang/process_table.h"
#include "worker/agent/gang/trials.h"

namespace prefixmem::agent {
namespace {

class Gang final : private EventServer::Listener {
 public:
  Gang(const GangPlan& plan, const GangWorld& world, StopRequest& stop,
       const GangListener& listener)
      : plan_(plan),
        world_(world),
        stop_(stop),
        listener_(listener),
        roll_call_(world.limits.patience),
        trials_(plan.trials) {}

  GangEnd run() {
    end_.trouble = start();
    if (!mpirun_) return std::move(end_);
    watch();
    finish();
    mpirun_->log().finish();
    end_.output = mpirun_->log().lines();
    end_.output_tail = mpirun_->log().tail();
    return std::move(end_);
  }

 private:
  Status start() {
    PM_ASSIGN(auto server, EventServer::listen(plan_.socket));
    server_ = std::make_unique<EventServer>(std::move(server));
    memory_at_start_ = memory_at_look_ = world_.memory();
    PM_ASSIGN(Child mpirun, Child::start(world_.launcher, plan_.command, plan_.output_file));
    mpirun_ = std::move(mpirun);
    started_at_ = next_look_ = now();
    next_roll_call_ = started_at_ + world_.limits.roll_call;
    family_ = std::make_unique<Family>(mpirun_->pid(), plan_.mark, world_.launcher);
    return {};
  }

  // Until mpirun has ended or everything was killed.
  void watch() {
    while (end_.trouble.ok()) {
      obey();
      if (const auto deadline = kill_at(); deadline && now() >= *deadline) return;
      std::vector<pollfd> polled;
      mpirun_->add_to(polled);
      polled.push_back({stop_.fd(), POLLIN, 0});
      server_->add_to(polled);
      poll(polled.data(), polled.size(), wait_millis());
      const bool gone = polled[0].revents != 0;
      take_what_came();
      if (gone) return;
      if (now() >= next_look_) look();
      if (now() >= next_roll_call_) call_the_roll();
    }
  }

  void take_what_came() {
    Status status = mpirun_->read_output();
    if (status.ok()) status = server_->serve(*this);
    if (end_.trouble.ok()) end_.trouble = std::move(status);
  }

  void look() {
    family_->look();
    memory_at_look_ = world_.memory();
    next_look_ = now() + world_.limits.look;
    if (!end_.trouble.ok()) return;
    end_.trouble = family_->none_stopped_for(world_.limits.standstill, world_.limits.look);
    if (!end_.trouble.ok()) return;
    if (left_at_ && now() - *left_at_ >= world_.limits.failure) {
      end_.trouble =
          unavailable("mpirun has not ended within " +
                      std::to_string(world_.limits.failure.count() / 1000) + " s of its last rank");
    }
    if (!began_ && !asked_ && now() - started_at_ >= world_.limits.start) {
      end_.trouble =
          internal_error("no rank has reported within " +
                         std::to_string(world_.limits.start.count() / 1000) + " s of the start");
    }
  }

  // Judges by the answers to the last round, then asks again. Of a gang that ends nobody is missed
  // in a call.
  void call_the_roll() {
    next_roll_call_ = now() + world_.limits.roll_call;
    if (over_at_) return;
    if (!end_.first_lost_rank) take_note_of(roll_call_.hang());
    roll_call_.begin(listener_.hears_other_hosts());
    const Millis silence = world_.limits.silence;
    const auto rounds = static_cast<int>(silence / world_.limits.roll_call);
    if (const auto silent = roll_call_.silent(rounds)) {
      end_.trouble =
          unavailable(silent_text(*silent, silence, world_.host, state_of(silent->home)));
    }
    for (const int rank : roll_call_.asked()) server_->tell(rank, "{\"where\":{}}\n");
  }

  void take_note_of(const std::optional<Hang>& hang) {
    const bool same = same_hang(hang_, hang);
    hang_ = hang;
    if (same) return;
    listener_.on_hang(hang);
    end_.hang.clear();
    if (!hang) return say(0, "info", "the ranks go on: no collective call hangs any more");
    if (hang->absent.empty()) say(0, "warning", endless_text(*hang, world_.host));
    for (const Hang::Absent& absent : hang->absent) {
      say(absent.rank, "warning", absent_text(*hang, absent, world_.host, state_of(absent.home)));
    }
  }

  void say(int rank, const std::string& level, const std::string& message) {
    if (level == "warning") end_.hang = message;
    Status status = pass_on({TrialEvent::kWholeGang, LogEvent{rank, level, message}});
    if (end_.trouble.ok()) end_.trouble = std::move(status);
  }

  // What was asked since the last look.
  void obey() {
    for (const TrialStop& stop : stop_.take_trials()) trials_.ask_to_leave(stop);
    for (std::string& line : listener_.take_joining()) {
      joining_.push_back(std::move(line));
      trials_.add();
    }
    name_joining_trials();
    if (leader_joined_) name_leaving_trials();
    for (const int trial : trials_.late(now())) leave_behind(trial);
    if (asked_ || !stop_.kill_at()) return;
    asked_ = true;
    // Only mpirun itself: its forwarding reaches every rank.
    if (joined_) kill(mpirun_->pid(), SIGUSR1);
  }

  // To each rank all of them, in turn.
  void name_joining_trials() {
    for (auto& [rank, told] : told_) {
      while (told < joining_.size() && server_->tell(rank, joining_[told])) ++told;
    }
  }

  void name_leaving_trials() {
    for (const std::string& line : trials_.take_lines()) {
      if (!server_->tell(0, line)) spdlog::warn("{}: rank 0 does not take {}", plan_.mark, line);
    }
  }

  void leave_behind(int trial) {
    const Status late = cancelled("the trial was asked to stop and has not in time");
    Status status = pass_on({trial, FailureEvent{0, late}});
    if (end_.trouble.ok()) end_.trouble = std::move(status);
  }

  std::optional<MonotonicTime> kill_at() const {
    auto at = stop_.kill_at();
    if (at && !joined_) at = now();
    if (over_at_) {
      const MonotonicTime patience = *over_at_ + world_.limits.failure;
      at = at ? std::min(*at, patience) : patience;
    }
    return at;
  }

  int wait_millis() const {
    MonotonicTime until = std::min(next_look_, next_roll_call_);
    for (const auto& deadline : {kill_at(), trials_.deadline()}) {
      until = std::min(until, deadline.value_or(until));
    }
    return static_cast<int>(std::max<int64_t>(0, (until - now()).count()));
  }

  // Kills what is left, reads what they said, waits for mpirun. Its pid is free only after that.
  void finish() {
    const int64_t largest = family_->largest_resident_bytes();
    end_.killed_here = !mpirun_->ended();
    const bool gone = family_->kill_all(world_.limits.kill);
    take_what_came();
    server_->stop_accepting();
    drain(gone);
    if (!gone && end_.trouble.ok()) {
      end_.trouble = internal_error("a process of the gang resists SIGKILL");
    }
    if (gone || mpirun_->ended()) end_.exit = world_.launcher.wait(mpirun_->pid());
    end_.memory_ran_out =
        memory_ran_out(memory_at_start_, memory_at_look_, largest, world_.memory());
    end_.largest_bytes = largest;
  }

  // With every writer gone, both kinds of stream come to their ends, unless somebody outside the
  // gang was handed one of them.
  void drain(bool gone) {
    const MonotonicTime patience_ends = now() + world_.limits.kill;
    while (gone && end_.trouble.ok() && (mpirun_->output_is_open() || server_->has_ranks())) {
      if (now() >= patience_ends) {
        if (!mpirun_->output_is_open() && !server_->has_ranks_here()) return;
        return spdlog::warn("{}: a process that is not of the gang holds its output", plan_.mark);
      }
      std::vector<pollfd> polled;
      mpirun_->add_to(polled);
      polled.front().fd = -1;  // it has ended
      server_->add_to(polled);
      poll(polled.data(), polled.size(), 100);
      take_what_came();
    }
  }

  Status pass_on(const TrialEvent& event) {
    trials_.note(event);
    const auto* failure = std::get_if<FailureEvent>(&event.event);
    if (failure && event.trial == TrialEvent::kWholeGang && !end_.failure) {
      end_.failure = *failure;
      end_.failed_before_loss = !end_.first_lost_rank;
    }
    // One that has joined may begin after the last of the others has ended.
    const bool over = end_.failure || trials_.all_ended();
    if (!over) {
      over_at_.reset();
    } else if (!over_at_) {
      over_at_ = now();
    }
    return listener_.on_event(event);
  }
  Status on_event(const TrialEvent& event) override {
    began_ = true;
    return pass_on(event);
  }
  void on_rank_joined(int rank, const RankHome& home) override {
    roll_call_.joined(rank, home);
    told_.emplace(rank, 0);
    joined_ = true;
    leader_joined_ |= rank == 0;
  }
  void on_rank_call(int rank, const RankCall& call) override { roll_call_.answered(rank, call); }
  void on_rank_left(int rank) override {
    roll_call_.left(rank);
    told_.erase(rank);
    if (!end_.first_lost_rank) end_.first_lost_rank = rank;
    if (roll_call_.ranks().empty()) left_at_ = now();
  }

  static MonotonicTime now() { return real_clock().monotonic(); }
  static char state_of(const RankHome& home) {
    return home.host.empty() ? process_state(home.pid) : '?';
  }

  const GangPlan& plan_;
  const GangWorld& world_;
  StopRequest& stop_;
  const GangListener& listener_;

  std::unique_ptr<EventServer> server_;
  std::optional<Child> mpirun_;
  std::unique_ptr<Family> family_;
  MonotonicTime started_at_, next_look_, next_roll_call_;
  MemoryReading memory_at_start_, memory_at_look_;
  RollCall roll_call_;
  std::optional<Hang> hang_;
  Trials trials_;
  std::vector<std::string> joining_;  // lines
  std::map<int, size_t> told_;        // how many of them, by rank
  bool joined_ = false;  // a rank has said hello: it takes SIGUSR1, but may still wait for others
  bool leader_joined_ = false;  // rank 0 has
  bool began_ = false;          // an event has come
  bool asked_ = false;
  std::optional<MonotonicTime> over_at_;  // when the ranks had nothing to do any more but to leave
  std::optional<MonotonicTime> left_at_;  // when the last of them did
  GangEnd end_;
};

}  // namespace

GangEnd run_gang(const GangPlan& plan, const GangWorld& world, StopRequest& stop,
                 const GangListener& listener) {
  return Gang(plan, world, stop, listener).run();
}

}  // namespace prefixmem::agent
