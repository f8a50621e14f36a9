// A coordinator over a real store, with a clock that moves when told and workers that only record.
//
// Tests name jobs by their names, attempts as "name/attempt".
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/core/coordinator.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem {

class FakeLink final : public WorkerLink {
 public:
  void send(v1::CoordinatorMessage message) override {
    if (open()) sent.push_back(std::move(message));
  }
  void close(const Status& why) override { closed = why; }
  bool open() const { return closed.ok(); }

  std::vector<v1::CoordinatorMessage> sent;
  Status closed;  // OK while it is open
};

class CoordinatorTest : public testing::Test {
 protected:
  void SetUp() override { start(); }

  // ---- the service

  void start();
  // As after the death of the process: only the store remains. Links are broken.
  void restart();
  Coordinator& coordinator() { return *coordinator_; }
  store::Store& store() { return *store_; }
  std::filesystem::path database() const { return folder_.path() / "coordinator.db"; }
  // Lets time go by in steps of 100 ms, each with a tick.
  void pass(Millis span);

  // ---- clients

  // A valid spec of that name; `more` are further lines of YAML.
  static JobSpec spec(const std::string& name, const std::string& more = "");
  void submit(const std::string& name, const std::string& more = "");
  v1::Job job(const std::string& name);
  std::string state(const std::string& name);  // "running: attempt 1 on worker w"
  // "1 queued: submitted", …; trainer events as "4 step 10", "5 phase training", "6 log text".
  std::vector<std::string> history(const std::string& name);

  // ---- workers

  v1::AttemptId attempt(const std::string& key);  // "a/1"
  Status connect(const std::string& id, int slots, const std::vector<std::string>& running = {},
                 const std::string& device = "cpu");
  // One that is a member of those attempts' gangs.
  Status connect_member(const std::string& id, int slots, const std::vector<std::string>& members);
  Status receive(const std::string& id, const v1::WorkerMessage& message);
  Status heartbeat(const std::string& id, const std::vector<std::string>& running = {},
                   bool draining = false, const std::string& unhealthy = "");
  Status events(const std::string& id, const std::string& key, int64_t first,
                const std::vector<v1::TrainerEvent>& events);
  Status ended(const std::string& id, const std::string& key, const std::string& code,
               const std::string& message = "", const std::string& stderr_tail = "",
               bool shared = false);
  // The end of an attempt whose gang failed as a whole.
  Status ended_together(const std::string& id, const std::string& key, const std::string& code,
                        const std::string& message);
  void disconnect(const std::string& id);
  std::shared_ptr<FakeLink> link(const std::string& id) { return links_.at(id); }
  // What the worker's newest link was sent since the last call: "registered", "registered, stale
  // a/1", "assign a/1", "assign a/2 from step 10, b/1", "cancel a/1: why", "events of a/1 up to
  // 3", "end of a/1".
  std::vector<std::string> heard(const std::string& id);
  // Job "a" comes to run on worker "w" of one slot, which has told a step of it.
  void run_a();
  // A checkpoint of that step whose content is `content`, uploaded.
  Status upload(const std::string& key, int64_t step, const std::string& content = "weights");
  // A file of kind adapter that the attempt brings.
  void bring(const std::string& key, const std::string& path, const std::string& bytes);
  // Path, kind and step are the file's.
  void bring(const std::string& key, v1::Artifact file, const std::string& bytes);

  store::OpenBlobs open_blobs_ = store::DirectoryBlobs::open;
  CoordinatorConfig config_;
  FakeClock clock_;
  std::map<std::string, std::string> allocations_;  // by worker: what it says it runs in
  std::map<std::string, int64_t> memory_;           // by worker: bytes that it offers jobs
  std::map<std::string, std::string> unhealthy_;    // by worker: why it is, as it registers
  std::map<std::string, Millis> ages_;              // by "a/1": what workers say of their attempts
  Metrics metrics_;
  std::vector<Status> store_failures_;

 private:
  Status take_in(const v1::Register& request);
  std::string key_of(const v1::AttemptId& id);
  std::string text_of(const v1::CoordinatorMessage& message);

  const TempFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::map<std::string, std::shared_ptr<FakeLink>> links_;
};

v1::TrainerEvent step_event(int64_t step, int64_t total_steps = 10, double step_seconds = 0.5);
v1::TrainerEvent phase_event(const std::string& phase);
v1::TrainerEvent log_event(const std::string& message);
v1::Artifact checkpoint(int64_t step, const std::string& content = "weights");

}  // namespace prefixmem
