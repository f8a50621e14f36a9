#include "tests/load/fleet.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "common/proto/timestamps.h"
#include "prefixmem/v1/worker_service.grpc.pb.h"

namespace prefixmem::load {
namespace {

using std::chrono::steady_clock;

constexpr auto kHeartbeat = std::chrono::seconds(2);
constexpr auto kPace = std::chrono::milliseconds(5);

// The next time of one that comes every `interval` and is due. A beat that was late leaves the
// others where they were: workers that were held up together would beat together from then on, as
// no real ones do.
SteadyTime after(SteadyTime due, SteadyTime::duration interval, SteadyTime now) {
  return due + interval * (1 + (now - due) / interval);
}

SteadyTime::duration part(SteadyTime::duration whole, double share) {
  return std::chrono::duration_cast<SteadyTime::duration>(whole * share);
}

v1::TrainerEvent phase() {
  v1::TrainerEvent event;
  event.mutable_phase()->set_phase("training");
  return event;
}

v1::TrainerEvent step(int64_t number, int64_t total) {
  v1::TrainerEvent event;
  v1::StepEvent& out = *event.mutable_step();
  out.set_step(number);
  out.set_total_steps(total);
  out.set_loss(1.0 / static_cast<double>(number));
  out.set_learning_rate(1e-3);
  out.set_grad_norm(1);
  out.set_tokens(1000);
  out.set_label_tokens(100);
  out.set_step_seconds(0.1);
  return event;
}

v1::TrainerEvent result(int64_t steps) {
  v1::TrainerEvent event;
  event.mutable_result()->set_steps(steps);
  return event;
}

}  // namespace

class SimulatedWorker final
    : public grpc::ClientBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage> {
 public:
  // A job may end with every `steps`th event, of which `phase` count as told. `place`: of the
  // worker among all, from 0 to 1, by which its beats fall between theirs.
  SimulatedWorker(std::string id, const std::shared_ptr<grpc::Channel>& channel, int steps,
                  int phase, double place, SteadyTime::duration interval, FleetRecord& record)
      : id_(std::move(id)),
        stub_(v1::WorkerService::NewStub(channel)),
        steps_(steps),
        record_(record),
        beats_(phase),
        interval_(interval),
        next_event_(steady_clock::now() + part(interval, place)),
        next_heartbeat_(steady_clock::now() + part(kHeartbeat, place)) {
    stub_->async()->Connect(&context_, this);
    v1::WorkerMessage message;
    v1::Register& card = *message.mutable_register_();
    card.set_worker_id(id_);
    card.set_host(id_);
    card.set_slots(1);
    card.set_device("cpu");
    send(std::move(message));
    StartRead(&incoming_);
    StartCall();
  }

  // Ends the stream and waits until nothing of it is left.
  void stop() {
    context_.TryCancel();
    std::unique_lock lock(mutex_);
    over_.wait(lock, [&] { return done_; });
  }

  // Tells what is due.
  void beat(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    if (now >= next_heartbeat_) {
      next_heartbeat_ = after(next_heartbeat_, kHeartbeat, now);
      v1::WorkerMessage message;
      *message.mutable_heartbeat()->mutable_time() = to_timestamp(real_clock().wall());
      if (job_) *message.mutable_heartbeat()->add_running() = *job_;
      push(std::move(message));
    }
    if (now < next_event_) return;
    next_event_ = after(next_event_, interval_, now);
    const bool may_end = ++beats_ % steps_ == 0;
    if (!job_ || finished_) return;
    tell(step(++step_, steps_));
    if (!may_end || !record_.jobs_end) return;
    tell(result(step_));
    finished_ = true;
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      const std::lock_guard lock(mutex_);
      take(incoming_);
    }
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    outgoing_.pop_front();
    writing_ = false;
    if (ok) write_next();
  }

  void OnDone(const grpc::Status& status) override {
    if (status.error_code() != grpc::StatusCode::CANCELLED) ++record_.broken_streams;
    const std::lock_guard lock(mutex_);
    done_ = true;
    over_.notify_all();
  }

  void take(const v1::CoordinatorMessage& message) {
    if (message.has_registered()) ++record_.registered;
    if (message.has_assign()) begin(message.assign().attempts(0).id());
    if (message.has_events_acknowledged() && finished_ &&
        message.events_acknowledged().up_to_number() == told_) {
      end();
    }
  }

  void begin(const v1::AttemptId& id) {
    ++record_.assigned;
    if (freed_) record_.dispatch.add(seconds_since(*freed_));
    freed_.reset();
    job_ = id;
    step_ = 0;
    told_ = 0;
    record_.on_assigned(id.job_id());
    tell(phase());
  }

  void end() {
    v1::WorkerMessage message;
    *message.mutable_ended()->mutable_id() = *job_;
    message.mutable_ended()->set_code("OK");
    job_.reset();
    finished_ = false;
    freed_ = steady_clock::now();
    push(std::move(message));
  }

  void tell(v1::TrainerEvent event) {
    v1::WorkerMessage message;
    v1::AttemptEvents& events = *message.mutable_events();
    *events.mutable_id() = *job_;
    events.set_first_number(++told_);
    v1::SpooledEvent& spooled = *events.add_events();
    *spooled.mutable_time() = to_timestamp(real_clock().wall());
    *spooled.mutable_event() = std::move(event);
    push(std::move(message));
    ++record_.events;
  }

  void send(v1::WorkerMessage message) {
    const std::lock_guard lock(mutex_);
    push(std::move(message));
  }

  void push(v1::WorkerMessage message) {
    outgoing_.push_back(std::move(message));
    if (!writing_) write_next();
  }

  void write_next() {
    if (outgoing_.empty()) return;
    writing_ = true;
    StartWrite(&outgoing_.front());
  }

  const std::string id_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  const int steps_;
  FleetRecord& record_;
  grpc::ClientContext context_;
  v1::CoordinatorMessage incoming_;

  std::mutex mutex_;
  std::condition_variable over_;
  std::deque<v1::WorkerMessage> outgoing_;
  bool writing_ = false, done_ = false;
  std::optional<v1::AttemptId> job_;
  std::optional<SteadyTime> freed_;
  int64_t told_ = 0;  // events of the attempt
  int step_ = 0, beats_;
  bool finished_ = false;
  const SteadyTime::duration interval_;
  SteadyTime next_event_, next_heartbeat_;
};

Fleet::Fleet(const FleetOptions& options,
             const std::function<std::shared_ptr<grpc::Channel>()>& dial, FleetRecord& record) {
  const auto interval = std::chrono::duration_cast<steady_clock::duration>(
      std::chrono::duration<double>(options.workers / options.events_per_second));
  for (int i = 0; i < options.workers; ++i) {
    workers_.push_back(std::make_unique<SimulatedWorker>(
        fmt::format("load-{:04}", i), dial(), options.steps, i % options.steps,
        static_cast<double>(i) / options.workers, interval, record));
  }
  pacer_ = std::jthread([this](const std::stop_token& stop) {
    for (SteadyTime now = steady_clock::now(); !stop.stop_requested(); now += kPace) {
      std::this_thread::sleep_until(now);
      for (const auto& worker : workers_) worker->beat(steady_clock::now());
    }
  });
}

Fleet::~Fleet() {
  pacer_.request_stop();
  pacer_.join();
  for (const auto& worker : workers_) worker->stop();
}

}  // namespace prefixmem::load
