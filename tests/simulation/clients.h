// Those who submit, cancel and operate: each asks again until it is answered.
#pragma once

#include <string>

#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace prefixmem::simulation {

class Clients {
 public:
  Clients(World& world, Network& network) : world_(world), network_(network) {}

  // A job, a grid or a search; some come after others.
  void submit();
  // The same once more, as of a client that has forgotten the answer.
  void submit_again();
  void cancel();  // of any job or sweep
  void remove();  // what any submission has made, or only its files
  void pin();     // any job, or takes that back
  void cordon(const std::string& worker, bool drain);
  void uncordon(const std::string& worker);
  void set_quota();  // of any tenant

 private:
  JobSpec draw_spec(const std::string& name);
  void send(const JobSpec& spec, size_t submission);
  void accept(size_t submission, const v1::SubmitJobResponse& response);
  void cancel_job(const std::string& id);
  void cancel_sweep(const std::string& id);
  void remove_all_of(size_t submission, bool files_only);
  bool may_be_gone(const std::string& id) const;  // a job or sweep
  void operate(const std::string& worker, bool cordoned,
               const std::function<Status(Coordinator&)>& request);
  // Counts as open until it is answered.
  void ask(const std::function<Status(Coordinator&)>& request,
           const std::function<void(const Status&)>& done);

  World& world_;
  Network& network_;
  std::vector<JobSpec> sent_;  // of each submission
  int64_t calls_ = 0;          // that are made once at a time
};

}  // namespace prefixmem::simulation
