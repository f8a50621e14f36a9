// What the page of a job is sent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/store/reader.h"
#include "coordinator/web/live_stream.h"

namespace prefixmem::web {

// "job": the Job, without its spec, whenever it has changed; "artifacts": the
// ListArtifactsResponse, likewise; "happened": each JobEvent, of a long training fewer and
// fewer steps. Ends after the last event of a job that has ended.
class JobFeed final : public Feed {
 public:
  // Events with a higher number than `after`. The reader outlives the feed.
  JobFeed(store::Reader& reader, std::string job_id, int64_t after)
      : reader_(reader), job_id_(std::move(job_id)), next_(after + 1) {}

  Result<News> news() override;

 private:
  Result<v1::Job> job();
  Result<std::string> told(const std::vector<v1::JobEvent>& events);
  Result<std::string> artifacts();

  store::Reader& reader_;
  const std::string job_id_;
  int64_t next_;
  bool full_page_ = false;  // the last look gave one: the job is looked at again behind the last
  Told job_{"job"};
  Told artifacts_{"artifacts"};
};

}  // namespace prefixmem::web
