#include "client/render/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/render/job_text.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace prefixmem::client {
namespace {

constexpr size_t kWidestBar = 24;
constexpr size_t kNarrowestBar = 4;
constexpr size_t kLongestName = 32;
constexpr std::string_view kGap = "  ";

// As wide as `room` allows, with the space after it; empty where that is too narrow to tell
// anything.
std::string bar(int64_t done, int64_t total, size_t room) {
  if (room < kNarrowestBar + kGap.size()) return "";
  const size_t columns = std::min(kWidestBar, room - kGap.size());
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  const auto full = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(columns));
  std::string text;
  for (size_t i = 0; i < columns; ++i) text += i < full ? "█" : "░";
  return text.append(kGap);
}

std::string eval_text(const JobView& view) {
  if (!view.eval) return "";
  return fmt::format("  {} {}", view.eval->metric(),
                     score(view.eval->metric(), view.eval->value()));
}

std::string step_text(const JobView& view) {
  std::string text =
      fmt::format("{:>{}}/{}  loss {:<7}", view.step, fmt::formatted_size("{}", view.total_steps),
                  view.total_steps, figures(view.loss));
  if (view.rate) text += fmt::format("  {:>5} tok/s", short_count(*view.rate));
  const bool goes_on = !has_ended(view.state) && view.step < view.total_steps;
  if (view.eta && goes_on) text += fmt::format("  ETA {}", short_seconds(*view.eta));
  return text + eval_text(view);
}

std::string end_text(const JobView& view) {
  const std::string reason = view.reason.empty() ? "" : ": " + view.reason;
  if (view.state != v1::JOB_STATE_SUCCEEDED) return state_name(view.state) + reason;
  return view.step > 0 ? step_text(view) + "  done" : "done" + eval_text(view);
}

// Whether the line tells of steps, and so has a bar.
bool shows_steps(const JobView& view) {
  if (has_ended(view.state) && view.state != v1::JOB_STATE_SUCCEEDED) return false;
  return view.step > 0 && (has_ended(view.state) || !view.phase.empty());
}

std::string status_text(const JobView& view) {
  if (has_ended(view.state)) return end_text(view);
  if (shows_steps(view)) {
    return step_text(view) + (view.phase == "training" ? "" : "  " + view.phase);
  }
  if (!view.phase.empty()) return view.phase + "…";
  return state_name(view.state) + (view.reason.empty() ? "" : ": " + view.reason);
}

// 0 first: what moves, what waits, what has ended.
int urgency(const JobView& view) {
  if (has_ended(view.state)) return 2;
  return view.state == v1::JOB_STATE_QUEUED ? 1 : 0;
}

std::string title_of(const JobView& view) { return view.name.empty() ? view.id : view.name; }

}  // namespace

std::string progress_line(const JobView& view, size_t name_columns, size_t width) {
  const std::string name =
      padded(cut(printable(title_of(view)), name_columns), name_columns, Align::kLeft);
  const std::string status = printable(status_text(view));
  const size_t taken = name_columns + kGap.size() + columns_of(status);
  const size_t room = shows_steps(view) && width > taken ? width - taken : 0;
  return cut(name + "  " + bar(view.step, view.total_steps, room) + status, width);
}

std::vector<std::string> progress_block(const std::vector<JobView>& views, size_t width,
                                        size_t height) {
  std::vector<JobView> shown = views;
  const bool fits = views.size() <= height;
  if (!fits) {
    std::stable_sort(shown.begin(), shown.end(),
                     [](const JobView& a, const JobView& b) { return urgency(a) < urgency(b); });
    shown.resize(height > 0 ? height - 1 : 0);
  }
  size_t name_columns = 0;
  for (const JobView& view : shown) {
    name_columns = std::clamp(columns_of(title_of(view)), name_columns, kLongestName);
  }
  std::vector<std::string> lines;
  for (const JobView& view : shown) lines.push_back(progress_line(view, name_columns, width));
  if (!fits) lines.push_back(cut(fmt::format("… and {} more", views.size() - shown.size()), width));
  return lines;
}

std::string LiveBlock::repaint(const std::vector<std::string>& lines) {
  std::string text = painted_ > 0 ? fmt::format("\x1b[{}A", painted_) : "";
  for (const std::string& line : lines) text += "\r\x1b[2K" + line + "\n";
  text += "\x1b[J";  // lines that were there and are no more
  painted_ = lines.size();
  return text;
}

}  // namespace prefixmem::client
