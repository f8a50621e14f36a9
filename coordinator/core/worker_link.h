// The coordinator's way to speak to one worker, whatever carries it.
#pragma once

#include "common/status.h"
#include "prefixmem/v1/worker_service.pb.h"

namespace prefixmem {

// Thread-safe; neither call blocks or calls back into the coordinator.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  // In order; dropped where the link is closed or broken.
  virtual void send(v1::CoordinatorMessage message) = 0;
  virtual void close(const Status& why) = 0;
};

}  // namespace prefixmem
