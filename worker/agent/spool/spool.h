// The events of one attempt from their arrival until the coordinator has acknowledged them.
//
//   acknowledged <= sent <= ready <= appended
//
// Events are numbered from 1 in the order of append(). They lie in a file, so a coordinator that is
// away costs disk and not memory; the file is emptied whenever everything is acknowledged. It
// belongs to a running attempt, which does not outlive its agent: nothing is read back after a
// restart, so nothing is synced.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/event/event.h"
#include "common/fd.h"
#include "common/status.h"

namespace prefixmem::agent {

struct SpooledEvent {
  WallTime time;  // of its arrival
  Event event;
};

// Consecutive numbers from `first_number` on.
struct EventBatch {
  int64_t first_number = 0;
  std::vector<SpooledEvent> events;
};

// Not thread-safe. Failures are those of the file: RESOURCE_EXHAUSTED, DATA_LOSS, ….
class Spool {
 public:
  // Creates the file, or empties it.
  static Result<Spool> create(const std::filesystem::path& file);

  Status append(WallTime time, const Event& event);

  // The first event that is not ready yet; none: all are.
  Result<std::optional<Event>> next_unready() const;
  // Makes the event of next_unready() ready to be sent, as it is or as another one.
  Status mark_ready();
  Status mark_ready_as(const Event& event);

  // The next ready events to be sent: at most 256, none while 4096 are unacknowledged.
  Result<EventBatch> take_batch();
  // Everything unacknowledged is to be sent again: the connection broke.
  void rewind();
  // All events up to `number` are durable elsewhere. Numbers not yet ready are ignored.
  Status acknowledge(int64_t number);

  int64_t appended() const { return appended_; }
  int64_t depth() const { return appended_ - acknowledged_; }  // events waiting here
  bool empty() const { return depth() == 0; }
  bool has_unready() const { return ready_ < appended_; }
  bool all_ready_acknowledged() const { return acknowledged_ == ready_; }

 private:
  struct Line {
    std::string text;
    int64_t end = 0;  // offset behind it
  };

  Spool(Fd file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}
  // The lines from `offset` on: at most `most`, at least one.
  Result<std::vector<Line>> read_lines(int64_t offset, int64_t most) const;
  Result<SpooledEvent> event_of(int64_t number, const std::string& line) const;
  Result<std::vector<Line>> advance_sent(int64_t most);
  Status advance_ready();
  Status empty_file();

  Fd file_;
  std::string name_;
  int64_t appended_ = 0, ready_ = 0, sent_ = 0, acknowledged_ = 0;         // numbers
  int64_t end_ = 0, ready_end_ = 0, sent_end_ = 0, acknowledged_end_ = 0;  // offsets behind them
  std::deque<int64_t> sent_ends_;            // of each event sent and not acknowledged
  std::map<int64_t, std::string> replaced_;  // by number, not acknowledged
};

}  // namespace prefixmem::agent
