#include "common/backoff.h"

#include <condition_variable>
#include <mutex>

namespace prefixmem {

bool wait_unless_stopped(std::chrono::milliseconds span, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, span, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace prefixmem
