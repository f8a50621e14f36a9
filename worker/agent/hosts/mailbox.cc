#include "worker/agent/hosts/mailbox.h"

namespace prefixmem::agent {

void Mailbox::post(NoteBody body, MonotonicTime now) {
  if (waiting_.empty()) unanswered_since_ = now;
  waiting_.push_back(std::move(body));
}

std::optional<NoteBody> Mailbox::take(Note note, MonotonicTime now) {
  const int64_t before = acknowledged_;
  for (; acknowledged_ < note.acknowledged && !waiting_.empty(); ++acknowledged_) {
    waiting_.pop_front();
    if (sent_ > 0) --sent_;
  }
  if (acknowledged_ > before) {
    unanswered_since_ = waiting_.empty() ? std::nullopt : std::optional(now);
    again_at_ = now + patience_;
  }
  if (!note.body) return std::nullopt;
  owes_ = true;
  if (note.number != taken_ + 1) return std::nullopt;
  taken_ = note.number;
  return std::move(note.body);
}

std::optional<Note> Mailbox::next(MonotonicTime now) {
  if (sent_ > 0 && now >= again_at_) rewind();
  Note note{key_, worker_, 0, taken_, std::nullopt};
  if (sent_ < waiting_.size()) {
    if (sent_ == 0) again_at_ = now + patience_;
    note.number = acknowledged_ + static_cast<int64_t>(sent_) + 1;
    note.body = waiting_[sent_++];
  } else if (!owes_) {
    return std::nullopt;
  }
  owes_ = false;
  return note;
}

Millis Mailbox::unanswered(MonotonicTime now) const {
  return unanswered_since_ ? now - *unanswered_since_ : Millis(0);
}

}  // namespace prefixmem::agent
