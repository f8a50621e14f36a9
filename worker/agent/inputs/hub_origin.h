// A model of the Hub, where this worker may fetch it from there.
#pragma once

#include "common/hub/hub.h"
#include "worker/agent/inputs/origin.h"

namespace prefixmem::agent {

class HubOrigin : public Origin {
 public:
  // The revision is a commit.
  HubOrigin(HubName name, Hub hub) : name_(std::move(name)), hub_(std::move(hub)) {}

  std::string key() const override { return name_.revision + ".hub"; }
  std::string name() const override { return name_.name(); }
  std::string text() const override { return name_.text(); }
  // What fetch_model says; UNAVAILABLE where nothing has come for ten minutes.
  Result<std::filesystem::path> bring(const std::filesystem::path& work, const Reserve& reserve,
                                      const std::stop_token& stop) const override;

 private:
  const HubName name_;
  const Hub hub_;
};

}  // namespace prefixmem::agent
