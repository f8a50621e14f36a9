#include "client/commands/display.h"

#include <algorithm>

#include "client/render/event_line.h"
#include "client/render/job_text.h"
#include "client/render/json.h"
#include "client/render/progress.h"
#include "client/render/text.h"

namespace prefixmem::client {
namespace {

constexpr Millis kPaintEvery{100};

// What is written stays; an outage is a note.
class Written : public Display {
 public:
  explicit Written(Session& session) : session_(session) {}

  void away(const Status& why) override { session_.note(why.message() + "; waiting for it"); }

 protected:
  Session& session_;
};

class Lines final : public Written {
 public:
  using Written::Written;

  Status event(const v1::JobEvent& event, const JobView& view) override {
    return session_.print(event_line(event, view) + "\n");
  }
};

class JsonLines final : public Written {
 public:
  using Written::Written;

  Status event(const v1::JobEvent& event, const JobView&) override {
    PM_ASSIGN(const std::string line, json_line(event));
    return session_.print(line);
  }
};

class Notes final : public Written {
 public:
  using Written::Written;

  Status event(const v1::JobEvent& event, const JobView& view) override {
    if (event.has_state() && has_ended(event.state().state())) {
      session_.note(event_line(event, view));
    }
    return {};
  }
};

class Bars final : public Display {
 public:
  explicit Bars(Session& session) : session_(session) {}

  Status event(const v1::JobEvent&, const JobView&) override {
    away_.clear();
    want_paint();
    return {};
  }
  void away(const Status& why) override {
    away_ = why.message() + "; waiting for it";
    want_paint();
  }
  void back() override {
    away_.clear();
    want_paint();
  }

  Time repaint_time() const override { return next_paint_; }

  Status repaint(const std::vector<JobView>& views) override {
    last_paint_ = std::chrono::system_clock::now();
    next_paint_ = Time::max();
    const TerminalSize size = session_.env.terminal().value_or(TerminalSize());
    // The cursor's line and the note below the block must fit too; the last column stays free.
    const size_t rows = std::max<size_t>(size.rows, 4) - 2;
    auto lines = progress_block(views, size.columns - 1, rows);
    if (!away_.empty()) lines.push_back(cut(printable(away_), size.columns - 1));
    return session_.print(block_.repaint(lines));
  }

  // Reasons in full, which a bar's line may have cut.
  Status finish(const std::vector<JobView>& views) override {
    PM_TRY(repaint(views));
    for (const JobView& view : views) {
      if (view.state != v1::JOB_STATE_FAILED) continue;
      session_.note((view.name.empty() ? view.id : view.name) + " failed: " + view.reason);
    }
    return {};
  }

 private:
  void want_paint() { next_paint_ = std::min(next_paint_, last_paint_ + kPaintEvery); }

  Session& session_;
  LiveBlock block_;
  std::string away_;
  Time last_paint_;
  Time next_paint_;  // the first one at once
};

}  // namespace

std::unique_ptr<Display> make_display(Session& session) {
  if (session.json()) return std::make_unique<JsonLines>(session);
  if (session.env.terminal()) return std::make_unique<Bars>(session);
  return std::make_unique<Lines>(session);
}

std::unique_ptr<Display> make_note_display(Session& session) {
  return std::make_unique<Notes>(session);
}

}  // namespace prefixmem::client
