#include "worker/agent/inputs/hub_origin.h"

#include <chrono>

#include "common/id.h"
#include "common/log.h"

namespace prefixmem::agent {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::minutes kPatience(10);

}  // namespace

std::string hub_key(const HubName& name) { return name.revision + ".hub"; }

Result<std::filesystem::path> HubOrigin::bring(const std::filesystem::path& work,
                                               const Reserve& reserve,
                                               const std::stop_token& stop) const {
  Hub hub = hub_;
  hub.stop = stop;
  auto last = steady_clock::now();  // that something came
  HubFetch fetch{.folder = work, .admit = reserve};
  fetch.came = [&] { last = steady_clock::now(); };
  for (int retry = 0;; ++retry) {
    auto folder = fetch_model(hub, name_, fetch);
    if (folder.status().code() != Code::kUnavailable) return folder;
    if (steady_clock::now() - last > kPatience) return folder;
    spdlog::warn("{}: {}; trying again", name_.text(), folder.status().message());
    wait_unless_stopped(backoff_delay(hub.pauses, retry, random_share()), stop);
  }
}

}  // namespace prefixmem::agent
