#include "coordinator/rpc/event_source.h"

#include "common/proto/job_state.h"

namespace prefixmem::rpc {
namespace {

constexpr int kPage = 256;

v1::LogLine line_of(const v1::JobEvent& event) {
  const v1::LogEvent& log = event.trainer().log();
  v1::LogLine line;
  *line.mutable_time() = event.time();
  line.set_attempt(event.attempt());
  line.set_rank(log.rank());
  line.set_level(log.level());
  line.set_message(log.message());
  return line;
}

}  // namespace

Result<Pulled<v1::JobEvent>> EventPages::pull() {
  if (page_.empty()) PM_TRY(fill());
  if (page_.empty() && options_.follow) {
    PM_ASSIGN(const bool ended, job_has_ended());
    if (!ended) return Pulled<v1::JobEvent>{};
    PM_TRY(fill());  // its last events may have come between the two looks
  }
  if (page_.empty()) return Pulled<v1::JobEvent>{.end = Status()};
  Pulled<v1::JobEvent> pulled{.message = std::move(page_.front())};
  page_.pop_front();
  return pulled;
}

Status EventPages::fill() {
  if (options_.closing != nullptr && *options_.closing) {
    return unavailable("the coordinator is shutting down");
  }
  PM_ASSIGN(auto events, read_(next_));
  page_.assign(std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
  if (!page_.empty()) next_ = page_.back().number() + 1;
  return {};
}

Result<bool> EventPages::job_has_ended() {
  PM_ASSIGN(const auto job, reader_.job(job_id_));
  return !job || has_ended(job->state());
}

WatchSource::WatchSource(store::Reader& reader, const std::string& job_id,
                         const EventPages::Options& options)
    : pages_(
          reader, job_id,
          [&reader, job_id](int64_t from) { return reader.events(job_id, from, kPage); }, options) {
}

LogSource::LogSource(store::Reader& reader, const std::string& job_id,
                     const EventPages::Options& options)
    : pages_(
          reader, job_id,
          [&reader, job_id](int64_t from) { return reader.logs(job_id, from, kPage); }, options) {}

Result<Pulled<v1::LogLine>> LogSource::pull() {
  PM_ASSIGN(auto pulled, pages_.pull());
  Pulled<v1::LogLine> line{.end = std::move(pulled.end)};
  if (pulled.message) line.message = line_of(*pulled.message);
  return line;
}

}  // namespace prefixmem::rpc
