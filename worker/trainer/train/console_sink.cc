#include <chrono>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <variant>

#include "worker/trainer/train/event_sink.h"

namespace prefixmem::trainer {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kStepInterval = std::chrono::milliseconds(500);

class ConsoleSink final : public EventSink {
 public:
  explicit ConsoleSink(int rank) : rank_(rank) {}

  Status emit(const Event& event) override {
    const std::lock_guard lock(mutex_);
    std::visit([this](const auto& e) { show(e); }, event);
    return {};
  }

 private:
  void show(const PhaseEvent& e) const {
    if (rank_ != 0) return;
    static constexpr const char* kNames[] = {"loading", "evaluating", "training", "saving"};
    std::fprintf(stderr, "%s", kNames[static_cast<int>(e.phase)]);
    if (e.phase == PhaseEvent::Phase::kTraining) {
      std::fprintf(stderr, " %ld parameters for %ld steps", e.trainable_parameters, e.total_steps);
    }
    std::fprintf(stderr, "\n");
  }

  void show(const StepEvent& e) {
    const auto now = Clock::now();
    if (first_step_ == 0) {
      first_step_ = e.step;
      first_time_ = now - std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(e.step_seconds));
    }
    if (rank_ != 0 || (e.step != e.total_steps && now - shown_ < kStepInterval)) return;
    shown_ = now;
    const double elapsed = std::chrono::duration<double>(now - first_time_).count();
    const double per_step = elapsed / static_cast<double>(e.step - first_step_ + 1);
    const long left = std::lround(per_step * static_cast<double>(e.total_steps - e.step));
    std::fprintf(stderr, "step %ld/%ld  loss %.4f  lr %.2e  %.0f tokens/s  ETA %ld:%02ld\n", e.step,
                 e.total_steps, e.loss, e.learning_rate,
                 static_cast<double>(e.tokens) / e.step_seconds, left / 60, left % 60);
  }

  void show(const EvalEvent& e) const {
    std::fprintf(stderr, "step %ld  %s %.4f on %ld rows  (%.1f s)\n", e.step, e.metric.c_str(),
                 e.value, e.rows, e.seconds);
  }

  void show(const ArtifactEvent& e) const { std::fprintf(stderr, "wrote %s\n", e.path.c_str()); }

  void show(const LogEvent& e) const {
    if (rank_ != 0 && e.level == "info") return;
    std::fprintf(stderr, "%s: %s\n", e.level.c_str(), e.message.c_str());
  }

  void show(const ResultEvent& e) const {
    std::fprintf(stderr, "done: %ld steps, loss %.4f, %.0f tokens/s, %.1f s\n", e.steps,
                 e.final_loss, e.tokens_per_second, e.wall_seconds);
  }

  void show(const FailureEvent&) const {}  // report_failure has written it to stderr

  const int rank_;
  std::mutex mutex_;
  int64_t first_step_ = 0;
  Clock::time_point first_time_, shown_;
};

}  // namespace

std::unique_ptr<EventSink> make_console_sink(int rank) {
  return std::make_unique<ConsoleSink>(rank);
}

}  // namespace prefixmem::trainer
