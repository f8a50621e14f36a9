// The head's side of a gang over several hosts: has members start Open MPI's daemon where mpirun
// asks for it, and connects their ranks with the gang's socket here, so that run_gang() sees no
// difference.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/event/event.h"
#include "common/fd.h"
#include "common/thread_annotations.h"
#include "worker/agent/gang/line_server.h"
#include "worker/agent/hosts/mailbox.h"

namespace prefixmem::agent {

// Thread-safe.
class Head final : private LineServer::Listener {
 public:
  struct Sockets {
    std::filesystem::path events;    // of run_gang()
    std::filesystem::path requests;  // made here, for mpirun's remote shell
  };

  // `hosts`: of the gang, this one first. `changed` is called, without a lock, when there may be
  // a note to send.
  Head(const AttemptKey& key, const std::vector<GangHost>& hosts, std::function<void()> changed);
  ~Head() override;

  // From a member, or from the coordinator about one.
  void on_note(Note note);
  std::optional<Note> next_note();
  // A new connection to the coordinator: what members have not acknowledged is sent again.
  void rewind();

  // All members have taken lately what they were sent.
  bool hears_members() const;

  // The two that wait look at `given_up` again after nudge().
  //
  // Until every member has its files; the failure of one that has not, or is lost.
  Status wait_until_ready(const std::function<bool()>& given_up);
  // From now on mpirun may ask. Once.
  Status open(Sockets sockets);
  // mpirun is gone here: asks the members to end what they have left and waits until each has, or
  // is lost. What became of the first that did not end well; otherwise UNAVAILABLE naming those
  // that have not told within `patience`.
  Status part(Millis patience, const std::function<bool()>& given_up);
  void nudge();

 private:
  struct Tunnel {
    Fd socket;
    LineBuffer lines = LineBuffer(kLongestLine);
    std::string unsent = {};  // nobody waits for the gang to read, which may wait for this
    bool greeted = false;
    bool closing = false;  // once all is sent
  };
  struct Peer {
    GangHost host;
    int first_rank = 0;
    Mailbox mail;
    bool ready = false;
    std::optional<int> request = {};  // the connection of mpirun's remote shell for it
    std::optional<DaemonEnded> end = {};
    std::map<int, Tunnel> tunnels = {};  // to the gang's socket, by the member's connection
  };

  void serve();
  std::vector<pollfd> polled() const;
  // Called by serve(), which holds the lock.
  Status on_line(int connection, const std::string& line) override PM_NO_THREAD_SAFETY_ANALYSIS;
  Status on_closed(int connection) override PM_NO_THREAD_SAFETY_ANALYSIS;
  void serve_tunnels() PM_REQUIRES(mutex_);
  void take(Peer& peer, NoteBody body) PM_REQUIRES(mutex_);
  void pass_on(Peer& peer, const RankLine& line) PM_REQUIRES(mutex_);
  void end(Peer& peer, DaemonEnded end) PM_REQUIRES(mutex_);
  // Tells mpirun of its end, and the gang of its failure, once mpirun has asked for it.
  void tell_end(Peer& peer) PM_REQUIRES(mutex_);
  Status take_request(int connection, const std::string& line) PM_REQUIRES(mutex_);
  void refuse(int connection, const Status& status) PM_REQUIRES(mutex_);
  void answer(int connection, const DaemonEnded& end) PM_REQUIRES(mutex_);
  void tell_failure(const FailureEvent& failure) const PM_REQUIRES(mutex_);
  void post(Peer& peer, NoteBody body) PM_REQUIRES(mutex_);

  const AttemptKey key_;
  const std::function<void()> changed_;
  const Fd woken_;

  mutable Mutex mutex_;
  CondVar told_;
  Sockets sockets_ PM_GUARDED_BY(mutex_);
  std::optional<LineServer> requests_ PM_GUARDED_BY(mutex_);
  std::deque<Peer> peers_ PM_GUARDED_BY(mutex_);
  bool closing_ PM_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: uses all of the above
};

}  // namespace prefixmem::agent
