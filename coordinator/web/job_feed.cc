#include "coordinator/web/job_feed.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "common/proto/job_state.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem::web {
namespace {

constexpr int kPage = 256;
constexpr uint64_t kStepsOfAnOctave = 500;  // that are told: those of a curve that can be seen

bool worth_telling(const v1::JobEvent& event) {
  if (!event.trainer().has_step()) return true;
  const v1::StepEvent& step = event.trainer().step();
  const auto number = static_cast<uint64_t>(step.step());
  const uint64_t stride = std::bit_floor(std::max<uint64_t>(1, number / kStepsOfAnOctave));
  return number % stride == 0 || step.step() == step.total_steps();
}

}  // namespace

Result<News> JobFeed::news() {
  News news;
  const bool pages_on = std::exchange(full_page_, false);
  bool ended = false;
  if (!pages_on) {
    // Before its events: where it has ended here, all of them are there.
    PM_ASSIGN(const v1::Job now, job());
    PM_ASSIGN(news.text, job_.event(now));
    ended = has_ended(now.state());
  }
  PM_ASSIGN(const auto events, reader_.events(job_id_, next_, kPage));
  PM_ASSIGN(const std::string told_events, told(events));
  news.text += told_events;
  if (!pages_on) {
    PM_ASSIGN(const std::string told_artifacts, artifacts());
    news.text += told_artifacts;
  }
  full_page_ = std::ssize(events) == kPage;
  if (!events.empty()) next_ = events.back().number() + 1;
  if (pages_on || !events.empty()) {
    news.then = News::Then::kMore;
  } else if (ended) {
    news.then = News::Then::kEnd;
  }
  return news;
}

Result<v1::Job> JobFeed::job() {
  PM_ASSIGN(auto job, reader_.job(job_id_));
  if (!job) return not_found("job " + job_id_ + " is gone");
  job->clear_spec();
  return *std::move(job);
}

Result<std::string> JobFeed::told(const std::vector<v1::JobEvent>& events) {
  std::string text;
  for (const v1::JobEvent& event : events) {
    if (!worth_telling(event)) continue;
    PM_ASSIGN(const std::string one, server_event("happened", event));
    text += one;
  }
  return text;
}

Result<std::string> JobFeed::artifacts() {
  PM_ASSIGN(auto artifacts, reader_.artifacts(job_id_));
  v1::ListArtifactsResponse listed;
  for (v1::Artifact& artifact : artifacts) *listed.add_artifacts() = std::move(artifact);
  return artifacts_.event(listed);
}

}  // namespace prefixmem::web
