#include "coordinator/core/subscriptions.h"

#include <vector>

namespace prefixmem {
namespace {

using Wakes = std::vector<std::shared_ptr<const Subscriptions::Wake>>;

void call(const Wakes& wakes) {
  for (const auto& wake : wakes) (*wake)();
}

}  // namespace

std::shared_ptr<const Subscriptions::Wake> Subscriptions::subscribe(const std::string& id,
                                                                    Wake wake) {
  const MutexLock lock(table_->mutex);
  const auto at = table_->handles.emplace(id, std::weak_ptr<const Wake>());
  const auto leave = [table = table_, at](const Wake* gone) {
    {
      const MutexLock lock(table->mutex);
      table->handles.erase(at);
    }
    delete gone;
  };
  std::shared_ptr<const Wake> handle(new Wake(std::move(wake)), leave);
  at->second = handle;
  return handle;
}

size_t Subscriptions::size() const {
  const MutexLock lock(table_->mutex);
  return table_->handles.size();
}

void Subscriptions::notify(const std::set<std::string>& ids) {
  Wakes wakes;
  {
    const MutexLock lock(table_->mutex);
    for (const std::string& id : ids) {
      auto [at, end] = table_->handles.equal_range(id);
      for (; at != end; ++at) {
        if (auto wake = at->second.lock()) wakes.push_back(std::move(wake));
      }
    }
  }
  call(wakes);
}

void Subscriptions::notify_all() {
  std::set<std::string> ids;
  {
    const MutexLock lock(table_->mutex);
    for (const auto& [id, handle] : table_->handles) ids.insert(id);
  }
  notify(ids);
}

}  // namespace prefixmem
