#include "coordinator/core/subscriptions.h"

#include <vector>

namespace prefixmem {
namespace {

using Wakes = std::vector<std::shared_ptr<const Subscriptions::Wake>>;

void call(const Wakes& wakes) {
  for (const auto& wake : wakes) (*wake)();
}

}  // namespace

std::shared_ptr<const Subscriptions::Wake> Subscriptions::subscribe(const std::string& job_id,
                                                                    Wake wake) {
  auto handle = std::make_shared<const Wake>(std::move(wake));
  const MutexLock lock(mutex_);
  handles_.emplace(job_id, handle);
  return handle;
}

void Subscriptions::notify(const std::set<std::string>& job_ids) {
  Wakes wakes;
  {
    const MutexLock lock(mutex_);
    for (const std::string& id : job_ids) {
      auto [at, end] = handles_.equal_range(id);
      while (at != end) {
        if (auto wake = at->second.lock()) {
          wakes.push_back(std::move(wake));
          ++at;
        } else {
          at = handles_.erase(at);
        }
      }
    }
  }
  call(wakes);
}

void Subscriptions::notify_all() {
  std::set<std::string> ids;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, handle] : handles_) ids.insert(id);
  }
  notify(ids);
}

}  // namespace prefixmem
