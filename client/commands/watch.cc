#include "client/commands/watch.h"

#include <CLI/CLI.hpp>
#include <map>

#include "client/channel/event_feed.h"
#include "client/commands/commands.h"
#include "client/commands/display.h"
#include "client/commands/lookup.h"
#include "client/exit_codes.h"

namespace prefixmem::client {
namespace {

struct WatchOptions {
  std::vector<std::string> jobs;
};

// The jobs' views by the events so far.
class Views {
 public:
  explicit Views(const std::vector<v1::Job>& jobs) {
    for (const v1::Job& job : jobs) {
      index_[job.id()] = all_.size();
      all_.push_back(view_of(job));
    }
  }

  // Null for an event of a job that nobody asked for.
  const JobView* update(const v1::JobEvent& event) {
    const auto found = index_.find(event.job_id());
    if (found == index_.end()) return nullptr;
    JobView& view = all_[found->second];
    view = updated(std::move(view), event);
    return &view;
  }

  const std::vector<JobView>& all() const { return all_; }

  int exit_code() const {
    std::vector<v1::JobState> states;
    for (const JobView& view : all_) states.push_back(view.state);
    return exit_code_of(states);
  }

 private:
  std::map<std::string, size_t> index_;
  std::vector<JobView> all_;
};

std::vector<std::string> ids_of(const std::vector<v1::Job>& jobs) {
  std::vector<std::string> ids;
  for (const v1::Job& job : jobs) ids.push_back(job.id());
  return ids;
}

Result<int> watch(const WatchOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const auto jobs, find_jobs(*server, options.jobs));
  return watch_jobs(jobs, session);
}

}  // namespace

Result<int> watch_jobs(const std::vector<v1::Job>& jobs, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  Views views(jobs);
  const auto display = make_display(session);
  EventFeed feed(*server, ids_of(jobs), session.env.feed);
  while (true) {
    const FeedItem item = feed.next(display->repaint_time());
    if (item.kind == FeedItem::Kind::kAway) display->away(item.status);
    if (item.kind == FeedItem::Kind::kEvent) {
      const JobView* view = views.update(item.event);
      if (view != nullptr) PM_TRY(display->event(item.event, *view));
    }
    if (item.kind == FeedItem::Kind::kDone) {
      PM_TRY(display->finish(views.all()));
      return views.exit_code();
    }
    if (std::chrono::system_clock::now() >= display->repaint_time()) {
      PM_TRY(display->repaint(views.all()));
    }
    if (item.kind == FeedItem::Kind::kFailed) return item.status;
  }
}

Command add_watch(CLI::App& app) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* command = app.add_subcommand(
      "watch",
      "Follow jobs until they end; exits with 1 where one failed, 3 where one was "
      "cancelled");
  command->add_option("jobs", options->jobs, "Ids or names of jobs or sweeps")->required();
  return {command, [options](Session& session) { return watch(*options, session); }};
}

}  // namespace prefixmem::client
