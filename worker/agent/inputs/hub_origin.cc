#include "worker/agent/inputs/hub_origin.h"

namespace prefixmem::agent {

std::string hub_key(const HubName& name) { return name.revision + ".hub"; }

Result<std::filesystem::path> HubOrigin::bring(const std::filesystem::path& work,
                                               const Reserve& reserve,
                                               const std::stop_token& stop) const {
  Hub hub = hub_;
  hub.stop = stop;
  return fetch_model(hub, name_, {.folder = work, .admit = reserve});
}

}  // namespace prefixmem::agent
