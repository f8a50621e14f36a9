#include "client/commands/watch.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>
#include <thread>

#include "client/channel/event_feed.h"
#include "client/commands/commands.h"
#include "client/commands/followed_sweeps.h"
#include "client/exit_codes.h"
#include "client/render/job_text.h"
#include "common/id.h"

namespace prefixmem::client {
namespace {

struct WatchOptions {
  std::vector<std::string> jobs;
};

// The jobs' views by the events so far.
class Views {
 public:
  void add(const v1::Job& job) {
    index_[job.id()] = all_.size();
    all_.push_back(view_of(job));
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

 private:
  std::map<std::string, size_t> index_;
  std::vector<JobView> all_;
};

// How often sweeps are asked for new trials: no event tells of them, but that another has ended.
constexpr BackoffPolicy kAskAgain{Millis(200), Millis(5000), 2, 0.2};

// One run of `pmt watch`.
class Watch {
 public:
  using Time = Display::Time;

  Watch(Server& server, const NamedJobs& watched, Session& session, Display& display)
      : session_(session),
        display_(display),
        server_(server),
        sweeps_(server, watched.sweeps, watched.jobs),
        feed_(server, session.env.feed) {
    add(watched.jobs);
    if (sweeps_.any_goes_on()) ask_by(std::chrono::system_clock::now());
  }

  Result<int> run() {
    while (true) {
      const Time wake = std::min(display_.repaint_time(), asks_at_);
      const FeedItem item = feed_.next(wake);
      if (item.kind == FeedItem::Kind::kAway) display_.away(item.status);
      if (item.kind == FeedItem::Kind::kEvent) PM_TRY(show(item.event));
      if (item.kind == FeedItem::Kind::kDone) {
        if (!sweeps_.any_goes_on()) return end();
        ask_by(std::chrono::system_clock::now() +
               backoff_delay(kAskAgain, rounds_, random_share()));
        wait_until(std::min(display_.repaint_time(), asks_at_));
      }
      if (std::chrono::system_clock::now() >= asks_at_) PM_TRY(ask());
      if (std::chrono::system_clock::now() >= display_.repaint_time()) {
        PM_TRY(display_.repaint(views_.all()));
      }
      if (item.kind == FeedItem::Kind::kFailed) return item.status;
    }
  }

 private:
  void add(const std::vector<v1::Job>& jobs) {
    for (const v1::Job& job : jobs) {
      views_.add(job);
      feed_.add(job.id());
    }
  }

  Status show(const v1::JobEvent& event) {
    const JobView* view = views_.update(event);
    if (view == nullptr) return {};
    PM_TRY(display_.event(event, *view));
    if (has_ended(view->state) && sweeps_.goes_on(view->sweep_id)) {
      rounds_ = 0;
      ask_by(std::max(std::chrono::system_clock::now(), asked_ + kAskAgain.first));
    }
    return {};
  }

  // A coordinator that is away is dialled only while somebody waits for it in gRPC.
  void wait_until(Time when) {
    const auto left = when - std::chrono::system_clock::now();
    if (away_since_) server_.wait_until_back(std::chrono::ceil<Millis>(left));
    std::this_thread::sleep_until(when);
  }

  void ask_by(Time when) { asks_at_ = std::min(asks_at_, when); }

  // Over a coordinator that is away as the feed is, and for as long.
  Status ask() {
    asks_at_ = Time::max();
    asked_ = std::chrono::system_clock::now();
    const auto trials = sweeps_.new_trials();
    if (trials.status().code() == Code::kUnavailable) return ask_once_back(trials.status());
    PM_TRY(trials.status());
    if (away_since_) display_.back();
    away_since_.reset();
    rounds_ = trials->empty() ? rounds_ + 1 : 0;
    add(*trials);
    return {};
  }

  Status ask_once_back(const Status& why) {
    const auto now = std::chrono::system_clock::now();
    if (!away_since_) {
      away_since_ = now;
      display_.away(why);
    }
    if (now - *away_since_ > session_.env.feed.patience) return why;
    ask_by(now + backoff_delay(session_.env.feed.backoff, rounds_++, random_share()));
    return {};
  }

  Result<int> end() {
    PM_TRY(display_.finish(views_.all()));
    std::vector<v1::JobState> states;
    for (const JobView& view : views_.all()) {
      if (!sweeps_.was_stopped_by_search(view)) states.push_back(view.state);
    }
    for (const v1::Sweep& sweep : sweeps_.not_finished()) {
      const bool failed = sweep.state() == v1::SWEEP_STATE_FAILED;
      states.push_back(failed ? v1::JOB_STATE_FAILED : v1::JOB_STATE_CANCELLED);
      session_.note(sweep.id() + (failed ? " failed: " : " was cancelled: ") + sweep.reason());
    }
    return exit_code_of(states);
  }

  Session& session_;
  Display& display_;
  Server& server_;
  FollowedSweeps sweeps_;
  EventFeed feed_;
  Views views_;
  Time asks_at_ = Time::max();  // for new trials; max: not before the next one has ended
  Time asked_;
  int rounds_ = 0;  // in a row that brought none
  std::optional<Time> away_since_;
};

Result<int> watch(const WatchOptions& options, Session& session) {
  PM_ASSIGN(Server * server, session.server());
  PM_ASSIGN(const NamedJobs watched, find_jobs(*server, options.jobs));
  return watch_jobs(watched, session, *make_display(session));
}

}  // namespace

Result<int> watch_jobs(const NamedJobs& watched, Session& session, Display& display) {
  PM_ASSIGN(Server * server, session.server());
  return Watch(*server, watched, session, display).run();
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
