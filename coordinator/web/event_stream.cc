#include "coordinator/web/event_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/proto/job_state.h"
#include "coordinator/web/message_json.h"

namespace prefixmem::web {
namespace {

constexpr int kPage = 256;
constexpr std::chrono::seconds kLongestSilence{10};
constexpr int64_t kMostSteps = 2000;  // of one job: what a curve can show

bool worth_telling(const v1::JobEvent& event) {
  if (!event.has_trainer() || !event.trainer().has_step()) return true;
  const v1::StepEvent& step = event.trainer().step();
  const int64_t stride = std::max<int64_t>(1, step.total_steps() / kMostSteps);
  return step.step() % stride == 0 || step.step() == step.total_steps() || step.step() == 1;
}

}  // namespace

Result<int64_t> first_event_after(const std::string& last_event_id) {
  if (last_event_id.empty()) return 1;
  int64_t number = 0;
  const char* const end = last_event_id.data() + last_event_id.size();
  const auto [rest, error] = std::from_chars(last_event_id.data(), end, number);
  if (error == std::errc() && rest == end && number >= 0) return number + 1;
  return invalid_argument(fmt::format("Last-Event-ID is \"{}\"; allowed: the number of an event",
                                      last_event_id.substr(0, 80)));
}

EventStream::EventStream(store::Reader& reader, Subscriptions& subscriptions, std::string job_id,
                         int64_t from_number, const std::atomic<bool>& closing)
    : reader_(reader),
      job_id_(std::move(job_id)),
      closing_(closing),
      next_(from_number),
      subscription_(subscriptions.subscribe(job_id_, [weak = std::weak_ptr(waker_)] {
        const auto waker = weak.lock();
        if (!waker) return;
        {
          const MutexLock lock(waker->mutex);
          waker->woken = true;
        }
        waker->changed.notify_all();
      })) {}

Result<std::optional<std::string>> EventStream::next() {
  if (closing_ || ended_) return std::optional<std::string>();
  // Before the look at the events: its last ones may come between the two.
  PM_ASSIGN(const auto job, reader_.job(job_id_));
  PM_ASSIGN(std::string text, new_events());
  if (!text.empty()) return std::optional(std::move(text));
  if (!job || has_ended(job->state())) {
    ended_ = true;
    return std::optional<std::string>("event: end\ndata: {}\n\n");
  }
  wait();
  return std::optional<std::string>(": waits\n\n");
}

Result<std::string> EventStream::new_events() {
  {
    const MutexLock lock(waker_->mutex);
    waker_->woken = false;  // what comes from here on may be missed by the look that follows
  }
  std::string text;
  while (text.empty()) {
    PM_ASSIGN(const auto events, reader_.events(job_id_, next_, kPage));
    if (events.empty()) break;
    next_ = events.back().number() + 1;
    for (const v1::JobEvent& event : events) {
      if (!worth_telling(event)) continue;
      PM_ASSIGN(const std::string json, message_json(event));
      text += fmt::format("id: {}\ndata: {}\n\n", event.number(), json);
    }
  }
  return text;
}

void EventStream::wait() {
  const auto deadline = std::chrono::steady_clock::now() + kLongestSilence;
  const MutexLock lock(waker_->mutex);
  while (!waker_->woken && !closing_) {
    if (!waker_->changed.wait_until(waker_->mutex, deadline)) return;
  }
}

}  // namespace prefixmem::web
