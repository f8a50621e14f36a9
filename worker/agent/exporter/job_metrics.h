// The series of the jobs that run here: labels job, name, method, worker.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/event/event.h"
#include "common/thread_annotations.h"

namespace prometheus {
class Registry;
}

namespace prefixmem::agent {

struct JobLabels {
  std::string job, name, method;
};

// One that the others wait for; rank "all": every rank is in a call that does not end.
struct HangingRank {
  std::string rank, host, call;
};

// Thread-safe. A job's series vanish `retention` after its last attempt here ended; the registry is
// cleared of them by drop_expired(), which a scrape calls first.
class JobMetrics {
 public:
  JobMetrics(prometheus::Registry& registry, std::string worker, const Clock& clock,
             Millis retention);
  ~JobMetrics();

  // An attempt of the job starts; a later one goes on with the series of an earlier one.
  void begin(const JobLabels& labels);
  void observe(const std::string& job, const Event& event);
  // In place of those said before.
  void set_hanging(const std::string& job, const std::vector<HangingRank>& ranks);
  // A try to upload a file of the job has failed.
  void upload_failed(const std::string& job);
  // An attempt that began has ended.
  void end(const std::string& job);
  void drop_expired();

 private:
  struct Families;
  struct Series;
  void with(const std::string& job, const std::function<void(Series&)>& use);

  struct Job {
    std::unique_ptr<Series> series;
    int running = 0;                     // attempts
    std::optional<MonotonicTime> ended;  // none: one still runs
  };

  // Constant after construction.
  const std::string worker_;
  const Clock& clock_;
  const Millis retention_;
  const std::unique_ptr<Families> families_;  // outlives the series

  Mutex mutex_;
  std::map<std::string, Job> jobs_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::agent
