#include "common/clock.h"

namespace prefixmem {
namespace {

class RealClock final : public Clock {
 public:
  WallTime wall() const override {
    return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  }
  MonotonicTime monotonic() const override {
    return std::chrono::time_point_cast<Millis>(std::chrono::steady_clock::now());
  }
};

}  // namespace

const Clock& real_clock() {
  static const RealClock kClock;
  return kClock;
}

}  // namespace prefixmem
