#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <variant>

#include "worker/trainer/train/event_sink.h"

namespace prefixmem::trainer {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kStepInterval = std::chrono::milliseconds(500);

class ConsoleSink final : public EventSink {
 public:
  explicit ConsoleSink(int rank) : rank_(rank) {}

  Status emit(const TrialEvent& event) override {
    const std::lock_guard lock(mutex_);
    who_ = event.trial < 0 ? "" : "trial " + std::to_string(event.trial) + ": ";
    steps_ = &steps_of_[event.trial];
    std::visit([this](const auto& e) { show(e); }, event.event);
    return {};
  }

 private:
  void show(const PhaseEvent& e) const {
    if (rank_ != 0) return;
    static constexpr const char* kNames[] = {"loading", "evaluating", "training", "saving"};
    std::fprintf(stderr, "%s%s", who_.c_str(), kNames[static_cast<int>(e.phase)]);
    if (e.phase == PhaseEvent::Phase::kTraining) {
      std::fprintf(stderr, " %ld parameters for %ld steps", e.trainable_parameters, e.total_steps);
    }
    std::fprintf(stderr, "\n");
  }

  void show(const StepEvent& e) {
    const auto now = Clock::now();
    if (steps_->first == 0) {
      steps_->first = e.step;
      steps_->began = now - std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(e.step_seconds));
    }
    if (rank_ != 0 || (e.step != e.total_steps && now - steps_->shown < kStepInterval)) return;
    steps_->shown = now;
    const double elapsed = std::chrono::duration<double>(now - steps_->began).count();
    const double per_step = elapsed / static_cast<double>(e.step - steps_->first + 1);
    const long left = std::lround(per_step * static_cast<double>(e.total_steps - e.step));
    std::fprintf(stderr, "%sstep %ld/%ld  loss %.4f  lr %.2e  %.0f tokens/s  ETA %ld:%02ld\n",
                 who_.c_str(), e.step, e.total_steps, e.loss, e.learning_rate,
                 static_cast<double>(e.tokens) / e.step_seconds, left / 60, left % 60);
  }

  void show(const EvalEvent& e) const {
    std::fprintf(stderr, "%sstep %ld  %s %.4f on %ld rows  (%.1f s)\n", who_.c_str(), e.step,
                 e.metric.c_str(), e.value, e.rows, e.seconds);
  }

  void show(const ArtifactEvent& e) const {
    std::fprintf(stderr, "%swrote %s\n", who_.c_str(), e.path.c_str());
  }

  void show(const LogEvent& e) const {
    if (rank_ != 0 && e.level == "info") return;
    std::fprintf(stderr, "%s%s: %s\n", who_.c_str(), e.level.c_str(), e.message.c_str());
  }

  void show(const ResultEvent& e) const {
    std::fprintf(stderr, "%sdone: %ld steps, loss %.4f, %.0f tokens/s, %.1f s\n", who_.c_str(),
                 e.steps, e.final_loss, e.tokens_per_second, e.wall_seconds);
  }

  void show(const FailureEvent&) const {}  // report_failure has written it to stderr

  const int rank_;
  std::mutex mutex_;
  struct Steps {
    int64_t first = 0;
    Clock::time_point began, shown;
  };
  std::map<int, Steps> steps_of_;  // by trial
  // Of the event at hand.
  std::string who_;
  Steps* steps_ = nullptr;
};

}  // namespace

std::unique_ptr<EventSink> make_console_sink(int rank) {
  return std::make_unique<ConsoleSink>(rank);
}

}  // namespace prefixmem::trainer
