// The coordinator's process: the real one, over a disk that may fail, killed and started again.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "coordinator/core/coordinator.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/world.h"

namespace prefixmem::simulation {

class Server {
 public:
  // What is done once a call has returned and the process lives on: an answer.
  using Answer = std::function<void()>;

  // `folder`: for the files of jobs, and the path of the database on the simulated disk.
  Server(World& world, std::filesystem::path folder);
  ~Server();

  // Starts the process; where it cannot, tries again later.
  void boot();
  // SIGKILL.
  void kill();
  // SIGTERM.
  void stop();
  // SIGSTOP, and SIGCONT after `span`.
  void stall(Millis span);
  // The `operation`th of the disk from now is the last, or the first that does not happen.
  void die_at(int64_t operation, bool after);

  bool up() const { return coordinator_ != nullptr; }
  bool stands_still() const { return world_.timeline.now() < stalled_until_; }
  // Which process this is; a stream lives no longer than the process at its other end.
  int process() const { return process_; }
  // Whether what is being said now leaves the process.
  bool speaks() const { return up() && !disk_.dead(); }

  // A message has come, for the coordinator; null: nobody listens.
  void arrive(std::function<Answer(Coordinator*)> call);

  // What it tells a worker.
  void said(const std::string& worker, const v1::CoordinatorMessage& message) {
    world_.mix(message.SerializeAsString());
    invariants_.on_said(*coordinator_, worker, message);
  }
  // Once nothing happens any more.
  void check_end() { invariants_.at_end(*coordinator_); }

  Disk& disk() { return disk_; }
  Coordinator* coordinator() { return coordinator_.get(); }  // to look at

 private:
  void handle(const std::function<Answer(Coordinator*)>& call);
  // After anything that the process has done: it may be dead.
  bool survives();
  void go_down();
  void tick_after(Millis delay);
  void tick(int64_t asked);
  CoordinatorConfig config() const;
  Status start();

  World& world_;
  const std::filesystem::path folder_;
  Disk disk_;
  Invariants invariants_;
  Status failure_;  // of the store: the process is to end
  int process_ = 0;
  MonotonicTime stalled_until_{};
  std::optional<MonotonicTime> next_tick_;
  int64_t ticks_asked_ = 0;

  Metrics metrics_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Coordinator> coordinator_;
};

}  // namespace prefixmem::simulation
