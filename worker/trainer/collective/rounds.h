// Calls of a whole gang that each rank asks for when it comes to need them.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "common/thread_annotations.h"
#include "worker/trainer/collective/collective.h"

namespace prefixmem::trainer {

// A collective call needs every rank at once, while ranks differ in what they compute: one has more
// rows, another evaluates alone. So a thread on each rank votes, round after round: every rank says
// what it wants next, if anything, and all of them make the call for one of these; those that
// wanted the same are served by one call. A rank that has nothing left to compute keeps voting
// until the others have nothing either (settle), for its part is needed.
//
// Thread: one at a time. Between a settle() and the next want() the gang is the caller's to use,
// and only then.
class Rounds {
 public:
  // The gang's call for `item`, on every rank, on the rounds' own thread; `wanted`: by this rank.
  using Call = std::function<Status(int64_t item, bool wanted)>;

  // `gang` outlives it.
  Rounds(Collective& gang, Call call);
  // Where anything was wanted, every rank has settled since.
  ~Rounds();
  Rounds(const Rounds&) = delete;
  Rounds& operator=(const Rounds&) = delete;

  // Asks for an item, at least 0, that is not asked for at present. Does not wait.
  void want(int64_t item);
  // Until the call for an item that was asked for has been made. Fails as the call or the gang
  // does, and so does all that follows.
  Status wait(int64_t item);
  // Takes part in what others want until every rank has called it.
  Status settle();

 private:
  void serve();
  // What this rank says in the next round, none where it wants nothing more; false: there is no
  // next.
  bool next_vote(std::optional<int64_t>& mine);
  // What the gang does in this round; none where no rank wants anything.
  Result<std::optional<int64_t>> choose(std::optional<int64_t> mine);
  void note(std::optional<int64_t> done, const Status& status);
  bool is_wanted(int64_t item) const PM_REQUIRES(mutex_);

  Collective& gang_;
  const Call call_;
  int64_t first_ = 0;  // rank to be asked in the next round; of the thread alone

  Mutex mutex_;
  CondVar changed_;
  std::list<int64_t> wanted_ PM_GUARDED_BY(mutex_);  // in the order in which they were asked for
  bool settling_ PM_GUARDED_BY(mutex_) = false;
  bool ending_ PM_GUARDED_BY(mutex_) = false;
  Status failure_ PM_GUARDED_BY(mutex_);
  std::thread thread_;
};

// `gang`, which outlives it, with `settle` before each of its calls: its ranks come to a call
// together, whatever they wanted by rounds before.
std::unique_ptr<Collective> settled_before_calls(Collective& gang, std::function<Status()> settle);

// A Status where there is no way to return one, as within LibTorch's backward.
struct CollectiveError : std::exception {
  explicit CollectiveError(Status given) : status(std::move(given)) {}
  const char* what() const noexcept override { return status.message().c_str(); }
  Status status;
};

}  // namespace prefixmem::trainer
