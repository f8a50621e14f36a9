#include "worker/agent/inputs/hub_origin.h"

#include <chrono>
#include <map>

#include "common/id.h"
#include "common/log.h"

namespace prefixmem::agent {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::minutes kPatience(10);

}  // namespace

Result<std::filesystem::path> HubOrigin::bring(const std::filesystem::path& work,
                                               const Reserve& reserve,
                                               const std::stop_token& stop) const {
  Hub hub = hub_;
  hub.stop = stop;
  auto last = steady_clock::now();          // that more of a file was there than ever
  std::map<std::string, int64_t> furthest;  // by path
  HubFetch fetch{.folder = work, .admit = reserve};
  fetch.came = [&](const HubFile& file, int64_t bytes) {
    if (bytes <= furthest[file.path]) return;
    furthest[file.path] = bytes;
    last = steady_clock::now();
  };
  for (int retry = 0; !stop.stop_requested(); ++retry) {
    auto folder = fetch_model(hub, name_, fetch);
    const bool may_pass = folder.status().code() == Code::kUnavailable;
    if (!may_pass || steady_clock::now() - last > kPatience) return folder;
    spdlog::warn("{}: {}; trying again", name_.text(), folder.status().message());
    wait_unless_stopped(backoff_delay(hub.pauses, retry, random_share()), stop);
  }
  return cancelled("stopped while " + name_.text() + " was fetched");
}

}  // namespace prefixmem::agent
