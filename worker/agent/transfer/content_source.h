// Content from the coordinator's store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "common/status.h"
#include "worker/agent/transfer/channel_source.h"

namespace prefixmem::agent {

// Thread-safe.
class ContentSource {
 public:
  virtual ~ContentSource() = default;

  // Told the whole size before the first byte is written; its failure ends the call.
  using Admit = std::function<Status(int64_t bytes)>;

  // Brings the content into `file`, going on after what is there already; tries once. OK: the file
  // is whole, synced and has that digest. DATA_LOSS: it has another, and is gone. After any other
  // failure what has come stays for the next try: UNAVAILABLE where that may succeed; CANCELLED
  // where `stop` was raised.
  virtual Status fetch(const std::string& sha256, const std::filesystem::path& file,
                       const Admit& admit, std::stop_token stop) = 0;
};

// Over WorkerService.
std::unique_ptr<ContentSource> make_grpc_content_source(ChannelSource channel);

}  // namespace prefixmem::agent
