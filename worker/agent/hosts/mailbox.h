// Notes to and from one other agent, each delivered once and in order, whatever the way between
// loses or repeats.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.h"
#include "worker/agent/hosts/note.h"

namespace prefixmem::agent {

// Not thread-safe; pure but for itself.
class Mailbox {
 public:
  // What is not acknowledged within `patience` is sent again.
  Mailbox(AttemptKey key, std::string worker, Millis patience = Millis(3000))
      : key_(std::move(key)), worker_(std::move(worker)), patience_(patience) {}

  void post(NoteBody body, MonotonicTime now);
  // The body where it is the next one; none: it came before, or one before it is still to come, or
  // the note is an acknowledgement alone.
  std::optional<NoteBody> take(Note note, MonotonicTime now);
  // What is to be sent now.
  std::optional<Note> next(MonotonicTime now);
  // The way is a new one: everything that is not acknowledged is sent again.
  void rewind() { sent_ = 0; }

  // Everything posted has come to the other side.
  bool empty() const { return waiting_.empty(); }
  // For how long something has waited to be sent or acknowledged; 0: nothing does.
  Millis unanswered(MonotonicTime now) const;

 private:
  const AttemptKey key_;
  const std::string worker_;
  const Millis patience_;

  std::deque<NoteBody> waiting_;                   // not acknowledged
  int64_t acknowledged_ = 0;                       // of ours; the first that waits is the one after
  size_t sent_ = 0;                                // of those that wait
  std::optional<MonotonicTime> unanswered_since_;  // something waits; nothing acknowledged since
  MonotonicTime again_at_{};  // when to send again what was sent and is not acknowledged
  int64_t taken_ = 0;         // of the other side's
  bool owes_ = false;         // an acknowledgement
};

}  // namespace prefixmem::agent
