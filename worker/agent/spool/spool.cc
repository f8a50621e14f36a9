#include "worker/agent/spool/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "common/files.h"

namespace prefixmem::agent {
namespace {

constexpr int64_t kMostInBatch = 256;
constexpr int64_t kMostUnacknowledged = 4096;
constexpr size_t kOneLine = size_t{1} << 12;
constexpr size_t kManyLines = size_t{1} << 18;

// One line of the file: milliseconds since 1970, a space, the event.
std::string line_of(WallTime time, const Event& event) {
  return std::to_string(to_unix_millis(time)) + " " + to_json_line(event) + "\n";
}

std::string_view event_text(std::string_view line) { return line.substr(line.find(' ') + 1); }

WallTime time_of(std::string_view line) {
  int64_t millis = 0;
  std::from_chars(line.data(), line.data() + line.size(), millis);
  return from_unix_millis(millis);
}

}  // namespace

Result<Spool> Spool::create(const std::filesystem::path& file) {
  Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("creating " + file.string(), errno);
  return Spool(std::move(fd), file.string());
}

Status Spool::append(WallTime time, const Event& event) {
  const std::string line = line_of(time, event);
  if (Status status = write_all(file_.get(), line, name_); !status.ok()) {
    // Half a line must not stand before the next one.
    const bool cut = ftruncate(file_.get(), end_) == 0;
    return cut ? status : data_loss(status.message() + "; and the file could not be cut back");
  }
  end_ += static_cast<int64_t>(line.size());
  ++appended_;
  return {};
}

Result<std::vector<Spool::Line>> Spool::read_lines(int64_t offset, int64_t most) const {
  std::vector<Line> lines;
  const size_t step = most == 1 ? kOneLine : kManyLines;
  std::string block;
  while (lines.empty()) {
    const size_t before = block.size();
    block.resize(before + step);
    const ssize_t count =
        pread(file_.get(), block.data() + before, step, offset + static_cast<int64_t>(before));
    if (count < 0 && errno != EINTR) return from_errno("reading " + name_, errno);
    if (count == 0) return data_loss(name_ + " is shorter than what was written to it");
    block.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    size_t begin = 0, end = 0;
    while (static_cast<int64_t>(lines.size()) < most &&
           (end = block.find('\n', begin)) != std::string::npos) {
      lines.push_back({block.substr(begin, end - begin), offset + static_cast<int64_t>(end) + 1});
      begin = end + 1;
    }
  }
  return lines;
}

Result<SpooledEvent> Spool::event_of(int64_t number, const std::string& line) const {
  const auto replaced = replaced_.find(number);
  const std::string& current = replaced == replaced_.end() ? line : replaced->second;
  PM_ASSIGN(Event event, event_from_json(event_text(current)));
  return SpooledEvent{time_of(line), std::move(event)};
}

Result<std::optional<Event>> Spool::next_unready() const {
  if (!has_unready()) return std::optional<Event>();
  PM_ASSIGN(const auto lines, read_lines(ready_end_, 1));
  PM_ASSIGN(SpooledEvent next, event_of(ready_ + 1, lines.front().text));
  return std::optional<Event>(std::move(next.event));
}

Status Spool::advance_ready() {
  PM_ASSIGN(const auto lines, read_lines(ready_end_, 1));
  ready_end_ = lines.front().end;
  ++ready_;
  return {};
}

Status Spool::mark_ready() { return advance_ready(); }

Status Spool::mark_ready_as(const Event& event) {
  replaced_[ready_ + 1] = "0 " + to_json_line(event);
  return advance_ready();
}

Result<std::vector<Spool::Line>> Spool::advance_sent(int64_t most) {
  PM_ASSIGN(auto lines, read_lines(sent_end_, most));
  for (const Line& line : lines) sent_ends_.push_back(line.end);
  sent_ += static_cast<int64_t>(lines.size());
  sent_end_ = lines.back().end;
  return lines;
}

Result<EventBatch> Spool::take_batch() {
  EventBatch batch{sent_ + 1, {}};
  const int64_t most =
      std::min({kMostInBatch, ready_ - sent_, kMostUnacknowledged - (sent_ - acknowledged_)});
  if (most <= 0) return batch;
  PM_ASSIGN(const auto lines, advance_sent(most));
  for (const Line& line : lines) {
    const int64_t number = batch.first_number + static_cast<int64_t>(batch.events.size());
    PM_ASSIGN(SpooledEvent event, event_of(number, line.text));
    batch.events.push_back(std::move(event));
  }
  return batch;
}

void Spool::rewind() {
  sent_ = acknowledged_;
  sent_end_ = acknowledged_end_;
  sent_ends_.clear();
}

Status Spool::acknowledge(int64_t number) {
  number = std::min(number, ready_);
  while (sent_ < number) {
    PM_ASSIGN(const auto skipped, advance_sent(number - sent_));
  }
  while (acknowledged_ < number) {
    acknowledged_end_ = sent_ends_.front();
    sent_ends_.pop_front();
    replaced_.erase(++acknowledged_);
  }
  return empty() && end_ > 0 ? empty_file() : Status();
}

Status Spool::empty_file() {
  if (ftruncate(file_.get(), 0) != 0) return from_errno("emptying " + name_, errno);
  end_ = ready_end_ = sent_end_ = acknowledged_end_ = 0;
  return {};
}

}  // namespace prefixmem::agent
