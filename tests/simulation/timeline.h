// What happens when: one thread, one clock, which moves from one thing that happens to the next.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "common/clock.h"

namespace prefixmem::simulation {

class Timeline {
 public:
  const Clock& clock() const { return clock_; }
  MonotonicTime now() const { return clock_.monotonic(); }

  // Things of the same moment happen in the order in which they were asked for.
  void at(MonotonicTime when, std::function<void()> what) {
    to_come_.emplace(std::pair(std::max(when, now()), asked_++), std::move(what));
  }
  void after(Millis delay, std::function<void()> what) { at(now() + delay, std::move(what)); }

  // As when an administrator sets the time of day.
  void jump(Millis by) { clock_.set_wall(clock_.wall() + by); }

  // The next thing before `end`; false where there is none.
  bool step(MonotonicTime end) {
    if (to_come_.empty() || to_come_.begin()->first.first >= end) return false;
    auto next = to_come_.extract(to_come_.begin());
    clock_.advance(next.key().first - now());
    ++happened_;
    next.mapped()();
    return true;
  }
  int64_t happened() const { return happened_; }

 private:
  FakeClock clock_;
  std::map<std::pair<MonotonicTime, int64_t>, std::function<void()>> to_come_;
  int64_t asked_ = 0, happened_ = 0;
};

}  // namespace prefixmem::simulation
