// The events of a job for a browser's EventSource.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/status.h"
#include "common/thread_annotations.h"
#include "coordinator/core/subscriptions.h"
#include "coordinator/store/reader.h"

namespace prefixmem::web {

// Number of the event after the one that a browser had last; 1 for "". INVALID_ARGUMENT for what is
// no number of an event.
Result<int64_t> first_event_after(const std::string& last_event_id);

// One thread at a time.
class EventStream {
 public:
  // All references outlive it.
  EventStream(store::Reader& reader, Subscriptions& subscriptions, std::string job_id,
              int64_t from_number, const std::atomic<bool>& closing);

  // "id: 7\ndata: {…}\n\n" for each event that is there, data being the JobEvent in Protobuf's JSON
  // mapping; of a long training only so many steps. Where there is none yet it waits, for some
  // seconds, and gives a comment by which a client that has gone is noticed. After the job's last
  // event "event: end\ndata: {}\n\n", then none.
  Result<std::optional<std::string>> next();

 private:
  struct Waker {
    Mutex mutex;
    CondVar changed;
    bool woken PM_GUARDED_BY(mutex) = false;
  };

  Result<std::string> new_events();
  void wait();

  store::Reader& reader_;
  const std::string job_id_;
  const std::atomic<bool>& closing_;
  int64_t next_;
  bool ended_ = false;
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  const std::shared_ptr<const Subscriptions::Wake> subscription_;
};

}  // namespace prefixmem::web
