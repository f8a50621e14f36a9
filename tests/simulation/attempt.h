// One attempt on a simulated worker, with the promises of worker/agent/attempt: events go in order
// under consecutive numbers, one that names files after these are stored, the end after all of
// them; what is not acknowledged is told again to the next stream.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "prefixmem/v1/worker_service.pb.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace prefixmem::simulation {

// What the trainer is to do, read from the spec that the worker was given.
struct Plan {
  int64_t steps = 0;
  int64_t checkpoint_every = 0;  // 0: never
  int64_t eval_every = 0;        // likewise
  bool keep_best = false;
  std::string from = {};  // content of the checkpoint that it goes on from; empty: none
  int64_t first = 0;      // its step
};
Plan plan_of(const std::string& spec_yaml);

// The step of a checkpoint that a spec names as content.
int64_t step_of(const std::string& content);

// The file that a trainer keeps: each step that counts, behind `first`, on a line.
std::string metrics_of(int64_t first, int64_t steps);
// Of what the job holds after that step.
std::string state_digest_of(int64_t step);
// What its evaluation finds there: always the same, as a deterministic trainer's.
double loss_of(const std::string& job, int64_t step);
// The last step, up to `last`, whose evaluation was better than all before it, by a value that goes
// up and down; 0: none was kept.
int64_t best_step(const std::string& job, const Plan& plan, int64_t last);
std::string best_adapter_path(int64_t step);
std::string best_adapter_of(const std::string& job, int64_t step);
constexpr int64_t kTokensOfStep = 100;

enum class StopKind { kCancel, kShutDown, kAbandon };

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  // What it needs of the agent that it is on; outlives it.
  struct Host {
    World& world;
    Network& network;
    std::string worker;
    // After `delay`, unless the agent has died meanwhile.
    std::function<void(Millis delay, std::function<void()> what)> later;
    std::function<void()> changed;                  // there may be something new to tell
    std::function<void(Attempt& attempt)> give_up;  // its part of the gang is to be over at once
  };

  Attempt(const v1::AssignedAttempt& assigned, Host& host);

  const AttemptKey& key() const { return key_; }
  Millis age() const { return host_.world.timeline.now() - began_; }
  const Plan& plan() const { return plan_; }

  // ---- of its gang

  // Brings what to resume from, then calls back; a failure of it is the attempt's end.
  void prepare(const std::function<void(const Status&)>& done);
  int64_t step() const { return step_; }
  void begin_training();
  bool finished_training() const { return step_ >= plan_.steps; }
  // With the checkpoint that is due behind it.
  void train_a_step();
  void evaluate_if_due();
  void write_checkpoint();
  void tell_result();
  void close(const Status& status, bool shared, bool held);
  void release();
  bool closed() const { return closing_.has_value(); }

  // ---- of the agent

  void stop(StopKind kind, const std::string& reason);
  bool stopping() const { return stop_.has_value(); }
  bool abandoned() const { return stop_ == StopKind::kAbandon; }
  std::optional<v1::WorkerMessage> next_report();
  void rewind();
  void acknowledge_events(int64_t up_to);
  void acknowledge_end();
  bool finished() const { return end_ && !held_ && (end_acknowledged_ || abandoned()); }

 private:
  struct End {
    Status status;
    bool shared = false;
  };
  struct File {
    v1::Artifact artifact;
    std::string content;
    std::string state_digest = {};
  };

  void prepare_first(const std::function<void(const Status&)>& done);
  int64_t appended() const { return static_cast<int64_t>(events_.size()); }
  void append(v1::TrainerEvent event);
  void append_artifact(const std::string& kind, const std::string& path);
  File file_of(const v1::ArtifactEvent& named) const;
  void relay();
  void send(v1::ArtifactEvent& named);
  void upload(std::vector<File> files);
  void uploaded(const Status& status, std::vector<File> left);
  void make_ready();
  End concluded() const;
  v1::AttemptId id() const;
  AttemptFacts& facts() const { return host_.world.ledger.attempts.at(key_); }

  Host& host_;
  const AttemptKey key_;
  const Plan plan_;
  const MonotonicTime began_;
  std::optional<v1::Artifact> resume_from_, resume_metrics_;
  int64_t step_ = 0;          // the last one done
  int64_t checkpointed_ = 0;  // the last one that has a checkpoint
  int64_t best_ = 0;          // the one whose adapter is kept; 0: none is

  // The spool: acknowledged <= sent <= ready <= appended.
  std::vector<v1::SpooledEvent> events_;
  int64_t ready_ = 0, sent_ = 0, acknowledged_ = 0;
  bool uploading_ = false;
  int64_t best_sent_ = 0;     // the step of the last one
  std::optional<File> late_;  // a best adapter, by mistake

  std::optional<StopKind> stop_;
  std::string stop_reason_;
  Status failure_;  // of an upload
  std::optional<End> closing_, end_;
  bool held_ = false, end_told_ = false, end_acknowledged_ = false;
};

}  // namespace prefixmem::simulation
