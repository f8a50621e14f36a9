#include "client/render/trace.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "client/render/job_text.h"
#include "common/clock.h"
#include "common/proto/timestamps.h"

namespace prefixmem::client {
namespace {

using nlohmann::json;

int64_t micros(const google::protobuf::Timestamp& time) {
  return to_unix_millis(from_timestamp(time)) * 1000;
}

int64_t micros(double seconds) { return static_cast<int64_t>(seconds * 1e6); }

// Folds events into spans. Those that have begun and not ended form a stack, the job at its bottom.
class Life {
 public:
  explicit Life(const v1::Job& job) : now_(micros(job.create_time())) {
    open(0, job.name(),
         {{"job", job.id()},
          {"sweep", job.sweep_id()},
          {"method", method_text(job.spec().method())}});
  }

  void take(const v1::JobEvent& event) {
    now_ = std::max(now_, micros(event.time()));
    if (event.has_state()) return take(event.state(), event.attempt());
    take(event.trainer(), event.attempt());
  }

  std::vector<Span> finish(int64_t now_micros) {
    now_ = std::max(now_, now_micros);
    for (Span& span : open_) span.args["open"] = true;
    close_to(0);
    std::stable_sort(done_.begin(), done_.end(), [](const Span& a, const Span& b) {
      return std::tuple(a.begin, a.depth) < std::tuple(b.begin, b.depth);
    });
    return std::move(done_);
  }

 private:
  void take(const v1::StateEvent& state, int attempt) {
    const json reason = {{"reason", state.reason()}};
    switch (state.state()) {
      case v1::JOB_STATE_QUEUED:
        if (open_.size() == 1 && done_.empty()) mark("submitted", json::object());
        return open(1, "queued", reason);
      case v1::JOB_STATE_STARTING:
        begin_attempt(attempt);
        return open(2, "starting", reason);
      case v1::JOB_STATE_RUNNING:
        begin_attempt(attempt);
        if (open_.size() > 2 && open_[2].name != "starting") return mark("running", reason);
        return close_to(2);
      default:
        close_to(1);
        mark(state_name(state.state()), reason);
        return close_to(0);
    }
  }

  void take(const v1::TrainerEvent& event, int attempt) {
    begin_attempt(attempt);
    switch (event.event_case()) {
      case v1::TrainerEvent::kPhase:
        return open(2, event.phase().phase(), json::object());
      case v1::TrainerEvent::kStep:
        return take(event.step());
      case v1::TrainerEvent::kEval:
        return add("evaluation " + event.eval().metric(), event.eval().seconds(),
                   {{"step", event.eval().step()},
                    {"value", event.eval().value()},
                    {"rows", event.eval().rows()}});
      case v1::TrainerEvent::kArtifact:
        return add(event.artifact().kind(), event.artifact().seconds(),
                   {{"path", event.artifact().path()},
                    {"step", event.artifact().step()},
                    {"bytes", event.artifact().bytes()}});
      case v1::TrainerEvent::kLog:
        return mark(event.log().level(),
                    {{"rank", event.log().rank()}, {"message", event.log().message()}});
      case v1::TrainerEvent::kResult:
        return mark("result", {{"steps", event.result().steps()},
                               {"final_loss", event.result().final_loss()},
                               {"tokens_per_second", event.result().tokens_per_second()}});
      case v1::TrainerEvent::kFailure:
        return mark("failure", {{"rank", event.failure().rank()},
                                {"code", event.failure().code()},
                                {"message", event.failure().message()}});
      case v1::TrainerEvent::EVENT_NOT_SET:
        return;
    }
  }

  void take(const v1::StepEvent& step) {
    add("step", step.step_seconds(),
        {{"step", step.step()},
         {"loss", step.loss()},
         {"learning_rate", step.learning_rate()},
         {"tokens", step.tokens()},
         {"allreduce_seconds", step.allreduce_seconds()}});
    if (!std::exchange(stepped_, true)) mark("first step", {{"step", step.step()}});
  }

  void begin_attempt(int attempt) {
    const std::string name = "attempt " + std::to_string(attempt);
    if (open_.size() < 2 || open_[1].name != name) open(1, name, json::object());
  }

  void open(int depth, const std::string& name, json args) {
    close_to(depth);
    open_.push_back({name, depth, false, now_, now_, std::move(args)});
  }

  void close_to(int depth) {
    while (static_cast<int>(open_.size()) > depth) {
      open_.back().end = now_ = after(open_.back().begin);
      done_.push_back(std::move(open_.back()));
      open_.pop_back();
    }
    last_end_ = now_;
  }

  // What has just ended and took so long.
  void add(const std::string& name, double seconds, json args) {
    const int64_t begin = std::max({now_ - micros(seconds), last_end_, open_.back().begin});
    now_ = after(begin);
    done_.push_back({name, 3, false, begin, now_, std::move(args)});
    last_end_ = now_;
  }

  // Two spans of one time that had no duration would be shown as one within the other.
  int64_t after(int64_t begin) const { return std::max(now_, begin + 1); }

  void mark(const std::string& name, json args) {
    done_.push_back({name, static_cast<int>(open_.size()), true, now_, now_, std::move(args)});
  }

  int64_t now_;                                             // of the newest event so far
  int64_t last_end_ = std::numeric_limits<int64_t>::min();  // of the newest span that has ended
  bool stepped_ = false;
  std::vector<Span> open_;
  std::vector<Span> done_;
};

// On tracks of their own: Perfetto shows what begins with a mark, on the same track, as inside it.
constexpr int kSpans = 1, kMarks = 2;

json event_of(const Span& span, int64_t pid, int64_t origin) {
  json event = {{"name", span.name},
                {"cat", "job"},
                {"pid", pid},
                {"tid", span.instant ? kMarks : kSpans},
                {"ts", span.begin - origin},
                {"args", span.args}};
  if (span.instant) {
    event["ph"] = "i";
    event["s"] = "t";
  } else {
    event["ph"] = "X";
    event["dur"] = span.end - span.begin;
  }
  return event;
}

// Of a process (of whichever track) or of a track.
json name_of(const char* what, const std::string& name, int64_t pid, int tid) {
  return {{"name", what}, {"ph", "M"}, {"pid", pid}, {"tid", tid}, {"args", {{"name", name}}}};
}

}  // namespace

std::vector<Span> spans_of(const v1::Job& job, const std::vector<v1::JobEvent>& events,
                           int64_t now_unix_millis) {
  Life life(job);
  for (const v1::JobEvent& event : events) life.take(event);
  return life.finish(now_unix_millis * 1000);
}

std::string trace_json(const std::vector<JobTrace>& jobs) {
  int64_t origin = std::numeric_limits<int64_t>::max();
  for (const JobTrace& trace : jobs) {
    for (const Span& span : trace.spans) origin = std::min(origin, span.begin);
  }
  json events = json::array();
  int64_t pid = 0;
  for (const JobTrace& trace : jobs) {
    const std::string job = trace.job.name() + " (" + trace.job.id() + ")";
    events.push_back(name_of("process_name", job, ++pid, kSpans));
    events.push_back(name_of("thread_name", "life", pid, kSpans));
    events.push_back(name_of("thread_name", "marks", pid, kMarks));
    for (const Span& span : trace.spans) events.push_back(event_of(span, pid, origin));
  }
  return json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}}.dump(
             -1, ' ', false, json::error_handler_t::replace) +
         "\n";
}

}  // namespace prefixmem::client
