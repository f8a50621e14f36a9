// Time as a value: whoever decides by time is given a Clock, so no test sleeps.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace prefixmem {

using Millis = std::chrono::milliseconds;
// What people and other hosts see; may jump.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Millis>;
// What leases, deadlines and durations are measured with; never goes back, means nothing elsewhere.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Millis>;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual MonotonicTime monotonic() const = 0;
};

// The machine's clocks; lives for ever.
const Clock& real_clock();

// Milliseconds since 1970-01-01 UTC, the form in which stores and files keep a time.
inline int64_t to_unix_millis(WallTime time) { return time.time_since_epoch().count(); }
inline WallTime from_unix_millis(int64_t millis) { return WallTime(Millis(millis)); }

inline double to_seconds(Millis span) { return std::chrono::duration<double>(span).count(); }

// A clock that moves only when told. Starts at 2026-01-01T00:00:00Z, monotonic 0.
class FakeClock final : public Clock {
 public:
  WallTime wall() const override { return from_unix_millis(wall_.load()); }
  MonotonicTime monotonic() const override { return MonotonicTime(Millis(monotonic_.load())); }

  // Both clocks.
  void advance(Millis span) {
    wall_ += span.count();
    monotonic_ += span.count();
  }
  // The wall clock alone, as when an administrator sets it.
  void set_wall(WallTime time) { wall_ = to_unix_millis(time); }

 private:
  std::atomic<int64_t> wall_ = 1767225600000;
  std::atomic<int64_t> monotonic_ = 0;
};

}  // namespace prefixmem
