// A simulated worker: what worker/agent says and does, without processes.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/gang.h"
#include "tests/simulation/stream.h"

namespace prefixmem::simulation {

class Agent {
 public:
  Agent(World& world, Server& server, Network& network, std::string id, int slots);

  const std::string& id() const { return id_; }

  void start();
  // SIGKILL, and everything that it runs with it.
  void crash();
  // SIGTERM: drains, and ends when nothing is left or its time is over.
  void shut_down();
  // Of its newest stream.
  void cut(bool lost_up, bool lost_down, Millis coordinator_hears, Millis worker_hears);
  void hold_up(Millis span);
  // A rank of one of its gangs crashes.
  void fail_a_gang(const Status& status);

  bool registered() const { return registered_; }
  // What is said on its stream arrives.
  bool in_touch() const { return registered_ && stream_->sound(); }
  // Attempts that train here, of gangs that somebody wants.
  std::vector<AttemptKey> training() const;
  int used_slots() const;
  bool idle() const { return attempts_.empty() && answers_.empty() && members_.empty(); }

 private:
  // As it is called: not once this life is over.
  void later(Millis delay, std::function<void()> what);
  void dial();
  void dial_again();
  void hear(const v1::CoordinatorMessage& message);
  void on_registered(const v1::Registered& registered);
  void on_assign(const v1::Assign& assign);
  void on_note(const v1::GangNote& note);
  void take_part(const v1::Assign& assign, int ranks);
  void check_slots();
  void on_cancel(const v1::Cancel& cancel);
  void answer(const v1::AttemptId& id, const Status& end);
  void stop(Attempt& attempt, StopKind kind, const std::string& reason, Millis grace);
  std::shared_ptr<Gang> gang_of(const Attempt& attempt) const;
  Attempt* find(const v1::AttemptId& id);
  void beat(int stream);
  void tell();
  void sweep();

  World& world_;
  Server& server_;
  const std::string id_;
  const int slots_;
  Attempt::Host host_;

  bool up_ = false;
  int life_ = 0;
  std::optional<std::string> closed_;  // why it takes nothing more
  int dials_ = 0;                      // streams so far
  int failed_dials_ = 0;
  std::shared_ptr<Stream> stream_;
  bool registered_ = false;
  bool telling_ = false;
  std::map<AttemptKey, std::shared_ptr<Attempt>> attempts_;
  std::vector<std::shared_ptr<Gang>> gangs_;
  std::map<AttemptKey, int> members_;      // ranks here of gangs that another worker heads
  std::deque<v1::WorkerMessage> answers_;  // for attempts that are not here
};

}  // namespace prefixmem::simulation
