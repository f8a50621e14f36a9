// What must hold of the coordinator at every moment, whatever has happened to it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/coordinator.h"
#include "coordinator/sweep/plan.h"
#include "tests/simulation/world.h"

namespace prefixmem::simulation {

class Invariants {
 public:
  // A second coordinator, over what the store holds.
  using FreshLoad = std::function<Result<std::unique_ptr<Coordinator>>()>;

  explicit Invariants(World& world) : world_(world) {}

  void after_start(Coordinator& coordinator);
  void after_call(Coordinator& coordinator);
  void after_tick(Coordinator& coordinator, const FreshLoad& load);
  // Nothing is said that is not durable.
  void on_said(Coordinator& coordinator, const std::string& worker,
               const v1::CoordinatorMessage& message);
  // Everything has ended, and every promise is kept.
  void at_end(Coordinator& coordinator);

 private:
  // How far a job's events have been looked at.
  struct Seen {
    int attempt = 0;
    int64_t events = 0;
  };

  void check_gangs(const Live& live);
  void check_starts(const Live& live, store::Reader& reader);
  void check_quotas(const Live& live);
  void check_head_of_queue(const Live& live);
  void check_queue(const Live& live);
  void check_sweeps(const Live& live);
  void check_cordons(const Live& live);
  void check_new_events(const Live& live, store::Reader& reader);
  void check_same(const Live& memory, const Live& stored);

  void check_submissions(const std::vector<v1::Job>& jobs);
  void check_ended_job(const v1::Job& job, Coordinator& coordinator);
  void check_training(const v1::Job& job, const std::vector<v1::JobEvent>& events);
  void check_history(const v1::Job& job, const std::vector<v1::JobEvent>& events);
  void check_cause(const v1::Job& job, int retries);
  void check_progress(const v1::Job& job);
  void check_files(const v1::Job& job, Coordinator& coordinator);
  void check_no_files(const v1::Job& job, store::Reader& reader);
  void check_ended_sweep(const v1::Sweep& sweep, store::Reader& reader);
  void check_whole_search(const v1::Sweep& sweep, const sweep::Search& search,
                          const std::vector<const v1::Job*>& trials);
  void check_parent(const v1::Job& trial, const std::vector<v1::Job>& trials);

  World& world_;
  std::map<std::string, Seen> seen_;  // by job
  std::map<std::string, int> held_;   // slots by tenant, when last looked at
};

}  // namespace prefixmem::simulation
