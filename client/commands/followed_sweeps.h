// Sweeps whose trials begin one after the other.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/channel/server.h"
#include "client/render/job_view.h"

namespace prefixmem::client {

// `server` must outlive it.
class FollowedSweeps {
 public:
  FollowedSweeps(Server& server, const std::vector<std::string>& ids,
                 const std::vector<v1::Job>& known);

  // Whether trials of that sweep may still begin, as far as is known; false of one that is not
  // followed.
  bool goes_on(const std::string& id) const;
  bool any_goes_on() const;
  // Trials that have begun since they were last asked for, of those that may go on.
  Result<std::vector<v1::Job>> new_trials();

  // Sweeps that were given up or that somebody has ended.
  std::vector<v1::Sweep> not_finished() const;
  // Whether its search has stopped the trial, which is no failure of anybody's.
  bool was_stopped_by_search(const JobView& trial) const;

 private:
  struct Followed {
    v1::Sweep sweep;  // as it was seen last
    bool goes_on = true;
  };

  Result<std::vector<v1::Job>> begun_since(const std::string& id);

  Server& server_;
  std::map<std::string, Followed> sweeps_;
  std::set<std::string> known_;  // ids of trials
};

}  // namespace prefixmem::client
