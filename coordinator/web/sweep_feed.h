// What the page of a sweep is sent.
#pragma once

#include <map>
#include <string>

#include "coordinator/store/reader.h"
#include "coordinator/web/live_stream.h"

namespace prefixmem::web {

// "results": the SweepResults, whenever they have changed; "trial": each Job of the sweep,
// likewise. Both without specs. Ends when the sweep and all its trials have.
class SweepFeed final : public Feed {
 public:
  // The reader outlives the feed.
  SweepFeed(store::Reader& reader, std::string sweep_id)
      : reader_(reader), sweep_id_(std::move(sweep_id)) {}

  Result<News> news() override;

 private:
  Result<std::string> told(v1::Job job);

  store::Reader& reader_;
  const std::string sweep_id_;
  Told results_{"results"};
  std::map<std::string, Told> trials_;  // by id
};

}  // namespace prefixmem::web
