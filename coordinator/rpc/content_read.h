// Content on its way out, to users and to workers.
#pragma once

#include <memory>
#include <string>

#include "coordinator/core/coordinator.h"
#include "coordinator/rpc/blob_source.h"

namespace prefixmem::rpc {

// INVALID_ARGUMENT for what is no digest.
Status check_digest(const std::string& sha256);

// Opens content from an offset on. NOT_FOUND; INVALID_ARGUMENT for an offset outside of it.
Result<std::unique_ptr<store::BlobReader>> open_content(Coordinator& coordinator,
                                                        const std::string& sha256, int64_t offset);

// The messages of a download: the size, then chunks. `Request` has sha256 and offset.
template <class Message, class Request>
Result<std::unique_ptr<Source<Message>>> content_source(Coordinator& coordinator,
                                                        const Request& request) {
  PM_ASSIGN(auto reader, open_content(coordinator, request.sha256(), request.offset()));
  Message first;
  first.set_bytes(reader->bytes());
  return std::unique_ptr<Source<Message>>(
      std::make_unique<BlobSource<Message>>(std::move(reader), std::move(first)));
}

}  // namespace prefixmem::rpc
